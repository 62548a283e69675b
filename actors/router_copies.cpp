// What other nodes have this shard store, and what they have stored for it.

#include "actors/replicated_store.hpp"
#include "actors/router_actor.hpp"
#include "core/group.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace {

const std::string& user_of(const storage::operation& what) {
  static const std::string nobody;
  return std::visit(
    [](const auto& one) -> const std::string& {
      if constexpr (requires { one.message; })
        return one.message->to;
      else if constexpr (requires { one.user; })
        return one.user;
      else
        return nobody;
    },
    what);
}

bool is_lost(storage::outcome result) noexcept {
  return result == storage::outcome::failed || result == storage::outcome::full;
}

} // namespace

void router_actor::on_copies(store_copies& what) {
  for (auto& item : what.items) {
    if (const auto* put = std::get_if<storage::op::put>(&item.what))
      // What this node makes from now on is later, unless that clock is absurd.
      context_.node.clock.hear(put->message->serverid.high,
                               context_.now().wall);
    stored_copy one{item.ticket, {}, what.done};
    if (context_.copies->admit(item.what, context_.home.now()))
      one.what = item.what;
    copies_.push_back(std::move(one));
    ++context_.copies_in_flight;
    context_.store_here(owner_, std::move(item.what));
  }
  tell_keeps();
}

void router_actor::on_storage(const storage_done& what) {
  std::vector<std::uint64_t> stored;
  std::vector<std::uint64_t> failed;
  std::vector<core::bucket_id> keeps;
  for (std::size_t i = 0; i < what.items.size() && !copies_.empty(); ++i) {
    auto one = std::move(copies_.front());
    copies_.pop_front();
    --context_.copies_in_flight;
    const auto result = what.items[i].result;
    if (one.what && !is_lost(result) && result != storage::outcome::removed)
      merge(std::move(*one.what), keeps);
    if (one.ticket != 0 || is_lost(result))
      (is_lost(result) ? failed : stored).push_back(one.ticket);
    const auto is_last = i + 1 == what.items.size() || copies_.empty()
                         || copies_.front().done != one.done;
    if (is_last && one.done && (!stored.empty() || !failed.empty()))
      (*one.done)(std::exchange(stored, {}), std::exchange(failed, {}));
  }
  tell_keeps(std::move(keeps));
}

/// It is durable here: an open mailbox follows, and others may have to.
void router_actor::merge(storage::operation what,
                         std::vector<core::bucket_id>& keeps) {
  const auto& user = user_of(what);
  if (const auto bucket = core::bucket_of(user);
      ties_ && ties_->view->keeps_for_others(bucket))
    keeps.push_back(bucket);
  const auto* put = std::get_if<storage::op::put>(&what);
  // What the mailbox has removed meanwhile is on its way out of the disk.
  if (put != nullptr && context_.copies->was_removed(put->message->serverid))
    return;
  const auto found = table_.find(user);
  if (found == table_.end()) {
    // A group's home goes on with what another node has taken for it.
    if (put != nullptr && core::is_group_mailbox(user)) {
      resume_outgoing group{user};
      resume(group);
    }
    return;
  }
  ++found->second.forwarded;
  tell(found->second.delivery, merge_copy{std::move(what)});
}

void router_actor::tell_keeps(std::vector<core::bucket_id> more) {
  auto all = context_.copies->take_keeps();
  all.insert(all.end(), more.begin(), more.end());
  if (all.empty())
    return;
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  tell(context_.node.cluster, keep_buckets{std::move(all)});
}

void router_actor::on_peer_stored(const copies_stored& what) {
  std::vector<storage::completion> through;
  context_.copies->peer_stored(what, context_.home.now(), through);
  context_.hand_out(std::move(through));
  // A pass is to make good for what it could not store.
  if (!what.failed.empty())
    tell(context_.node.cluster, copies_stored{what.peer, {}, what.failed});
}

} // namespace vartalap::actors
