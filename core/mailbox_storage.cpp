// What goes to disk, when a message is confirmed, and how it ends.

#include "core/mailbox.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace vartalap::core {

void mailbox::store(mailbox_entry& entry, mailbox_effects& out) {
  assert(entry.tier == storage_tier::memory && entry.message);
  entry.tier = storage_tier::asked;
  --unstored_;
  ++operations_;
  ++context_.counters.stored;
  entry.raised = entry.wakes && !offline_raised_ && !any_connected()
                 && !leaving_;
  std::vector<std::string> acked;
  for (const auto& device : devices_) {
    if ((entry.acked & device.bit()) != 0) {
      acked.push_back(device.record.name);
    }
  }
  out.emplace_back(
    effect::store{entry.message, std::move(acked), entry.raised});
  if (entry.raised) {
    raise_offline(out, true);
  }
}

void mailbox::store_what_is_due(instant now, mailbox_effects& out) {
  // What is in memory only is young: it begins somewhere near the end.
  const auto entries = entries_.all();
  auto from = entries.size();
  for (auto left = unstored_; left > 0 && from > 0;) {
    const auto& entry = entries[--from];
    left -= !entry.gone && entry.tier == storage_tier::memory ? 1 : 0;
  }
  const bool is_tight = is_over_memory();
  for (auto& entry : entries.subspan(from)) {
    if (!entry.gone && entry.tier == storage_tier::memory
        && (is_tight || entry.spill_at <= now.mono)) {
      store(entry, out);
    }
  }
}

// Wakes the user once, until a device connects or nothing is pending.
void mailbox::raise_offline(mailbox_effects& out, bool is_stored) {
  if (offline_raised_ || waking_ == 0 || any_connected() || leaving_) {
    return;
  }
  offline_raised_ = true;
  ++context_.counters.offline_events;
  out.emplace_back(effect::notify_offline{entries_.size(), is_stored});
}

void mailbox::clear_offline(mailbox_effects& out) {
  if (offline_raised_) {
    offline_raised_ = false;
    out.emplace_back(effect::clear_offline{});
  }
}

void mailbox::confirm(mailbox_entry& entry, durability reached,
                      mailbox_effects& out) {
  assert(!entry.confirmed && entry.message);
  entry.confirmed = true;
  ++(reached == durability::memory ? context_.counters.confirmed_memory
                                   : context_.counters.confirmed_disk);
  const auto status = entry.delivered ? ack_status::delivered
                                      : ack_status::stored;
  if (auto* record = context_.dedupe.find(entry.key)) {
    record->confirmed = true;
    record->status = status;
    record->durability = reached;
  }
  const auto tell = [&](origin_ref&& origin) {
    out.emplace_back(
      effect::confirm{std::move(origin), entry.message, entry.serverid,
                      entry.message->server_timestamp, status, reached});
  };
  if (entry.origin) {
    tell(std::move(entry.origin));
    entry.origin.reset();
  }
  if (entry.more_origins) {
    for (auto& origin : *entry.more_origins) {
      tell(std::move(origin));
    }
    entry.more_origins.reset();
  }
}

void mailbox::finish(mailbox_entry& entry, ending how, instant now,
                     mailbox_effects& out) {
  const bool is_over_for_all = how == ending::acknowledged
                               || how == ending::cancelled;
  if (is_over_for_all && !entry.confirmed) {
    confirm(entry, durability::memory, out);
  } else if (auto* record = is_over_for_all ? context_.dedupe.find(entry.key)
                                            : nullptr;
             record != nullptr && record->serverid == entry.serverid) {
    record->confirmed = true;
  }
  if (is_over_for_all && entry.tier != storage_tier::memory) {
    ++operations_;
    out.emplace_back(effect::remove{entry.serverid});
  }
  if (how != ending::refused) {
    remove_replaced(entry.serverid, out);
  }
  for (auto& device : devices_) {
    context_.counters.stuck -= device.forget(entry.serverid);
  }
  if (how == ending::refused) {
    context_.dedupe.erase(entry.key);
  } else {
    context_.dedupe.release(entry.key, entry.received, now.mono);
  }
  count(how);
  if (senders_) {
    senders_->uncount(entry.sender_hash);
  }
  unstored_ -= entry.tier == storage_tier::memory ? 1 : 0;
  waking_ -= entry.wakes ? 1 : 0;
  pending_bytes_ -= entry.weight;
  let_go(entry);
  entries_.erase(entry);
  if (entries_.empty()) {
    clear_offline(out);
  }
}

void mailbox::count(ending how) noexcept {
  auto& counters = context_.counters;
  --counters.pending;
  switch (how) {
    case ending::acknowledged:
    case ending::elsewhere:
      ++counters.acknowledged;
      return;
    case ending::cancelled:
      ++counters.cancelled;
      return;
    case ending::expired:
      ++counters.expired;
      return;
    case ending::quarantined:
      ++counters.quarantined;
      return;
    case ending::refused:
      ++counters.refused;
      return;
  }
}

void mailbox::finish_unowed(instant now, mailbox_effects& out) {
  for (auto& entry : entries_.all()) {
    if (!entry.gone && !is_owed(entry)) {
      finish(entry, entry.delivered ? ending::acknowledged : ending::cancelled,
             now, out);
    }
  }
}

void mailbox::hold(mailbox_entry& entry, envelope_ptr message) noexcept {
  entry.message = std::move(message);
  ++memory_count_;
  memory_bytes_ += entry.weight;
  context_.counters.memory_bytes += entry.weight;
}

void mailbox::let_go(mailbox_entry& entry) noexcept {
  if (!entry.message) {
    return;
  }
  entry.message.reset();
  --memory_count_;
  memory_bytes_ -= entry.weight;
  context_.counters.memory_bytes -= entry.weight;
}

bool mailbox::is_over_memory() const noexcept {
  const auto& limits = context_.limits;
  return (limits.memory_messages != 0 && memory_count_ > limits.memory_messages)
         || (limits.memory_bytes != 0 && memory_bytes_ > limits.memory_bytes)
         || (context_.memory_budget != 0
             && context_.counters.memory_bytes > context_.memory_budget);
}

// Lets go of a durable message's envelope unless a connected device is about
// to need it.
void mailbox::drop_if_unneeded(mailbox_entry& entry) noexcept {
  if (!entry.message || entry.tier != storage_tier::durable) {
    return;
  }
  const bool is_tight = is_over_memory();
  const bool is_needed
    = std::any_of(devices_.begin(), devices_.end(), [&](const auto& x) {
        return x.connected() && x.owes(entry)
               && (!is_tight || is_needed_soon(x, entry));
      });
  if (!is_needed) {
    let_go(entry);
  }
}

void mailbox::trim() noexcept {
  if (memory_count_ == 0) {
    return;
  }
  // From the end: the newest are needed last.
  const auto entries = entries_.all();
  for (auto i = entries.size(); i > 0; --i) {
    if (auto& entry = entries[i - 1]; !entry.gone) {
      drop_if_unneeded(entry);
    }
  }
}

// In flight, or within the next window.
bool mailbox::is_needed_soon(const mailbox_device& device,
                             const mailbox_entry& entry) const noexcept {
  if (entry.serverid <= device.cursor || device.is_troubled(entry.serverid)) {
    return true;
  }
  std::size_t ahead = 0;
  for (const auto& other : entries_.after(device.cursor)) {
    if (other.serverid == entry.serverid) {
      return true;
    }
    ahead += !other.gone && device.owes(other) ? 1 : 0;
    if (ahead >= context_.delivery.window) {
      return false;
    }
  }
  return false;
}

} // namespace vartalap::core
