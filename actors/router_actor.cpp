#include "actors/router_actor.hpp"

#include "actors/delivery_actor.hpp"
#include "actors/records_actor.hpp"
#include "core/group.hpp"

#include <utility>
#include <vector>

namespace vartalap::actors {

router_actor::router_actor(caf::actor_config& config, shard_context& context)
  : pinned_actor(config, context.home), context_(context) {
}

router_actor::~router_actor() = default;

router_actor::entry& router_actor::find_or_start(std::string_view user) {
  const auto [at, is_new] = table_.try_emplace(std::string(user));
  if (is_new) {
    at->second.delivery
      = core::is_internal_name(user)
          ? start_records(*this, context_, std::string(user))
          : start_delivery(*this, context_, std::string(user));
    if (!by_bucket_.empty())
      by_bucket_[core::bucket_of(user)].push_back(&*at);
  }
  return at->second;
}

void router_actor::erase(table::iterator which) {
  if (!by_bucket_.empty())
    std::erase(by_bucket_[core::bucket_of(which->first)], &*which);
  table_.erase(which);
}

void router_actor::route(submit& batch) {
  if (batch.items.empty())
    return;
  if (ties_)
    route_around(batch);
  else
    route_here(batch);
}

void router_actor::route_here(submit& batch) {
  // One sender's run mostly goes to one recipient: then it goes on as it is.
  auto& items = batch.items;
  const auto& first = items.front().message->to;
  bool all_alike = true;
  for (const auto& item : items)
    all_alike = all_alike && item.message->to == first;
  if (all_alike) {
    const std::string user = first;
    return forward(user, std::move(batch));
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].message)
      continue;
    const std::string user = items[i].message->to;
    submit part;
    for (auto j = i; j < items.size(); ++j)
      if (items[j].message && items[j].message->to == user)
        part.items.push_back(std::exchange(items[j], {}));
    forward(user, std::move(part));
  }
}

void router_actor::on_idle(const mailbox_idle& idle) {
  const auto found = table_.find(idle.user);
  // What was sent since it looked is still on its way to it: it stays.
  if (found == table_.end() || found->second.forwarded != idle.handled)
    return;
  tell(found->second.delivery, retire{});
  erase(found);
  released_one(idle.user);
  if (ending_ && table_.empty())
    finish_ending();
}

void router_actor::finish_ending() {
  auto ended = std::exchange(ending_, nullptr);
  context_.home.timers().cancel(*this);
  context_.deliveries.erase(owner_);
  ended();
  quit();
}

void router_actor::on_end(end_deliveries& what) {
  ending_ = std::move(what.done);
  if (table_.empty())
    return finish_ending();
  for (auto& [user, one] : table_) {
    ++one.forwarded;
    tell(one.delivery, end_deliveries{});
  }
}

void router_actor::on_expired(messages_expired& what) {
  // Where no delivery runs there is nothing in memory to correct.
  const auto found = table_.find(what.user);
  if (found == table_.end())
    return;
  ++found->second.forwarded;
  tell(found->second.delivery, std::move(what));
}

void router_actor::on_block(set_block& what) {
  // One that starts later finds it on disk.
  const auto found = table_.find(what.user);
  if (found == table_.end())
    return;
  ++found->second.forwarded;
  tell(found->second.delivery, std::move(what));
}

caf::behavior router_actor::make_behavior() {
  auto alone = caf::message_handler{
    [this](submit& batch) { route(batch); },
    [this](acknowledge& what) { direct(what.user, what); },
    [this](attach_device& what) { attach(what); },
    [this](detach_device& what) { detach(what); },
    [this](mailbox_idle& idle) { on_idle(idle); },
    [this](list_pending& what) { direct(what.user, what); },
    [this](change_device& what) { direct(what.user, what); },
    [this](inspect_user& what) { direct(what.user, what); },
    [this](look_for_push& what) { on_push(what); },
    [this](drop_push_target& what) { on_push(what); },
    [this](messages_expired& what) { on_expired(what); },
    [this](set_block& what) { on_block(what); },
    [this](look_for_outgoing) { look_for_groups(); },
    [this](resume_outgoing& what) { resume(what); },
    [this](end_deliveries& what) { on_end(what); },
  };
  return alone.or_else(cluster_behavior());
}

} // namespace vartalap::actors
