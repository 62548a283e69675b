#pragma once

#include "bench/report.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace vartalap::bench {

/// What to do to an MQTT server.
struct workload {
  std::uint16_t port = 0;          ///< WebSocket listener on 127.0.0.1.
  std::size_t users = 1000;        ///< Even: they form pairs.
  std::size_t payload_bytes = 200; ///< At least 8.
  double rate = 0;          ///< Messages a second in all; 0: closed loop.
  std::size_t inflight = 8; ///< Closed loop: open messages per sender.
  std::chrono::milliseconds warmup{2000};    ///< Traffic before the measuring.
  std::chrono::milliseconds duration{10000}; ///< Measured.
  std::uint64_t messages = 100'000;          ///< offline: how many in all.
  pid_t server_pid = 0; ///< 0: neither CPU nor memory is measured.
};

/// Every user sends to the partner beside it (0 and 1, 2 and 3, …), at a fixed
/// rate or with `inflight` messages open each. Done: the sender has its PUBACK
/// and the partner has received and acknowledged it.
/// Each scenario throws std::runtime_error when the server fails it.
report run_pairs(const workload& w);

/// All users connect and stay silent for `duration`; the report has the memory
/// that each costs.
report run_idle(const workload& w);

/// The first half of the users subscribe and go away; each of the others sends
/// its share of `messages` to one of them. Done: the sender has its PUBACK.
/// Then the first half come back and receive and acknowledge everything; that
/// is measured from the first connection to the last message.
report run_offline(const workload& w);

} // namespace vartalap::bench
