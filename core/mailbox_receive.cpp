// What happens to a message when it arrives.

#include "core/hash.hpp"
#include "core/mailbox.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace vartalap::core {

void mailbox::receive(std::shared_ptr<envelope> message, origin_ref origin,
                      instant now, mailbox_effects& out,
                      std::string_view own_device) {
  const bool is_unwanted
    = (senders_ && senders_->blocked.contains(message->from))
      || (devices_.empty() && !context_.delivery.accept_unknown_users);
  if (message->ephemeral && !is_unwanted) {
    relay(std::move(message), std::move(origin), now, out, own_device);
    return;
  }
  const auto key
    = salted(make_dedupe_key(message->from, message->addressee(), message->id));
  const auto content_hash = message->content_hash();
  if (!message->ephemeral
      && answer_resend(key, content_hash, message, origin, out)) {
    return;
  }
  if (is_unwanted) {
    reject(refusal::forbidden, std::move(message), std::move(origin), out);
    return;
  }
  const auto weight = static_cast<std::uint32_t>(std::min<std::size_t>(
    message->weight(), std::numeric_limits<std::uint32_t>::max()));
  const auto sender_hash = stable_hash(message->from);
  if (!has_room(weight) || is_over_sender_limit(sender_hash)) {
    cancel_idle_debts(now, out);
  }
  if (!has_room(weight) || is_over_sender_limit(sender_hash)) {
    reject(refusal::mailbox_full, std::move(message), std::move(origin), out);
    return;
  }
  message->serverid = context_.ids.next(now.wall);
  message->server_timestamp = now.wall;
  context_.dedupe.insert(
    key, {message->serverid, message->server_timestamp, content_hash});

  mailbox_entry arrived;
  arrived.serverid = message->serverid;
  arrived.key = key;
  arrived.sender_hash = sender_hash;
  arrived.received = now.mono;
  arrived.origin = std::move(origin);
  arrived.weight = weight;
  arrived.wakes = message->type == message_type::message;
  if (const auto* own = find_device(own_device)) {
    arrived.acked |= own->bit();
  }
  auto& entry = entries_.push_back(std::move(arrived));
  hold(entry, std::move(message));
  ++unstored_;
  waking_ += entry.wakes ? 1 : 0;
  pending_bytes_ += weight;
  if (senders_) {
    senders_->count(sender_hash);
  }
  ++context_.counters.received;
  ++context_.counters.pending;
  place(entry, now, out);
}

void mailbox::reject(refusal why, envelope_ptr message, origin_ref origin,
                     mailbox_effects& out) {
  ++context_.counters.rejected;
  if (origin) {
    out.emplace_back(
      effect::refuse{std::move(origin), std::move(message), why});
  }
}

void mailbox::place(mailbox_entry& entry, instant now, mailbox_effects& out) {
  if (!is_owed(entry)) {
    finish(entry, ending::acknowledged, now, out);
    entries_.compact();
    return;
  }
  pump_all(now, out);
  // Whoever owes it and could not be sent it now may take long.
  const bool is_sent_to_all
    = !devices_.empty() && knows_all_devices_
      && std::all_of(devices_.begin(), devices_.end(), [&](const auto& x) {
           return !x.owes(entry)
                  || (x.connected() && entry.serverid <= x.cursor);
         });
  if (!is_sent_to_all || is_over_memory()) {
    store(entry, out);
    return;
  }
  entry.spill_at = spill_time(entry);
  wake_at(entry.spill_at);
}

void mailbox::relay(std::shared_ptr<envelope> message, origin_ref origin,
                    instant now, mailbox_effects& out,
                    std::string_view own_device) {
  message->server_timestamp = now.wall;
  const envelope_ptr frame = std::move(message);
  bool relayed = false;
  for (auto& device : devices_) {
    if (!device.connected() || device.record.name == own_device) {
      continue;
    }
    relayed = true;
    ++context_.counters.delivered;
    out.emplace_back(
      effect::deliver{device.connection, frame, 0, ++device.ordinal});
  }
  ++(relayed ? context_.counters.ephemeral_relayed
             : context_.counters.ephemeral_dropped);
  if (origin) {
    out.emplace_back(effect::confirm{std::move(origin), frame, server_id{},
                                     now.wall, ack_status::relayed,
                                     durability::memory});
  }
}

bool mailbox::answer_resend(const dedupe_key& key, std::uint64_t content_hash,
                            const envelope_ptr& message, origin_ref& origin,
                            mailbox_effects& out) {
  const auto* known = context_.dedupe.find(key);
  if (known == nullptr) {
    return false;
  }
  if (known->content_hash != content_hash) {
    ++context_.counters.rejected;
    if (origin) {
      out.emplace_back(
        effect::refuse{std::move(origin), message, refusal::id_reused});
    }
    return true;
  }
  if (known->confirmed) {
    ++context_.counters.duplicates;
    if (origin) {
      out.emplace_back(effect::confirm{std::move(origin), message,
                                       known->serverid, known->server_timestamp,
                                       known->status, known->durability});
    }
    return true;
  }
  auto* entry = entries_.find(known->serverid);
  if (entry == nullptr) {
    // An unconfirmed record without its message: nothing was promised.
    return false;
  }
  ++context_.counters.duplicates;
  if (!entry->add_origin(origin)) {
    out.emplace_back(effect::merge{std::move(origin)});
  }
  if (entry->tier == storage_tier::durable) {
    store_again(*entry, *message, known->server_timestamp, out);
  }
  return true;
}

// A message found on disk, of which nobody knows how many copies there are: the
// store makes them, and then confirms it.
void mailbox::store_again(mailbox_entry& entry, const envelope& resend,
                          std::uint64_t server_timestamp,
                          mailbox_effects& out) {
  auto same = std::make_shared<envelope>(resend);
  same->serverid = entry.serverid;
  same->server_timestamp = server_timestamp;
  if (!entry.message) {
    hold(entry, std::move(same));
  }
  entry.confirmed = false;
  entry.tier = storage_tier::asked;
  entry.raised = false;
  ++operations_;
  std::vector<std::string> acked;
  for (const auto& device : devices_) {
    if ((entry.acked & device.bit()) != 0) {
      acked.push_back(device.record.name);
    }
  }
  out.emplace_back(effect::store{entry.message, std::move(acked), false});
}

void mailbox::block(const std::string& sender, bool blocked) {
  if (blocked) {
    senders().blocked.insert(sender);
  } else if (senders_) {
    senders_->blocked.erase(sender);
  }
}

bool mailbox::has_room(std::uint32_t weight) const noexcept {
  const auto& limits = context_.limits;
  return (limits.mailbox_messages == 0
          || entries_.size() < limits.mailbox_messages)
         && (limits.mailbox_bytes == 0
             || pending_bytes_ + weight <= limits.mailbox_bytes);
}

mailbox_senders& mailbox::senders() {
  if (!senders_) {
    senders_ = std::make_unique<mailbox_senders>();
  }
  return *senders_;
}

bool mailbox::is_over_sender_limit(std::uint64_t sender_hash) {
  const auto limit = context_.limits.pending_per_sender;
  if (limit == 0 || entries_.size() < limit) {
    if (senders_ && entries_.size() < limit / 2) {
      senders_->pending.reset();
      if (senders_->blocked.empty()) {
        senders_.reset();
      }
    }
    return false;
  }
  auto& pending = senders().pending;
  if (!pending) {
    pending.emplace();
    for (const auto& entry : entries_.all()) {
      if (!entry.gone) {
        ++(*pending)[entry.sender_hash];
      }
    }
  }
  const auto hit = pending->find(sender_hash);
  return hit != pending->end() && hit->second >= limit;
}

// The window is the shard's, and a group's message has the same (from, to,
// id) in the mailbox of every member.
dedupe_key mailbox::salted(dedupe_key key) const noexcept {
  return {mix64(key.a ^ user_hash_), key.b + user_hash_};
}

} // namespace vartalap::core
