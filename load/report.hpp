#pragma once

#include "load/checker.hpp"
#include "load/conductor_actor.hpp"
#include "load/options.hpp"
#include "load/run_stats.hpp"
#include "load/server_probe.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vartalap::load {

/// Percentiles of a histogram, in µs.
struct latency_summary {
  std::uint64_t count = 0;
  std::uint64_t p50 = 0;
  std::uint64_t p99 = 0;
  std::uint64_t p999 = 0;
  std::uint64_t max = 0;
};

/// What a run found, as it is printed. Figures that could not be taken (no
/// --pid, no --admin, nothing happened) are empty, not zero.
struct report {
  std::string scenario;
  std::uint64_t users = 0;
  std::uint64_t nodes = 1;
  std::uint64_t devices = 0;
  std::uint64_t seed = 0;
  verdict judged;
  bool drained = true; ///< false: --no-then-drain, losses are not judged
  double measured_seconds = 0;
  std::uint64_t window_confirmed = 0;
  std::optional<double> throughput; ///< confirmed a second
  std::optional<double> cpu_us_per_message;
  latency_summary e2e;
  latency_summary e2e_slow;
  latency_summary confirm;
  latency_summary lateness;
  /// From a lost or left connection to the next that served its user.
  latency_summary unserved;
  /// From the end of sending until all that was confirmed had arrived.
  std::optional<double> settled_seconds;
  std::uint64_t reconnects = 0;
  std::uint64_t moves = 0;
  std::uint64_t resends = 0;
  std::uint64_t gave_up = 0;
  std::map<unsigned, std::uint64_t> closes;
  std::map<std::string, std::uint64_t> refusals;
  std::map<std::string, std::uint64_t> failures;
  std::map<std::string, std::uint64_t> durabilities; ///< of SERVER_ACKs
  std::optional<double> pss_bytes_per_user;
  std::optional<std::uint64_t> server_pss_bytes;
  std::optional<double> journal_records_per_message;
  std::optional<double> drained_per_second;
  std::optional<double> cpu_us_per_drained;
  std::optional<double> generator_cpu_us_per_message;
};

/// What a sample was taken with: counts at that moment.
struct moment_sample {
  server_sample server;
  std::uint64_t confirmed = 0;
  std::uint64_t arrived = 0;
  std::uint64_t own_cpu_ns = 0; ///< of the load tester
};

/// The word of protocol.md for a durability of a MessagePack SERVER_ACK.
std::string durability_name(std::uint64_t wire_value);

/// Puts a run together.
report make_report(const load_options& options, std::uint64_t seed,
                   const verdict& judged, const measured_window& window,
                   const std::vector<std::unique_ptr<shard_stats>>& stats,
                   const std::map<moment, moment_sample>& samples);

/// For people.
std::string to_text(const report& what);

/// One JSON object; absent figures are null.
std::string to_json(const report& what);

} // namespace vartalap::load
