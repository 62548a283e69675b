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
  if (entries_.find(message->serverid) != nullptr) {
    for (const auto& name : acked) {
      ack(name, message->serverid, now, out);
    }
    return;
  }
  pending_record record;
  record.serverid = message->serverid;
  record.key
    = make_dedupe_key(message->from, message->addressee(), message->id);
  record.content_hash = message->content_hash();
  record.server_timestamp = message->server_timestamp;
  record.sender_hash = stable_hash(message->from);
  record.weight = static_cast<std::uint32_t>(std::min<std::size_t>(
    message->weight(), std::numeric_limits<std::uint32_t>::max()));
  record.type = message->type;
  record.acked = acked;
  if (meet_twin(record, now, out)) {
    return;
  }
  const auto late = is_late(record);
  const auto old_id = record.serverid;
  if (late) {
    auto same = std::make_shared<envelope>(*message);
    same->serverid = context_.ids.next(now.wall);
    record.serverid = same->serverid;
    message = std::move(same);
  }
  auto& entry = entries_.insert(adopt(record, now));
  ++context_.counters.pending_at_open;
  ++context_.counters.pending;
  if (senders_) {
    senders_->count(entry.sender_hash);
  }
  hold(entry, std::move(message));
  if (late) {
    entry.tier = storage_tier::memory;
    ++unstored_;
    store(entry, out);
    replaces(entry.serverid, old_id);
  }
  const auto serverid = entry.serverid;
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

// A sender that was refused, or heard nothing, tries again elsewhere: then one
// message has two serverIds. Of those the greatest stays, on whichever node
// they meet; the others go once it is safe.
// True where the twin makes `late` needless; else its acknowledgements are in
// `late` where it has made way.
bool mailbox::meet_twin(pending_record& late, instant now,
                        mailbox_effects& out) {
  const auto* known = context_.dedupe.find(salted(late.key));
  if (known == nullptr || known->content_hash != late.content_hash
      || known->serverid == late.serverid) {
    return false;
  }
  auto* twin = entries_.find(known->serverid);
  if (twin == nullptr) {
    if (!known->confirmed || known->serverid < late.serverid) {
      return false; // another node's devices may owe it
    }
    ++operations_;
    out.emplace_back(effect::remove{late.serverid});
    return true;
  }
  if (!twin->confirmed) {
    return false; // whoever waits for it is answered by its own store
  }
  if (late.serverid < twin->serverid) {
    const auto kept = twin->serverid;
    replaces(kept, late.serverid);
    if (twin->tier == storage_tier::durable) {
      remove_replaced(kept, out);
    }
    for (const auto& name : late.acked) {
      ack(name, kept, now, out);
    }
    return true;
  }
  for (const auto& device : devices_) {
    if ((twin->acked & device.bit()) != 0) {
      late.acked.push_back(device.record.name);
    }
  }
  const auto gone = twin->serverid;
  const auto is_stored = twin->tier != storage_tier::memory;
  remove_replaced(gone, out);
  // Whoever is being woken for it is so for `late`: once, not again.
  const auto was_raised = std::exchange(offline_raised_, false);
  finish(*twin, ending::elsewhere, now, out);
  offline_raised_ = was_raised;
  --context_.counters.acknowledged; // it is not over
  if (is_stored) {
    ++operations_;
    out.emplace_back(effect::remove{gone});
  }
  return false;
}

mailbox_elsewhere& mailbox::elsewhere() {
  if (!elsewhere_) {
    elsewhere_ = std::make_unique<mailbox_elsewhere>();
  }
  return *elsewhere_;
}

void mailbox::note_delivered(std::uint64_t sender_hash, server_id serverid) {
  if (!context_.may_merge) {
    return;
  }
  elsewhere().delivered.note(sender_hash, serverid.high);
}

bool mailbox::is_late(const pending_record& record) const noexcept {
  return elsewhere_
         && record.serverid.high
              <= elsewhere_->delivered.of(record.sender_hash);
}

void mailbox::replaces(server_id kept, server_id gone) {
  elsewhere().replaced.emplace(kept, gone);
}

void mailbox::remove_replaced(server_id kept, mailbox_effects& out) {
  if (!elsewhere_) {
    return;
  }
  const auto [from, to] = elsewhere_->replaced.equal_range(kept);
  for (auto at = from; at != to; ++at) {
    ++operations_;
    out.emplace_back(effect::remove{at->second});
  }
  elsewhere_->replaced.erase(from, to);
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
      if (record.push.get().since != 0) {
        elsewhere().pushes[added->slot] = record.push.get();
        put_device(*added, out);
      }
      store_debts(*added, out);
    }
    return;
  }
  if (is_newer(record.push.get(), push_of(*known, elsewhere_.get()))) {
    elsewhere().pushes[known->slot] = record.push.get();
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
