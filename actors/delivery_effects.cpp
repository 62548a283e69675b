// What a delivery does because its mailbox decided so, or another node did.

#include "actors/cluster_messages.hpp"
#include "actors/delivery_actor.hpp"

#include <caf/actor_cast.hpp>

#include <exception>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace effect = core::effect;

namespace {

template <class T>
T* as(core::mailbox_effect& what) noexcept {
  return std::get_if<T>(&what);
}

} // namespace

void delivery_actor::carry_out() {
  auto& effects = context_.effects;
  for (std::size_t i = 0; i < effects.size();) {
    // Runs of the same kind to the same place travel as one message.
    if (auto* first = as<effect::deliver>(effects[i])) {
      const auto to = first->to;
      deliver_batch batch;
      for (; i < effects.size(); ++i) {
        auto* next = as<effect::deliver>(effects[i]);
        if (next == nullptr || next->to != to)
          break;
        batch.items.push_back(std::move(*next));
      }
      batch.from = caf::actor_cast<caf::actor>(this);
      if (auto* where = find(to))
        tell(where->connection, std::move(batch));
      continue;
    }
    if (auto* first = as<effect::confirm>(effects[i])) {
      const auto origin = first->to;
      confirm_batch batch;
      for (; i < effects.size(); ++i) {
        auto* next = as<effect::confirm>(effects[i]);
        if (next == nullptr || next->to != origin)
          break;
        batch.items.push_back(std::move(*next));
      }
      if (!origin)
        continue;
      if (origin_of(origin).connection) {
        tell(origin_of(origin).connection, std::move(batch));
      } else {
        for (const auto& one : batch.items)
          origin_of(origin).confirmed(one);
      }
      continue;
    }
    notify(effects[i]);
    carry_out_storage(effects[i]);
    ++i;
  }
  effects.clear();
  rearm();
}

void delivery_actor::notify(core::mailbox_effect& what) {
  if (auto* refused = as<effect::refuse>(what)) {
    if (!refused->to)
      return;
    const auto origin = refused->to;
    if (origin_of(origin).connection)
      tell(origin_of(origin).connection, refuse_batch{{std::move(*refused)}});
    else
      origin_of(origin).refused(*refused);
  } else if (auto* merged = as<effect::merge>(what)) {
    if (origin_of(merged->to).connection)
      tell(origin_of(merged->to).connection,
           resends_merged{1, origin_of(merged->to).token});
  } else if (auto* gap = as<effect::deliver_gap>(what)) {
    if (auto* where = find(gap->to))
      tell(where->connection, deliver_gap{gap->to, gap->count});
  } else if (auto* close = as<effect::close>(what)) {
    if (auto* where = find(close->which))
      tell(where->connection, close_connection{close->which, close->reason});
  } else if (auto* offline = as<effect::notify_offline>(what)) {
    raise_event(*offline);
  } else if (std::holds_alternative<effect::clear_offline>(what)) {
    tell(context_.node.notifier, user_online{mailbox_.user()});
  }
}

void delivery_actor::carry_out_storage(core::mailbox_effect& what) {
  namespace op = storage::op;
  const auto& user = mailbox_.user();
  if (auto* put = as<effect::store>(what))
    context_.store(owner_, op::put{std::move(put->message),
                                   std::move(put->acked), put->raise_offline});
  else if (auto* remove = as<effect::remove>(what))
    context_.store(owner_, op::remove{user, remove->serverid});
  else if (auto* ack = as<effect::ack_stored>(what))
    context_.store(owner_,
                   op::ack{user, ack->serverid, std::move(ack->device)});
  else if (auto* record = as<effect::put_device>(what))
    context_.store(owner_, op::put_device{user, std::move(record->record)});
  else if (auto* gone = as<effect::erase_device>(what))
    context_.store(owner_, op::erase_device{user, std::move(gone->name),
                                            gone->last_seen,
                                            storage::remembrance::none});
  else if (std::holds_alternative<effect::clear_offline>(what))
    // Nobody waits for it: the mailbox counts it as done at once.
    context_.store(0, op::clear_offline{user});
  else if (auto* fetch = as<effect::fetch>(what))
    start_fetch(std::move(fetch->serverids));
}

void delivery_actor::start_fetch(std::vector<core::server_id> serverids) {
  auto& store = context_.node.store;
  context_.node.workers.post(
    [&store, &log = context_.node.log, user = mailbox_.user(),
     ids = std::move(serverids),
     me = caf::actor_cast<caf::actor>(this)]() mutable {
      messages_fetched result;
      try {
        result.found = store.fetch(user, ids);
      } catch (const std::exception& problem) {
        log_failed_read(log, user, problem);
        result.failed = true;
      }
      result.asked = std::move(ids);
      tell(me, std::move(result));
    });
}

void delivery_actor::on_merge(storage::operation& what) {
  namespace op = storage::op;
  const auto now = context_.now();
  auto& out = context_.effects;
  if (auto* put = std::get_if<op::put>(&what))
    mailbox_.merge(std::move(put->message), put->acked, now, out);
  else if (const auto* remove = std::get_if<op::remove>(&what))
    mailbox_.merge_removal(remove->serverid, now, out);
  else if (const auto* ack = std::get_if<op::ack>(&what))
    mailbox_.ack(ack->device, ack->serverid, now, out);
  else if (const auto* put_device = std::get_if<op::put_device>(&what))
    mailbox_.merge_device(put_device->record, now, out);
  else if (const auto* merged = std::get_if<op::merge_device>(&what))
    mailbox_.merge_device(merged->record, now, out);
  else if (const auto* erase = std::get_if<op::erase_device>(&what))
    mailbox_.merge_device_removal(erase->device, now, out);
  carry_out();
}

void delivery_actor::on_leave() {
  for (const auto& one : attachments_)
    take_written(*one);
  mailbox_.leave(context_.now(), context_.effects);
  // Another node may see no change of homes: where this one is home again
  // before the other hears of anything.
  for (const auto& one : attachments_)
    if (one->came_by.node != 0)
      tell(one->connection, not_home_here{0, one->id});
  attachments_.clear();
  ending_ = true;
  carry_out();
}

} // namespace vartalap::actors
