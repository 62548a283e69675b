// Windows, ack timers, and what has to come from disk first.

#include "core/mailbox.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

namespace {

// One fetch: enough to fill a window, little enough to be quick.
constexpr std::size_t fetch_messages = 64;
constexpr std::size_t fetch_bytes = 256 * KiB;

// A fetch is wanted when fewer than this many messages that are due next
// are in memory.
constexpr std::size_t fetch_ahead = 16;

// Bounds the search for what to fetch where others' messages lie between.
constexpr std::size_t fetch_scan = 1024;

constexpr milliseconds fetch_retry{250};

// Acks that come in time are this many smoothed ack times away.
constexpr int spill_factor = 4;

constexpr unsigned backoff_doublings_max = 10;

} // namespace

void mailbox::pump_all(instant now, mailbox_effects& out) {
  for (auto& device : devices_) {
    pump(device, now, out);
  }
}

void mailbox::pump(mailbox_device& device, instant now, mailbox_effects& out) {
  if (!device.connected()) {
    return;
  }
  if (device.trouble && !pump_alone(device, now, out)) {
    return;
  }
  for (const auto& entry : entries_.after(device.cursor)) {
    if (entry.gone || !device.owes(entry) || device.is_troubled(entry.serverid)
        || (entry.serverid <= device.rewound
            && device.is_in_flight(entry.serverid))) {
      device.cursor = entry.serverid;
      continue;
    }
    if (!entry.message || !has_open_window(device, entry.weight)) {
      want_fetch(now, out);
      return;
    }
    deliver(device, entry, flight_kind::normal, now, out);
    device.cursor = entry.serverid;
  }
  if (device.trouble) {
    pump_stuck(device, now, out);
  }
}

// Sends what was undelivered on an earlier connection.
// False while such a message is in flight or on its way from disk: nothing
// else goes out then.
bool mailbox::pump_alone(mailbox_device& device, instant now,
                         mailbox_effects& out) {
  auto& trouble = *device.trouble;
  if (trouble.alone) {
    return false;
  }
  if (trouble.first.empty()) {
    return true;
  }
  const auto* entry = entries_.find(trouble.first.front());
  if (!entry->message) {
    want_fetch(now, out);
    return false;
  }
  trouble.alone = true;
  deliver(device, *entry, flight_kind::alone, now, out);
  return false;
}

// Everything else has been sent: now each stuck message, once.
void mailbox::pump_stuck(mailbox_device& device, instant now,
                         mailbox_effects& out) {
  for (auto& x : device.trouble->stuck) {
    if (x.tried) {
      continue;
    }
    const auto* entry = entries_.find(x.serverid);
    if (!has_open_window(device, entry->weight)) {
      return;
    }
    if (!entry->message) {
      want_fetch(now, out);
      return;
    }
    x.tried = true;
    deliver(device, *entry, flight_kind::behind, now, out);
  }
}

void mailbox::deliver(mailbox_device& device, const mailbox_entry& entry,
                      flight_kind kind, instant now, mailbox_effects& out) {
  const auto deadline = now.mono + ack_timeout(0);
  ++device.ordinal;
  device.flights.push_back({entry.serverid, device.ordinal, now.mono, deadline,
                            entry.weight, 0, kind});
  device.flight_bytes += entry.weight;
  ++context_.counters.delivered;
  note_delivered(entry.sender_hash, entry.serverid);
  out.emplace_back(
    effect::deliver{device.connection, entry.message, 0, device.ordinal});
  wake_at(deadline);
}

bool mailbox::has_open_window(const mailbox_device& device,
                              std::uint32_t weight) const noexcept {
  const auto& limits = context_.delivery;
  return device.flights.empty()
         || (device.flights.size() < limits.window
             && device.flight_bytes + weight <= limits.window_bytes);
}

void mailbox::timer(instant now, mailbox_effects& out) {
  if (has_unowed_) {
    has_unowed_ = false;
    finish_unowed(now, out);
  }
  put_devices_again(now, out);
  if (fetch_again_ <= now.mono) {
    fetch_again_ = mono_time::max();
  }
  for (auto& device : devices_) {
    if (device.connected() && !resend_overdue(device, now, out)) {
      lose_connection(device, now, out);
    }
  }
  pump_all(now, out);
  store_what_is_due(now, out);
  entries_.compact();
  if (entries_.empty()) {
    // Quiet since the last timer: an idle mailbox is to be small.
    entries_.release_memory();
    for (auto& device : devices_) {
      std::vector<flight>{}.swap(device.flights);
    }
  }
  find_next_deadline();
}

// Handles what this connection did not acknowledge in time.
// False where the connection is to be given up.
bool mailbox::resend_overdue(mailbox_device& device, instant now,
                             mailbox_effects& out) {
  auto& flights = device.flights;
  bool any = false;
  for (auto& x : flights) {
    if (x.deadline <= now.mono && x.ordinal > device.written) {
      // Still in the output queue: its time has not begun.
      x.deadline = now.mono + ack_timeout(x.attempt);
    }
    any = any || x.deadline <= now.mono;
  }
  if (!any) {
    return true;
  }
  // What is resent goes to the end, in the order in which it was sent.
  const auto overdue
    = std::stable_partition(flights.begin(), flights.end(),
                            [&](auto& x) { return x.deadline > now.mono; });
  std::vector<flight> late(overdue, flights.end());
  flights.erase(overdue, flights.end());
  for (auto& x : late) {
    if (x.kind != flight_kind::normal) {
      device.flight_bytes -= x.weight;
      if (x.kind == flight_kind::alone) {
        device.trouble->alone = false;
        std::erase(device.trouble->first, x.serverid);
        device.trouble->stuck.push_back({x.serverid, false});
        ++context_.counters.stuck;
      }
      continue;
    }
    if (x.attempt >= context_.delivery.max_retries) {
      ++context_.counters.undelivered;
      if (!device.trouble) {
        device.trouble = std::make_unique<device_trouble>();
      }
      device.trouble->first.push_back(x.serverid);
      out.emplace_back(
        effect::close{device.connection, effect::close_reason::undelivered});
      return false;
    }
    ++x.attempt;
    x.ordinal = ++device.ordinal;
    x.sent = now.mono;
    x.deadline = now.mono + ack_timeout(x.attempt);
    ++context_.counters.delivered;
    ++context_.counters.redelivered;
    out.emplace_back(effect::deliver{device.connection,
                                     entries_.find(x.serverid)->message,
                                     x.attempt, x.ordinal});
    flights.push_back(x);
  }
  return true;
}

microseconds mailbox::ack_timeout(unsigned attempt) const noexcept {
  return microseconds{context_.delivery.ack_timeout}
         * (1U << std::min(attempt, backoff_doublings_max));
}

mono_time mailbox::spill_time(const mailbox_entry& entry) const noexcept {
  const auto& options = context_.delivery;
  microseconds wait = options.spill_after;
  for (const auto& device : devices_) {
    if (device.owes(entry)) {
      wait = std::max(wait, spill_factor * device.ack_time);
    }
  }
  return entry.received
         + std::min<microseconds>(wait, microseconds{options.spill_max});
}

void mailbox::want_fetch(instant now, mailbox_effects& out) {
  if (fetching_ || memory_count_ == entries_.size()
      || (fetch_again_ != mono_time::max() && fetch_again_ > now.mono)) {
    return;
  }
  std::vector<server_id> ids;
  std::size_t bytes = 0;
  // Begins with another device each time, so that a quick one does not take
  // every chunk.
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const auto& device = devices_[(fetch_turn_ + i) % devices_.size()];
    if (device.connected()) {
      collect_missing(device, ids, bytes);
    }
  }
  if (ids.empty()) {
    return;
  }
  ++fetch_turn_;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  fetching_ = true;
  out.emplace_back(effect::fetch{std::move(ids)});
}

// Adds what this device is to get next and is not in memory, up to the
// limits of one fetch.
void mailbox::collect_missing(const mailbox_device& device,
                              std::vector<server_id>& ids,
                              std::size_t& bytes) const {
  const auto add = [&](const mailbox_entry& entry) {
    if (ids.size() >= fetch_messages
        || (!ids.empty() && bytes + entry.weight > fetch_bytes)) {
      return false;
    }
    ids.push_back(entry.serverid);
    bytes += entry.weight;
    return true;
  };
  if (device.trouble) {
    const auto& first = device.trouble->first;
    const auto* entry = first.empty() ? nullptr : entries_.find(first.front());
    if (entry != nullptr && !entry->message && !add(*entry)) {
      return;
    }
  }
  // Not beyond the next window: under memory pressure that would be dropped
  // and read again.
  const auto due_max
    = std::clamp<std::size_t>(context_.delivery.window, 1, fetch_messages);
  std::size_t due = 0;
  std::size_t scanned = 0;
  bool is_low = false;
  for (const auto& entry : entries_.after(device.cursor)) {
    if (++scanned > fetch_scan || due >= due_max) {
      return;
    }
    if (entry.gone || !device.owes(entry) || device.is_troubled(entry.serverid)
        || (entry.serverid <= device.rewound
            && device.is_in_flight(entry.serverid))) {
      continue;
    }
    ++due;
    is_low = is_low || (!entry.message && due <= fetch_ahead);
    if (!entry.message && (!is_low || !add(entry))) {
      return;
    }
  }
  if (device.trouble) {
    for (const auto& x : device.trouble->stuck) {
      const auto* entry = entries_.find(x.serverid);
      if (!x.tried && !entry->message && !add(*entry)) {
        return;
      }
    }
  }
}

void mailbox::fetched(const std::vector<server_id>& asked,
                      std::vector<envelope_ptr> found, instant now,
                      mailbox_effects& out) {
  fetching_ = false;
  for (auto& message : found) {
    auto* entry = message ? entries_.find(message->serverid) : nullptr;
    if (entry != nullptr && !entry->message) {
      hold(*entry, std::move(message));
    }
  }
  for (const auto serverid : asked) {
    auto* entry = entries_.find(serverid);
    if (entry == nullptr || entry->message) {
      continue;
    }
    // Not there any more: the sweep was quicker than its report, or the
    // record is damaged.
    const auto ttl = static_cast<wall_ms>(context_.delivery.ttl.count());
    const bool is_over = now.wall > serverid.clock_ms() + ttl;
    finish(*entry, is_over ? ending::expired : ending::quarantined, now, out);
  }
  pump_all(now, out);
  for (const auto serverid : asked) {
    // Whoever was to get it may have gone meanwhile.
    if (auto* entry = entries_.find(serverid)) {
      drop_if_unneeded(*entry);
    }
  }
  entries_.compact();
}

void mailbox::fetch_failed(instant now) {
  fetching_ = false;
  fetch_again_ = now.mono + fetch_retry;
  wake_at(fetch_again_);
}

void mailbox::wake_at(mono_time at) noexcept {
  next_deadline_ = std::min(next_deadline_, at);
}

mono_time mailbox::next_deadline() const noexcept {
  return next_deadline_;
}

void mailbox::find_next_deadline() noexcept {
  next_deadline_ = std::min(fetch_again_, put_again_);
  for (const auto& device : devices_) {
    for (const auto& x : device.flights) {
      wake_at(x.deadline);
    }
  }
  if (unstored_ == 0) {
    return;
  }
  for (const auto& entry : entries_.all()) {
    if (!entry.gone && entry.tier == storage_tier::memory) {
      wake_at(entry.spill_at);
    }
  }
}

} // namespace vartalap::core
