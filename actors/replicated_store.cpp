#include "actors/replicated_store.hpp"

#include "actors/shard_context.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace op = storage::op;

namespace {

/// In place of a ticket: the sender has been refused, and this node's own
/// completion of the put tells nobody anything.
constexpr std::uint64_t refused_already = 0;

core::bucket_id bucket_of(const storage::operation& what) {
  return std::visit(
    [](const auto& one) -> core::bucket_id {
      if constexpr (requires { one.user; })
        return core::bucket_of(one.user);
      else
        return 0;
    },
    what);
}

} // namespace

replicated_store::replicated_store(unsigned shard,
                                   const core::replication_rules& rules,
                                   local_store local)
  : shard_(shard), replicator_(rules), local_(std::move(local)) {
}

std::uint64_t replicated_store::next_number() noexcept {
  return std::uint64_t{shard_} << ticket_shift | ++last_number_;
}

void replicated_store::set_ties(cluster_ties_ptr ties, core::mono_time now) {
  ties_ = std::move(ties);
  // Tombstones stay then, until passes have told everybody.
  if (!ties_->view->calm)
    std::erase_if(tickets_, [](const auto& one) { return !one.second.is_put; });
  replicator_.set_view(ties_->view, now, effects_);
  carry_out(ready_);
}

void replicated_store::store(std::uint64_t owner, storage::operation what,
                             core::mono_time now, core::wall_ms wall) {
  if (!ties_)
    return local_(owner, std::move(what));
  if (auto* put = std::get_if<op::put>(&what))
    return store_put(owner, std::move(*put), now);
  if (auto* remove = std::get_if<op::remove>(&what))
    return store_remove(owner, std::move(*remove));
  if (auto* erase = std::get_if<op::erase_device>(&what))
    erase->remember_at = wall;
  const auto bucket = bucket_of(what);
  store_change(owner, std::move(what), bucket);
}

void replicated_store::store_put(std::uint64_t owner, op::put put,
                                 core::mono_time now) {
  const auto number = next_number();
  const auto serverid = put.message->serverid;
  const auto bucket = core::bucket_of(put.message->to);
  auto& kept = tickets_[number];
  kept = {owner, serverid, put, true};
  if (!replicator_.put(number, bucket, serverid, now, effects_)) {
    tickets_.erase(number);
    ready_.push_back({owner, serverid, storage::outcome::full, true});
    return carry_out(ready_);
  }
  puts_[serverid] = number;
  local_(owner, std::move(put));
  carry_out(ready_);
}

void replicated_store::store_remove(std::uint64_t owner, op::remove remove) {
  const auto bucket = core::bucket_of(remove.user);
  // Whoever waits for its copies does not any more.
  if (const auto put = puts_.find(remove.serverid);
      put != puts_.end() && put->second != refused_already) {
    const auto kept = tickets_.find(put->second);
    replicator_.drop(put->second);
    // Its own completion has been kept back for the copies' sake.
    if (kept->second.here)
      ready_.push_back({kept->second.owner, remove.serverid,
                        storage::outcome::annihilated, true});
    tickets_.erase(kept);
    puts_.erase(put);
  }
  const auto number = next_number();
  const auto to = replicator_.remove(number, bucket, effects_);
  if (ties_->view->calm)
    tickets_[number] = {0, remove.serverid, remove, false};
  remove.remember = true;
  for (const auto node : to)
    send(node, ties_->view->calm ? number : 0, remove);
  local_(owner, std::move(remove));
  carry_out(ready_);
}

void replicated_store::store_change(std::uint64_t owner,
                                    storage::operation what,
                                    core::bucket_id bucket) {
  for (const auto node : replicator_.targets(bucket))
    send(node, 0, what);
  local_(owner, std::move(what));
}

void replicated_store::send(core::node_index to, std::uint64_t number,
                            const storage::operation& what) {
  if (to < ties_->links.size())
    tell(ties_->links[to], send_copies{{{number, what}}});
}

void replicated_store::completed(const storage::completion& one,
                                 core::mono_time now,
                                 std::vector<storage::completion>& out) {
  const auto put = one.was_put ? puts_.find(one.serverid) : puts_.end();
  if (put == puts_.end()) {
    out.push_back(one);
    return;
  }
  const auto number = put->second;
  if (number == refused_already) {
    puts_.erase(put);
    return;
  }
  if (one.result == storage::outcome::committed) {
    tickets_[number].here = true;
    replicator_.committed_here(number, now, effects_);
    return carry_out(out);
  }
  // Annihilated by its removal, or not stored at all.
  replicator_.drop(number);
  tickets_.erase(number);
  puts_.erase(put);
  out.push_back(one);
}

void replicated_store::peer_stored(const copies_stored& what,
                                   core::mono_time now,
                                   std::vector<storage::completion>& out) {
  for (const auto number : what.stored)
    if (tickets_.contains(number))
      replicator_.committed(number, what.peer, now, effects_);
  for (const auto number : what.failed)
    if (tickets_.contains(number))
      replicator_.failed(number, what.peer, now, effects_);
  carry_out(out);
}

void replicated_store::tick(core::mono_time now,
                            std::vector<storage::completion>& out) {
  replicator_.tick(now, effects_);
  carry_out(out);
}

std::vector<storage::completion> replicated_store::take_ready() {
  return std::exchange(ready_, {});
}

void replicated_store::refuse(const ticket& which,
                              std::vector<storage::completion>& out) {
  // What is on disks stays: another home may have counted a copy of it by now,
  // and promised it. At worst it comes as a repeat.
  out.push_back({which.owner, which.serverid, storage::outcome::full, true});
}

void replicated_store::carry_out(std::vector<storage::completion>& out) {
  const auto effects = std::exchange(effects_, {});
  for (const auto& effect : effects) {
    const auto number
      = std::visit([](const auto& e) { return e.ticket; }, effect);
    const auto found = tickets_.find(number);
    if (found == tickets_.end())
      continue;
    if (const auto* more = std::get_if<core::replicate::send>(&effect)) {
      for (const auto node : more->to)
        send(node, number, found->second.what);
      continue;
    }
    const auto kept = std::move(found->second);
    tickets_.erase(found);
    if (kept.is_put && std::holds_alternative<core::replicate::refused>(effect)
        && !kept.here)
      puts_[kept.serverid] = refused_already;
    else if (kept.is_put)
      puts_.erase(kept.serverid);
    if (const auto* done = std::get_if<core::replicate::confirmed>(&effect)) {
      storage::completion one{kept.owner, kept.serverid,
                              storage::outcome::committed, true};
      one.copies = static_cast<std::uint8_t>(std::min(done->copies, 100U));
      out.push_back(one);
    } else if (std::holds_alternative<core::replicate::refused>(effect)) {
      refuse(kept, out);
    } else {
      const auto& remove = std::get<op::remove>(kept.what);
      local_(0, op::forget{remove.user, remove.serverid, {}});
    }
  }
}

} // namespace vartalap::actors
