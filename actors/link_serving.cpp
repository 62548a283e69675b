// The serving side of a link: what the peer wants of this node.

#include "actors/link_actor.hpp"

#include <utility>

namespace vartalap::actors {

namespace {

namespace op = storage::op;
namespace peer = net::peer;

} // namespace

std::uint64_t link_actor::theirs(core::attachment_id mine) const {
  const auto found = theirs_.find(mine);
  return found == theirs_.end() ? 0 : found->second;
}

caf::message_handler link_actor::serving_behavior() {
  return {
    [this](const attached& what) {
      const auto found = there_.find(theirs(what.which));
      if (found == there_.end())
        return;
      found->second.delivery = what.delivery;
      say(peer::attached{found->first});
    },
    [this](deliver_batch& batch) {
      for (auto& one : batch.items)
        if (const auto id = theirs(one.to))
          say(peer::deliver{id, one.ordinal, one.attempt,
                            std::move(one.message)});
    },
    [this](const deliver_gap& what) {
      if (const auto id = theirs(what.to))
        say(peer::gap{id, what.count});
    },
    [this](const close_connection& what) {
      if (const auto id = theirs(what.which))
        say(peer::close{id, what.reason});
    },
    [this](const confirm_batch& batch) {
      for (const auto& one : batch.items)
        say(peer::confirmed{origin_of(one.to).token, one.serverid,
                            one.server_timestamp, one.status, one.durability});
    },
    [this](const refuse_batch& batch) {
      for (const auto& one : batch.items)
        say(peer::refused{origin_of(one.to).token, one.code});
    },
    [this](const resends_merged& what) { say(peer::merged{what.token}); },
    [this](const not_home_here& what) {
      if (what.attachment == 0) {
        say(peer::not_home{what.token, 0});
        return;
      }
      const auto id = theirs(what.attachment);
      theirs_.erase(what.attachment);
      if (there_.erase(id) != 0)
        say(peer::not_home{0, id});
    },
  };
}

void link_actor::heard(peer::submit& what) {
  auto message
    = std::const_pointer_cast<core::envelope>(std::move(what.message));
  auto origin = std::make_shared<submission_origin>();
  origin->connection = me();
  origin->device = std::move(what.own_device);
  origin->token = what.token;
  const auto shard = core::stable_hash(message->to) % run_submits_.size();
  run_submits_[shard].items.push_back({std::move(message), std::move(origin)});
}

void link_actor::hand_over_run() {
  auto& shards = context_.node.shards;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!run_submits_[i].items.empty()) {
      auto batch = std::exchange(run_submits_[i], {});
      batch.from_peer = true;
      tell(shards[i]->router, std::move(batch));
    }
    if (!run_copies_[i].items.empty()) {
      auto batch = std::exchange(run_copies_[i], {});
      batch.done = copies_done_;
      tell(shards[i]->router, std::move(batch));
    }
    if (!run_back_[i].items.empty()) {
      auto back = std::exchange(run_back_[i], {});
      back.peer = settings_.peer;
      tell(shards[i]->router, std::move(back));
    }
  }
}

void link_actor::heard(peer::attach& what) {
  // What was said before about this user goes first.
  hand_over_run();
  auto where = std::make_shared<attachment>();
  where->id = ++context_.node.last_attachment;
  where->user = std::move(what.user);
  where->device = std::move(what.device);
  where->connection = me();
  where->came_by
    = {static_cast<std::uint16_t>(settings_.peer + 1), what.opened};
  theirs_[where->id] = what.attachment;
  auto& one = there_[what.attachment];
  if (one.where) {
    theirs_.erase(one.where->id);
    tell(router_of(one.where->user), detach_device{one.where});
  }
  one = {where, nullptr};
  tell(router_of(where->user), attach_device{where, true});
}

void link_actor::heard(peer::detach& what) {
  const auto found = there_.find(what.attachment);
  if (found == there_.end())
    return;
  const auto where = std::move(found->second.where);
  theirs_.erase(where->id);
  there_.erase(found);
  tell(router_of(where->user), detach_device{where});
}

void link_actor::detach_all() {
  auto all = std::exchange(there_, {});
  theirs_.clear();
  for (const auto& [id, one] : all)
    tell(router_of(one.where->user), detach_device{one.where});
  for (auto& batch : run_submits_)
    batch.items.clear();
  for (auto& batch : run_copies_)
    batch.items.clear();
}

void link_actor::heard(peer::acks& what) {
  acknowledge acks;
  acks.device = std::move(what.device);
  acks.serverids = std::move(what.serverids);
  acks.in_flight = std::move(what.in_flight);
  for (auto& [from, id] : what.named)
    acks.named.push_back({std::move(from), std::move(id)});
  if (what.attachment != 0) {
    const auto found = there_.find(what.attachment);
    if (found == there_.end() || !found->second.delivery)
      return; // The client acknowledges again what comes again.
    acks.connection = found->second.where->id;
    return tell(found->second.delivery, std::move(acks));
  }
  acks.user = what.user;
  const auto token = what.token;
  acks.answer = [self = me(), token](std::uint64_t n) {
    tell(self, tell_peer{peer::counted{token, n}});
  };
  acks.not_home = [self = me(), token] {
    tell(self, tell_peer{peer::not_home{token, 0}});
  };
  tell(router_of(what.user), std::move(acks));
}

void link_actor::heard(peer::written& what) {
  const auto found = there_.find(what.attachment);
  if (found == there_.end())
    return;
  auto& to = *found->second.where;
  const auto when
    = context_.home.now()
      - core::microseconds{static_cast<std::int64_t>(what.age_us)};
  to.written_at.store(when.time_since_epoch().count(),
                      std::memory_order_relaxed);
  to.written.store(what.ordinal, std::memory_order_release);
}

void link_actor::heard(peer::list& what) {
  list_pending ask;
  ask.user = what.user;
  ask.device = std::move(what.device);
  ask.limit = what.limit;
  ask.bytes_max = what.bytes_max;
  const auto token = what.token;
  ask.answer = [self = me(), token](pending_page page) {
    tell(self, tell_peer{peer::page{token, page.more, page.failed,
                                    page.too_many_devices,
                                    std::move(page.messages)}});
  };
  ask.not_home = [self = me(), token] {
    tell(self, tell_peer{peer::not_home{token, 0}});
  };
  tell(router_of(what.user), std::move(ask));
}

void link_actor::heard(peer::change_device& what) {
  change_device change{what.user, what.device, what.remove, true};
  if (what.sets_push)
    change.push = std::move(what.push);
  tell(router_of(what.user), std::move(change));
}

void link_actor::heard(peer::inspect& what) {
  inspect_user ask;
  ask.user = what.user;
  const auto token = what.token;
  ask.answer = [self = me(), token](core::mailbox::inspection seen) {
    tell(self, tell_peer{peer::inspected{token, std::move(seen)}});
  };
  ask.not_home = [self = me(), token] {
    tell(self, tell_peer{peer::not_home{token, 0}});
  };
  tell(router_of(what.user), std::move(ask));
}

void link_actor::store_copy(const std::string& user, std::uint64_t ticket,
                            storage::operation what) {
  const auto shard = core::stable_hash(user) % run_copies_.size();
  run_copies_[shard].items.push_back({ticket, std::move(what)});
}

void link_actor::heard(peer::copy_put& what) {
  const auto user = what.message->to;
  store_copy(user, what.ticket,
             op::put{std::move(what.message), std::move(what.acked),
                     what.raise_offline});
}

void link_actor::heard(peer::copy_remove& what) {
  op::remove remove;
  remove.user = what.user;
  remove.serverid = what.serverid;
  if (what.remember)
    remove.remember = storage::remembrance::if_held;
  store_copy(what.user, what.ticket, std::move(remove));
}

void link_actor::heard(peer::copy_ack& what) {
  store_copy(what.user, what.ticket,
             op::ack{what.user, what.serverid, std::move(what.device)});
}

void link_actor::heard(peer::copy_device& what) {
  store_copy(what.user, what.ticket,
             op::merge_device{what.user, std::move(what.record)});
}

void link_actor::heard(peer::copy_erase_device& what) {
  op::erase_device erase;
  erase.user = what.user;
  erase.device = std::move(what.device);
  erase.at = what.at;
  erase.remember = what.remember ? storage::remembrance::if_held
                                 : storage::remembrance::none;
  store_copy(what.user, what.ticket, std::move(erase));
}

void link_actor::heard(peer::copy_clear_offline& what) {
  store_copy(what.user, what.ticket, op::clear_offline{what.user});
}

void link_actor::heard(peer::cluster& what) {
  // Whatever was copied before it is to be under way before it.
  hand_over_run();
  tell(context_.node.cluster,
       cluster_speaks{settings_.peer, std::move(what.what)});
}

} // namespace vartalap::actors
