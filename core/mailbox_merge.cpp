// What other nodes have done to this user's messages.

#include "core/hash.hpp"
#include "core/mailbox.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace vartalap::core {

namespace {

// The greatest id below `id`.
server_id before(server_id id) noexcept {
  return id.low == 0 ? server_id{id.high - 1, ~std::uint64_t{0}}
                     : server_id{id.high, id.low - 1};
}

} // namespace

void mailbox::merge(envelope_ptr message, const std::vector<std::string>& acked,
                    instant now, mailbox_effects& out) {
  const auto serverid = message->serverid;
  if (entries_.find(serverid) != nullptr) {
    for (const auto& name : acked) {
      ack(name, serverid, now, out);
    }
    return;
  }
  pending_record record;
  record.serverid = serverid;
  record.key = make_dedupe_key(message->from, message->to, message->id);
  record.content_hash = message->content_hash();
  record.server_timestamp = message->server_timestamp;
  record.sender_hash = stable_hash(message->from);
  record.weight = static_cast<std::uint32_t>(std::min<std::size_t>(
    message->weight(), std::numeric_limits<std::uint32_t>::max()));
  record.type = message->type;
  record.acked = acked;
  auto& entry = entries_.insert(adopt(record, now));
  ++context_.counters.pending_at_open;
  ++context_.counters.pending;
  if (senders_) {
    ++(*senders_)[entry.sender_hash];
  }
  hold(entry, std::move(message));
  for (auto& device : devices_) {
    if (device.connected() && serverid <= device.cursor && device.owes(entry)) {
      device.rewound = std::max(device.rewound, device.cursor);
      device.cursor = before(serverid);
    }
  }
  pump_all(now, out);
  if (auto* kept = entries_.find(serverid)) {
    drop_if_unneeded(*kept);
  }
  raise_offline(out);
}

void mailbox::merge_removal(server_id serverid, instant now,
                            mailbox_effects& out) {
  auto* entry = entries_.find(serverid);
  if (entry == nullptr) {
    return;
  }
  // Whoever waits for a confirmation gets it: all devices have it.
  entry->delivered = true;
  if (!entry->confirmed) {
    confirm(*entry, durability::memory, out);
  }
  finish(*entry, ending::elsewhere, now, out);
  pump_all(now, out);
  entries_.compact();
}

void mailbox::merge_device(const device_record& record, instant now,
                           mailbox_effects& out) {
  auto* known = find_device(record.name);
  if (known == nullptr) {
    if (auto* added = make_known(record.name, now, out)) {
      added->record.cancelled_upto = record.cancelled_upto;
      added->record.gap_count = record.gap_count;
      store_debts(*added, out);
    }
    return;
  }
  if (known->record.cancelled_upto < record.cancelled_upto) {
    known->record.cancelled_upto = record.cancelled_upto;
    known->record.gap_count = record.gap_count;
    finish_unowed(now, out);
    entries_.compact();
  }
}

void mailbox::merge_device_removal(std::string_view device, instant now,
                                   mailbox_effects& out) {
  if (auto* known = find_device(device)) {
    cut_off(*known, now, out);
  }
}

void mailbox::know_all_devices(bool known, instant now, mailbox_effects& out) {
  if (std::exchange(knows_all_devices_, known) || !known) {
    return;
  }
  finish_unowed(now, out);
  entries_.compact();
}

void mailbox::leave(instant now, mailbox_effects& out) {
  leaving_ = true;
  for (auto& device : devices_) {
    if (device.connected()) {
      lose_connection(device, now, out);
    }
  }
  for (auto& entry : entries_.all()) {
    if (!entry.gone && entry.tier == storage_tier::memory) {
      store(entry, out);
    }
  }
  trim();
}

} // namespace vartalap::core
