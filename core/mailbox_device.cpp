#include "core/mailbox_device.hpp"

#include <algorithm>

namespace vartalap::core {

namespace {

// Weight of a new sample in the smoothed ack time, as TCP does it.
constexpr int smoothing = 8;

} // namespace

bool mailbox_device::is_in_flight(server_id serverid) const noexcept {
  return std::any_of(flights.begin(), flights.end(),
                     [&](const auto& x) { return x.serverid == serverid; });
}

bool mailbox_device::is_troubled(server_id serverid) const noexcept {
  if (!trouble) {
    return false;
  }
  const auto& first = trouble->first;
  const auto& stuck = trouble->stuck;
  return std::find(first.begin(), first.end(), serverid) != first.end()
         || std::any_of(stuck.begin(), stuck.end(),
                        [&](const auto& x) { return x.serverid == serverid; });
}

unsigned mailbox_device::forget(server_id serverid) noexcept {
  const auto at
    = std::find_if(flights.begin(), flights.end(),
                   [&](const auto& x) { return x.serverid == serverid; });
  if (at != flights.end()) {
    remove_flight(at);
  }
  if (!trouble) {
    return 0;
  }
  if (trouble->alone && trouble->first.front() == serverid) {
    trouble->alone = false;
  }
  std::erase(trouble->first, serverid);
  const auto stuck = std::erase_if(
    trouble->stuck, [&](const auto& x) { return x.serverid == serverid; });
  if (trouble->first.empty() && trouble->stuck.empty()) {
    trouble.reset();
  }
  return static_cast<unsigned>(stuck);
}

unsigned mailbox_device::acknowledged(server_id serverid,
                                      mono_time now) noexcept {
  for (const auto& x : flights) {
    if (x.serverid == serverid && x.attempt == 0) {
      // The ack of a resent message could belong to either delivery.
      const auto sample = std::max(now - x.sent, microseconds{1});
      ack_time = ack_time.count() == 0
                   ? sample
                   : ack_time + (sample - ack_time) / smoothing;
      break;
    }
  }
  return forget(serverid);
}

unsigned mailbox_device::disconnect() noexcept {
  unsigned stuck = 0;
  if (trouble) {
    if (trouble->alone) {
      trouble->alone = false;
      if (flights.front().ordinal <= written) {
        trouble->stuck.push_back({trouble->first.front(), false});
        trouble->first.erase(trouble->first.begin());
        ++stuck;
      }
    }
    for (auto& x : trouble->stuck) {
      x.tried = false;
    }
  }
  connection = 0;
  flights.clear();
  flight_bytes = 0;
  return stuck;
}

void mailbox_device::remove_flight(std::vector<flight>::iterator at) noexcept {
  flight_bytes -= at->weight;
  flights.erase(at);
}

} // namespace vartalap::core
