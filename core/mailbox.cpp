#include "core/mailbox.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

namespace vartalap::core {

namespace {

// A long connection tells the disk now and then that it is still there, so
// that a crash does not make its device look long unseen.
constexpr wall_ms last_seen_refresh = 12ULL * 3600 * 1000;

constexpr std::chrono::hours age_max{24 * 365};

// `disk+N` counts up from `disk`; `written` says nothing of other nodes.
durability with_copies(durability base, unsigned copies) noexcept {
  constexpr unsigned copies_max = 100;
  if (base != durability::disk) {
    return base;
  }
  return static_cast<durability>(static_cast<unsigned>(base)
                                 + std::min(copies, copies_max));
}

} // namespace

mailbox::mailbox(std::string user, mailbox_context& context)
  : user_(std::move(user)), context_(context), user_hash_(stable_hash(user_)) {
}

mailbox::~mailbox() {
  auto& counters = context_.counters;
  for (auto& entry : entries_.all()) {
    if (entry.gone) {
      continue;
    }
    // What was never confirmed is not known to be anywhere: its resend is to
    // be a new message.
    if (entry.confirmed) {
      context_.dedupe.release(entry.key, entry.received, entry.received);
    } else {
      context_.dedupe.erase(entry.key);
    }
  }
  for (const auto& device : devices_) {
    if (device.trouble) {
      counters.stuck -= device.trouble->stuck.size();
    }
  }
  counters.closed_pending += entries_.size();
  counters.pending -= entries_.size();
  counters.memory_bytes -= memory_bytes_;
}

void mailbox::open(mailbox_snapshot snapshot, instant now) {
  assert(entries_.empty() && devices_.empty());
  auto& known = snapshot.devices;
  std::stable_sort(known.begin(), known.end(),
                   [](auto& a, auto& b) { return a.last_seen > b.last_seen; });
  known.resize(std::min(known.size(), devices_max));
  for (auto& record : known) {
    auto& device = devices_.emplace_back();
    device.slot = static_cast<std::uint8_t>(devices_.size() - 1);
    device.record = {std::move(record.name), record.last_seen,
                     record.cancelled_upto, record.gap_count};
    if (const auto& push = record.push.get(); push != push_target{}) {
      elsewhere().pushes[device.slot] = push;
    }
  }
  std::sort(snapshot.pending.begin(), snapshot.pending.end(),
            [](auto& a, auto& b) { return a.serverid < b.serverid; });
  entries_.reserve(snapshot.pending.size());
  for (const auto& record : snapshot.pending) {
    entries_.push_back(adopt(record, now));
  }
  for (const auto& sender : snapshot.blocked) {
    block(sender, true);
  }
  // An event of messages that have gone with it must not hide the next one.
  offline_raised_ = snapshot.offline_raised && waking_ > 0;
  context_.counters.pending_at_open += entries_.size();
  context_.counters.pending += entries_.size();
}

mailbox_entry mailbox::adopt(const pending_record& record, instant now) {
  mailbox_entry entry;
  entry.serverid = record.serverid;
  entry.key = salted(record.key);
  entry.sender_hash = record.sender_hash;
  const milliseconds age{
    now.wall > record.server_timestamp
      ? static_cast<milliseconds::rep>(now.wall - record.server_timestamp)
      : 0};
  entry.received = now.mono - std::min<microseconds>(age, age_max);
  entry.weight = record.weight;
  entry.tier = storage_tier::durable;
  entry.confirmed = true;
  entry.adopted = true;
  entry.delivered = !record.acked.empty();
  if (entry.delivered) {
    note_delivered(record.sender_hash, record.serverid);
  }
  entry.wakes = record.type == message_type::message;
  for (const auto& name : record.acked) {
    if (const auto* device = find_device(name)) {
      entry.acked |= device->bit();
    }
  }
  if (const auto* seen = context_.dedupe.find(entry.key);
      seen == nullptr || seen->serverid != record.serverid
      || !seen->confirmed) {
    context_.dedupe.insert(
      entry.key, {record.serverid, record.server_timestamp, record.content_hash,
                  !context_.needs_copies,
                  entry.delivered ? ack_status::delivered : ack_status::stored,
                  context_.stored_as});
  } else {
    const auto kept = *seen;
    context_.dedupe.insert(entry.key, kept);
  }
  context_.ids.observe(record.serverid);
  pending_bytes_ += entry.weight;
  waking_ += entry.wakes ? 1 : 0;
  if (!is_owed(entry)) {
    // A crash came between the last acknowledgement and the removal. `open`
    // has no effects to give, so the first timer removes it.
    has_unowed_ = true;
    wake_at(now.mono);
  }
  return entry;
}

bool mailbox::ack(std::string_view device, server_id serverid, instant now,
                  mailbox_effects& out) {
  auto* by = find_device(device);
  auto* entry = by == nullptr ? nullptr : entries_.find(serverid);
  if (entry == nullptr || !by->owes(*entry)) {
    return false;
  }
  acknowledge(*by, *entry, now, out);
  entries_.compact();
  return true;
}

bool mailbox::ack_by_id(std::string_view device, std::string_view from,
                        std::string_view id, instant now,
                        mailbox_effects& out) {
  const auto* by = find_device(device);
  if (by == nullptr) {
    return false;
  }
  const auto key = salted(make_dedupe_key(from, user_, id));
  if (const auto* known = context_.dedupe.find(key)) {
    return ack(device, known->serverid, now, out);
  }
  // A group's message has the group as `to`: look through what the device
  // was sent.
  for (const auto& x : by->flights) {
    const auto* entry = entries_.find(x.serverid);
    if (entry != nullptr && entry->message && entry->message->id == id
        && entry->message->from == from) {
      return ack(device, x.serverid, now, out);
    }
  }
  return false;
}

bool mailbox::ack_in_flight(attachment_id connection, std::string_view id,
                            instant now, mailbox_effects& out) {
  const auto* by = find_connection(connection);
  if (by == nullptr) {
    return false;
  }
  // The one that was sent first, where several senders chose the same id:
  // the client answers each.
  for (const auto& x : by->flights) {
    const auto* entry = entries_.find(x.serverid);
    if (entry != nullptr && entry->message && entry->message->id == id) {
      return ack(by->record.name, x.serverid, now, out);
    }
  }
  return false;
}

void mailbox::acknowledge(mailbox_device& device, mailbox_entry& entry,
                          instant now, mailbox_effects& out) {
  context_.counters.stuck -= device.acknowledged(entry.serverid, now.mono);
  entry.acked |= device.bit();
  entry.delivered = true;
  if (!is_owed(entry)) {
    finish(entry, ending::acknowledged, now, out);
  } else {
    if (entry.tier != storage_tier::memory) {
      ++operations_;
      out.emplace_back(effect::ack_stored{entry.serverid, device.record.name});
    }
    drop_if_unneeded(entry);
  }
  if (now.wall > device.record.last_seen + last_seen_refresh) {
    device.record.last_seen = now.wall;
    put_device(device, out);
  }
  pump(device, now, out);
}

void mailbox::written(attachment_id connection, std::uint64_t ordinal,
                      mono_time when) noexcept {
  auto* device = find_connection(connection);
  if (device == nullptr || ordinal <= device->written) {
    return;
  }
  for (auto& x : device->flights) {
    if (x.ordinal > device->written && x.ordinal <= ordinal) {
      x.deadline = std::max(x.deadline, when + ack_timeout(x.attempt));
    }
  }
  device->written = ordinal;
}

void mailbox::committed(server_id serverid, instant /*now*/,
                        mailbox_effects& out, unsigned copies) {
  op_done();
  auto* entry = entries_.find(serverid);
  if (entry == nullptr || entry->tier != storage_tier::asked) {
    // Gone meanwhile: its remove follows the store through the same queue.
    return;
  }
  entry->tier = storage_tier::durable;
  remove_replaced(serverid, out);
  if (!entry->confirmed) {
    confirm(*entry, with_copies(context_.stored_as, copies), out);
  }
  drop_if_unneeded(*entry);
}

void mailbox::commit_failed(server_id serverid, refusal code, instant now,
                            mailbox_effects& out) {
  op_done();
  auto* entry = entries_.find(serverid);
  if (entry == nullptr || entry->tier != storage_tier::asked) {
    return;
  }
  if (entry->raised) {
    // The event was in the transaction that failed: the next store tries
    // again.
    offline_raised_ = false;
  }
  const auto refuse = [&](const origin_ref& origin) {
    if (origin) {
      out.emplace_back(effect::refuse{origin, entry->message, code});
    }
  };
  refuse(entry->origin);
  if (entry->more_origins) {
    for (const auto& origin : *entry->more_origins) {
      refuse(origin);
    }
  }
  if (entry->adopted) {
    // Who had it before may have promised it: it stays, as it was.
    entry->origin.reset();
    entry->more_origins.reset();
    entry->tier = storage_tier::durable;
    entry->confirmed = true;
    drop_if_unneeded(*entry);
    return;
  }
  finish(*entry, ending::refused, now, out);
  pump_all(now, out);
  entries_.compact();
}

void mailbox::op_done(bool failed) noexcept {
  assert(operations_ > 0);
  if (operations_ > 0) {
    --operations_;
  }
  if (failed && put_again_ == mono_time::max()) {
    // A device that is not on disk would owe nothing after a crash. When to
    // try again the next timer decides: there is no time here.
    put_again_ = mono_time{};
    wake_at(put_again_);
  }
}

void mailbox::expired(const std::vector<server_id>& serverids, instant now,
                      mailbox_effects& out) {
  for (const auto serverid : serverids) {
    if (auto* entry = entries_.find(serverid)) {
      finish(*entry, ending::expired, now, out);
    }
  }
  pump_all(now, out);
  entries_.compact();
}

bool mailbox::idle() const noexcept {
  return operations_ == 0 && unstored_ == 0 && !fetching_ && !has_unowed_
         && put_again_ == mono_time::max() && !any_connected();
}

std::vector<pending_view> mailbox::list(std::string_view device,
                                        server_id after, std::size_t limit,
                                        bool& more) const {
  // A device that is not known yet would owe everything.
  const auto* by = find_device(device);
  std::vector<pending_view> found;
  more = false;
  for (const auto& entry : entries_.after(after)) {
    if (entry.gone || (by != nullptr && !by->owes(entry))) {
      continue;
    }
    if (found.size() == limit) {
      more = true;
      break;
    }
    found.push_back({entry.serverid, entry.message});
  }
  return found;
}

bool mailbox_inspection::knows(std::string_view name) const noexcept {
  return std::any_of(devices.begin(), devices.end(),
                     [&](const auto& one) { return one.name == name; });
}

std::vector<device_record> mailbox::devices() const {
  std::vector<device_record> out;
  out.reserve(devices_.size());
  for (const auto& device : devices_) {
    out.push_back(record_of(device, elsewhere_.get()));
  }
  return out;
}

mailbox::inspection mailbox::inspect() const {
  inspection seen;
  for (const auto& device : devices_) {
    auto& x = seen.devices.emplace_back();
    x.name = device.record.name;
    x.connected = device.connected();
    x.last_seen = device.record.last_seen;
    x.push = push_of(device, elsewhere_.get()).platform;
    x.in_flight = device.flights.size();
    x.stuck = device.trouble ? device.trouble->stuck.size() : 0;
    for (const auto& entry : entries_.all()) {
      x.owes += !entry.gone && device.owes(entry) ? 1 : 0;
    }
  }
  seen.pending = entries_.size();
  seen.pending_bytes = pending_bytes_;
  seen.in_memory = memory_count_;
  if (!entries_.empty()) {
    // The head of the table is never a hole.
    const auto& oldest = entries_.all().front();
    const auto* record = context_.dedupe.find(oldest.key);
    seen.oldest = record != nullptr ? record->server_timestamp
                                    : oldest.serverid.clock_ms();
  }
  return seen;
}

} // namespace vartalap::core
