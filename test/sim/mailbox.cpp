#include "test/sim/mailbox.hpp"

#include "test/sim/world.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::sim {

void mailbox::open(const std::vector<stored>& messages,
                   const std::vector<core::device_record>& devices) {
  is_open_ = true;
  for (const auto& each : devices)
    merge_device(each);
  for (const auto& each : messages)
    merge(each);
  finish_acknowledged();
  for (const auto& each : std::exchange(waiting_, {}))
    handle(each);
}

void mailbox::handle(const request& what) {
  if (!is_open_) {
    waiting_.push_back(what);
    return;
  }
  switch (what.what) {
    case request::kind::message:
      receive(what);
      return;
    case request::kind::attach:
      attach(what.from);
      return;
    case request::kind::acknowledge:
      acknowledge(what.serverid, what.from.device);
      return;
    case request::kind::leave:
      leave(what.from.device);
      return;
  }
}

void mailbox::receive(const request& what) {
  if (finished_.contains(what.number)) {
    port_->answer(what, true);
    return;
  }
  if (const auto known = pending_.find(what.number); known != pending_.end()) {
    auto& each = entries_.at(known->second);
    if (each.confirmed) {
      port_->answer(what, true);
      return;
    }
    each.wait.push_back(what);
    if (each.ticket == 0)
      replicate(each); // found on disk: nobody knows on how many others it is
    return;
  }
  entry fresh;
  fresh.message = {user_, what.from.user, what.number, port_->next_id(), 0};
  fresh.wait.push_back(what);
  const auto serverid = fresh.message.serverid;
  auto& each = entries_.emplace(serverid, std::move(fresh)).first->second;
  pending_.emplace(what.number, serverid);
  replicate(each);
  const auto at = entries_.find(serverid);
  if (at == entries_.end())
    return;
  for (const auto& [device, who] : sessions_)
    deliver(who, at->second.message);
}

void mailbox::replicate(entry& each) {
  if (port_->replicate(user_, each.message, each.ticket)) {
    each.stored_once = true;
    return;
  }
  each.ticket = 0;
  for (const auto& waits : std::exchange(each.wait, {}))
    port_->answer(waits, false);
  // It is kept where it may be stored: it may have been counted elsewhere.
  if (each.stored_once)
    return;
  pending_.erase(each.message.number);
  entries_.erase(each.message.serverid);
}

void mailbox::settled(server_id serverid, bool ok) {
  const auto at = entries_.find(serverid);
  if (at == entries_.end())
    return;
  auto& each = at->second;
  each.ticket = 0;
  if (ok) {
    each.confirmed = true;
    remove_replaced(each);
    port_->confirmed(each.message, false);
  }
  for (const auto& waits : std::exchange(each.wait, {}))
    port_->answer(waits, ok);
}

void mailbox::merge(const stored& what) {
  if (!is_open_ || removing_.contains(what.serverid))
    return; // it will be read; it is on its way out
  if (const auto at = entries_.find(what.serverid); at != entries_.end()) {
    at->second.message.acks |= what.acks;
    finish_if_acknowledged(what.serverid);
    return;
  }
  auto late = what;
  if (!meet_twin(late))
    adopt(late);
}

/// The rules of core::mailbox::merge.
bool mailbox::meet_twin(stored& late) {
  if (const auto done = finished_.find(late.number); done != finished_.end()) {
    if (done->second < late.serverid)
      return false;
    remove(late.serverid);
    return true;
  }
  const auto known = pending_.find(late.number);
  if (known == pending_.end())
    return false;
  const auto id = known->second;
  auto& twin = entries_.at(id);
  if (!twin.wait.empty())
    return false;
  if (late.serverid < id) {
    twin.replaces.push_back(late.serverid);
    twin.message.acks |= late.acks;
    if (twin.ticket == 0)
      remove_replaced(twin);
    finish_if_acknowledged(id);
    return true;
  }
  late.acks |= twin.message.acks;
  remove_replaced(twin);
  const auto ticket = twin.ticket;
  pending_.erase(known);
  entries_.erase(id);
  removing_.insert(id);
  port_->remove(user_, id, ticket);
  return false;
}

void mailbox::adopt(const stored& what) {
  entry fresh;
  fresh.message = what;
  fresh.stored_once = true;
  const auto newest = delivered_.find(what.from);
  const bool is_late = newest != delivered_.end()
                       && what.serverid.high <= newest->second;
  if (is_late) {
    fresh.message.serverid = port_->next_id();
    fresh.replaces.push_back(what.serverid);
  }
  const auto id = fresh.message.serverid;
  auto& each = entries_.emplace(id, std::move(fresh)).first->second;
  pending_.emplace(what.number, id);
  if (is_late)
    replicate(each);
  if (finish_if_acknowledged(id))
    return;
  for (const auto& [device, who] : sessions_)
    if ((what.acks & (1U << device)) == 0)
      deliver(who, each.message);
}

void mailbox::remove(server_id serverid) {
  removing_.insert(serverid);
  port_->remove(user_, serverid, 0);
}

void mailbox::remove_replaced(entry& each) {
  for (const auto id : std::exchange(each.replaces, {}))
    remove(id);
}

void mailbox::deliver(const session& who, const stored& what) {
  auto& newest = delivered_[what.from];
  newest = std::max(newest, what.serverid.high);
  port_->deliver(who, what);
}

void mailbox::erase(server_id serverid) {
  removing_.erase(serverid);
  const auto at = entries_.find(serverid);
  if (at == entries_.end())
    return;
  for (const auto& waits : at->second.wait)
    port_->answer(waits, false);
  if (const auto known = pending_.find(at->second.message.number);
      known != pending_.end() && known->second == serverid)
    pending_.erase(known);
  entries_.erase(at);
}

void mailbox::merge_device(const core::device_record& record) {
  devices_ |= 1U << user_number(record.name);
  records_[user_number(record.name)] = record;
}

std::vector<core::device_record> mailbox::devices() const {
  std::vector<core::device_record> out;
  for (const auto& [device, record] : records_)
    if ((devices_ & (1U << device)) != 0)
      out.push_back(record);
  return out;
}

void mailbox::erase_device(const std::string& name) {
  devices_ &= ~(1U << user_number(name));
  sessions_.erase(user_number(name));
  if (is_open_)
    finish_acknowledged();
}

void mailbox::lose(node_index peer) {
  std::erase_if(sessions_,
                [&](const auto& each) { return each.second.at == peer; });
}

void mailbox::deliver_again() {
  for (auto& [serverid, each] : entries_) {
    if (++each.age < 4)
      continue;
    each.age = 0;
    for (const auto& [device, who] : sessions_)
      if ((each.message.acks & (1U << device)) == 0)
        deliver(who, each.message);
  }
}

bool mailbox::is_settled() const {
  if (!is_open_)
    return waiting_.empty();
  for (const auto& [serverid, each] : entries_)
    if (each.ticket != 0)
      return false;
  return true;
}

std::vector<std::uint64_t> mailbox::end() {
  std::vector<std::uint64_t> out;
  for (const auto& [serverid, each] : entries_)
    if (each.ticket != 0)
      out.push_back(each.ticket);
  for (const auto& [device, who] : sessions_)
    port_->reattach(who);
  for (const auto& each : waiting_)
    if (each.what == request::kind::attach)
      port_->reattach(each.from);
  return out;
}

void mailbox::attach(const session& who) {
  const auto known = sessions_.find(who.device);
  if (known != sessions_.end() && known->second.number > who.number)
    return; // an older connection of the device
  const bool fresh = known == sessions_.end()
                     || known->second.number != who.number;
  sessions_[who.device] = who;
  if ((devices_ & (1U << who.device)) == 0) {
    merge_device(port_->put_device(user_, who.device));
  }
  if (!fresh)
    return;
  for (const auto& [serverid, each] : entries_)
    if ((each.message.acks & (1U << who.device)) == 0)
      deliver(who, each.message);
}

void mailbox::acknowledge(server_id serverid, std::uint32_t device) {
  const auto at = entries_.find(serverid);
  if (at == entries_.end() || (at->second.message.acks & (1U << device)) != 0)
    return;
  at->second.message.acks |= 1U << device;
  if (!finish_if_acknowledged(serverid))
    port_->acknowledge(user_, serverid, device);
}

void mailbox::leave(std::uint32_t device) {
  if ((devices_ & (1U << device)) == 0)
    return;
  devices_ &= ~(1U << device);
  sessions_.erase(device);
  port_->remove_device(user_, device);
  finish_acknowledged();
}

void mailbox::finish_acknowledged() {
  std::vector<server_id> all;
  for (const auto& [serverid, each] : entries_)
    all.push_back(serverid);
  for (const auto serverid : all)
    finish_if_acknowledged(serverid);
}

/// @returns True: every known device has it, it is gone.
bool mailbox::finish_if_acknowledged(server_id serverid) {
  const auto at = entries_.find(serverid);
  const auto& acks = at->second.message.acks;
  if (acks == 0 || (devices_ & ~acks) != 0 || !port_->knows_devices(user_))
    return false;
  auto gone = std::move(at->second);
  entries_.erase(at);
  if (const auto known = pending_.find(gone.message.number);
      known != pending_.end() && known->second == serverid)
    pending_.erase(known);
  finished_[gone.message.number] = serverid;
  remove_replaced(gone);
  removing_.insert(serverid);
  if (!gone.confirmed && !gone.wait.empty()) {
    port_->confirmed(gone.message, true);
    for (const auto& waits : gone.wait)
      port_->answer(waits, true);
  }
  port_->remove(user_, serverid, gone.ticket);
  return true;
}

} // namespace vartalap::sim
