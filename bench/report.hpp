#pragma once

#include "bench/latency_histogram.hpp"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

namespace vartalap::bench {

/// What one run of the driver found. The names in JSON are those that
/// `vartalap load` uses for the same quantities.
struct report {
  std::string scenario;
  std::size_t users = 0;
  double seconds = 0;         ///< Length of the measured part.
  std::uint64_t messages = 0; ///< Done, as the scenario defines it.
  double throughput = 0;      ///< Messages a second in the measured part.
  std::optional<double> cpu_us_per_message; ///< Of the server, if a pid is set.
  std::optional<double> generator_cpu_us_per_message; ///< The driver's own.
  std::optional<std::uint64_t> pss_bytes_per_user;    ///< Of the server, idle.
  std::optional<double> drained_per_second; ///< To users who came back.
  std::optional<double> cpu_us_per_drained; ///< Of the server.
  latency_histogram e2e;                    ///< µs, scheduled to received.
  latency_histogram confirm; ///< µs, scheduled to the sender's confirmation.
  std::uint64_t lost = 0;    ///< Sent, never done.
  std::uint64_t duplicated = 0; ///< Received again.
  std::uint64_t reordered = 0;  ///< First receipts after a later message.
  std::uint64_t unexpected = 0; ///< Received, never sent, or not to this user.
};

/// One JSON object and a line feed.
void write_json(std::ostream& out, const report& r);

/// The same for people.
void write_text(std::ostream& out, const report& r);

} // namespace vartalap::bench
