// The asking side of a link: what this node wants of the peer.

#include "actors/link_actor.hpp"
#include "actors/replicated_store.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace {

namespace op = storage::op;
namespace peer = net::peer;

/// Copies that wait until a link is up for the first time.
constexpr std::size_t early_max = 10'000;

template <class T>
T* as(net::peer_message& what) noexcept {
  return std::get_if<T>(&what);
}

/// The item that has a peer carry out an operation.
net::peer_message to_item(copy_item& item) {
  const auto ticket = item.ticket;
  if (auto* put = std::get_if<op::put>(&item.what))
    return peer::copy_put{ticket, put->raise_offline, std::move(put->acked),
                          put->message};
  if (auto* remove = std::get_if<op::remove>(&item.what))
    return peer::copy_remove{ticket, remove->user, remove->serverid,
                             remove->remember != storage::remembrance::none};
  if (auto* ack = std::get_if<op::ack>(&item.what))
    return peer::copy_ack{ticket, ack->user, ack->serverid, ack->device};
  if (auto* put = std::get_if<op::put_device>(&item.what))
    return peer::copy_device{ticket, put->user, put->record};
  if (auto* erase = std::get_if<op::erase_device>(&item.what))
    return peer::copy_erase_device{
      ticket, erase->user, erase->device, erase->at,
      erase->remember != storage::remembrance::none};
  if (auto* clear = std::get_if<op::clear_offline>(&item.what))
    return peer::copy_clear_offline{ticket, clear->user};
  // Tombstones, merged records and barriers concern this disk alone.
  return peer::stored{};
}

} // namespace

caf::message_handler link_actor::asking_behavior() {
  return {
    [this](submit& batch) { ask(batch); },
    [this](acknowledge& what) { ask(what); },
    [this](list_pending& what) { ask(what); },
    [this](inspect_user& what) { ask(what); },
    [this](change_device& what) {
      say(peer::change_device{what.user, what.device, what.remove,
                              what.push.has_value(),
                              what.push.value_or(core::push_target{})});
    },
    [this](const attach_device& what) {
      const auto& where = what.where;
      if (!say(peer::attach{where->id, where->user, where->device,
                            where->came_by.opened}))
        return tell(router_of(where->user),
                    attach_again{where, settings_.peer});
      here_[where->id] = {where};
    },
    [this](const detach_device& what) {
      if (here_.erase(what.where->id) != 0)
        say(peer::detach{what.where->id});
    },
    [this](send_copies& what) {
      for (auto& item : what.items)
        send_copy(item);
    },
    [this](tell_peer& what) {
      if (what.session == 0 || what.session == session_)
        say(what.what);
    },
  };
}

void link_actor::ask(submit& batch) {
  // Nodes may have other numbers by the time a link that ends is asked. And a
  // link that was never up is not lost: no change of the view is to come, which
  // would tell the routers that it is there again.
  given_back refused{settings_.peer, !ending_ && sessions_ != 0, {}};
  for (auto& item : batch.items) {
    if (state_ != state::up) {
      ++given_back_;
      refused.items.push_back(std::move(item));
      continue;
    }
    const auto token = first_asked_ + asked_.size();
    const auto is_own = item.message->from == item.message->to && item.origin;
    peer::submit request{token,
                         is_own ? origin_of(item.origin).device : std::string{},
                         item.message};
    asked_.push_back(std::move(item));
    // Where this ends the session, what was asked is given back with the rest.
    say(request);
  }
  if (!refused.items.empty()) {
    // A batch comes from one router.
    const auto user = refused.items.front().message->to;
    tell(router_of(user), std::move(refused));
  }
}

submission link_actor::take_asked(std::uint64_t token) {
  if (token < first_asked_ || token - first_asked_ >= asked_.size())
    return {};
  auto out = std::exchange(asked_[token - first_asked_], {});
  while (!asked_.empty() && !asked_.front().message) {
    asked_.pop_front();
    ++first_asked_;
  }
  return out;
}

void link_actor::ask(acknowledge& what) {
  peer::acks request;
  request.attachment = what.connection;
  request.user = what.user;
  request.device = what.device;
  request.serverids = what.serverids;
  request.in_flight = what.in_flight;
  for (const auto& one : what.named)
    request.named.emplace_back(one.from, one.id);
  if (what.connection != 0) {
    // Of this connection alone: the others' turn comes with the tick.
    const auto here = here_.find(what.connection);
    if (here == here_.end() || report_written(here->first, here->second))
      say(request);
    return;
  }
  request.token = ++last_question_;
  auto kept = std::make_shared<acknowledge>(std::move(what));
  questions_[request.token]
    = {[kept](net::peer_message& answer) {
         if (const auto* n = as<peer::counted>(answer); n && kept->answer)
           kept->answer(n->pending);
       },
       [this, kept] { tell(router_of(kept->user), std::move(*kept)); }};
  if (!say(request) && questions_.contains(request.token))
    answer(request.token, peer::not_home{request.token, 0});
}

void link_actor::ask(list_pending& what) {
  const auto token = ++last_question_;
  peer::list request{token, what.user, what.device, what.limit, what.bytes_max};
  auto kept = std::make_shared<list_pending>(std::move(what));
  questions_[token]
    = {[kept](net::peer_message& answer) {
         if (auto* got = as<peer::page>(answer)) {
           pending_page page;
           page.messages = std::move(got->messages);
           page.more = got->more;
           page.failed = got->failed;
           page.too_many_devices = got->too_many_devices;
           kept->answer(std::move(page));
         }
       },
       [this, kept] { tell(router_of(kept->user), std::move(*kept)); }};
  if (!say(request) && questions_.contains(token))
    answer(token, peer::not_home{token, 0});
}

void link_actor::ask(inspect_user& what) {
  const auto token = ++last_question_;
  peer::inspect request{token, what.user};
  auto kept = std::make_shared<inspect_user>(std::move(what));
  questions_[token]
    = {[kept](net::peer_message& answer) {
         if (auto* got = as<peer::inspected>(answer))
           kept->answer(std::move(got->what));
       },
       [this, kept] { tell(router_of(kept->user), std::move(*kept)); }};
  if (!say(request) && questions_.contains(token))
    answer(token, peer::not_home{token, 0});
}

void link_actor::answer(std::uint64_t token, net::peer_message what) {
  const auto found = questions_.find(token);
  if (found == questions_.end())
    return;
  const auto asked = std::move(found->second);
  questions_.erase(found);
  if (std::holds_alternative<peer::not_home>(what))
    asked.again();
  else
    asked.answered(what);
}

void link_actor::send_copy(copy_item& item) {
  if (state_ != state::up)
    return keep_early(to_item(item));
  say(to_item(item));
}

/// Where a link went down nobody hears of it: the view says so, and the
/// replicator turns to others. A link that was never up yet may stand in the
/// place of one that was: the view calls its peer live.
void link_actor::keep_early(net::peer_message what) {
  if (sessions_ != 0 || ending_ || context_.home.now() >= early_until_)
    return early_.clear();
  if (early_.size() < early_max)
    early_.push_back(std::move(what));
}

void link_actor::send_early() {
  const bool in_time = context_.home.now() < early_until_;
  for (const auto& each : std::exchange(early_, {}))
    if (in_time)
      say(each);
}

void link_actor::give_back_all() {
  auto& shards = context_.node.shards;
  std::vector<given_back> back(shards.size());
  for (auto& item : asked_) {
    if (!item.message)
      continue;
    ++given_back_;
    const auto shard = core::stable_hash(item.message->to) % shards.size();
    back[shard].items.push_back(std::move(item));
  }
  first_asked_ += asked_.size();
  asked_.clear();
  here_.clear();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    back[i].peer = settings_.peer;
    back[i].lost = true;
    tell(shards[i]->router, std::move(back[i]));
  }
  const auto questions = std::exchange(questions_, {});
  for (const auto& [token, asked] : questions)
    asked.again();
}

void link_actor::report_written() {
  for (auto& [id, one] : here_)
    if (!report_written(id, one))
      return;
}

bool link_actor::report_written(core::attachment_id id, connection_here& one) {
  const auto ordinal = one.where->written.load(std::memory_order_acquire);
  if (ordinal == one.reported)
    return true;
  one.reported = ordinal;
  const auto age = std::max(core::microseconds{0},
                            context_.home.now() - one.where->written_time());
  return say(
    peer::written{id, ordinal, static_cast<std::uint64_t>(age.count())});
}

void link_actor::heard(peer::confirmed& what) {
  auto asked = take_asked(what.token);
  if (!asked.message || !asked.origin)
    return;
  const auto origin = asked.origin;
  core::effect::confirm how{origin,        std::move(asked.message),
                            what.serverid, what.server_timestamp,
                            what.status,   what.durability};
  if (origin_of(origin).connection)
    tell(origin_of(origin).connection, confirm_batch{{std::move(how)}});
  else
    origin_of(origin).confirmed(how);
}

void link_actor::heard(peer::refused& what) {
  auto asked = take_asked(what.token);
  if (!asked.message || !asked.origin)
    return;
  const auto origin = asked.origin;
  core::effect::refuse why{origin, std::move(asked.message), what.code};
  if (origin_of(origin).connection)
    tell(origin_of(origin).connection, refuse_batch{{std::move(why)}});
  else
    origin_of(origin).refused(why);
}

void link_actor::heard(peer::merged& what) {
  const auto asked = take_asked(what.token);
  if (asked.origin && origin_of(asked.origin).connection)
    tell(origin_of(asked.origin).connection, resends_merged{1});
}

void link_actor::heard(peer::not_home& what) {
  if (what.attachment != 0) {
    const auto found = here_.find(what.attachment);
    if (found == here_.end())
      return;
    const auto where = found->second.where;
    here_.erase(found);
    return tell(router_of(where->user), attach_again{where, settings_.peer});
  }
  if (questions_.contains(what.token))
    return answer(what.token, what);
  auto asked = take_asked(what.token);
  if (!asked.message)
    return;
  ++given_back_;
  const auto shard = core::stable_hash(asked.message->to) % run_back_.size();
  run_back_[shard].items.push_back(std::move(asked));
}

void link_actor::heard(peer::attached& what) {
  if (const auto found = here_.find(what.attachment); found != here_.end())
    tell(found->second.where->connection, attached{me(), what.attachment});
}

void link_actor::heard(peer::deliver& what) {
  const auto found = here_.find(what.attachment);
  if (found == here_.end())
    return;
  deliver_batch batch;
  batch.items.push_back(
    {what.attachment, std::move(what.message), what.attempt, what.ordinal});
  batch.from = me();
  tell(found->second.where->connection, std::move(batch));
}

void link_actor::heard(peer::gap& what) {
  if (const auto found = here_.find(what.attachment); found != here_.end())
    tell(found->second.where->connection,
         deliver_gap{what.attachment, what.count});
}

void link_actor::heard(peer::close& what) {
  if (const auto found = here_.find(what.attachment); found != here_.end())
    tell(found->second.where->connection,
         close_connection{what.attachment, what.reason});
}

void link_actor::heard(peer::page& what) {
  answer(what.token, std::move(what));
}

void link_actor::heard(peer::inspected& what) {
  answer(what.token, std::move(what));
}

void link_actor::heard(peer::counted& what) {
  answer(what.token, what);
}

void link_actor::heard(peer::stored& what) {
  std::vector<copies_stored> by_shard(context_.node.shards.size());
  copies_stored clusters;
  const auto place = [&](std::uint64_t ticket) -> copies_stored* {
    const auto owner = ticket >> ticket_shift;
    if (owner == cluster_tickets)
      return &clusters;
    return owner < by_shard.size() ? &by_shard[owner] : nullptr;
  };
  for (const auto ticket : what.tickets)
    if (auto* to = place(ticket))
      to->stored.push_back(ticket);
  for (const auto ticket : what.failed) {
    if (auto* to = place(ticket))
      to->failed.push_back(ticket);
    // Whatever it was, the peer lacks it now.
    clusters.failed.push_back(ticket);
  }
  for (std::size_t i = 0; i < by_shard.size(); ++i)
    if (!by_shard[i].stored.empty() || !by_shard[i].failed.empty()) {
      by_shard[i].peer = settings_.peer;
      tell(context_.node.shards[i]->router, std::move(by_shard[i]));
    }
  if (!clusters.stored.empty() || !clusters.failed.empty()) {
    clusters.peer = settings_.peer;
    tell(context_.node.cluster, std::move(clusters));
  }
}

} // namespace vartalap::actors
