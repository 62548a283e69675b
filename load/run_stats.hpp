#pragma once

#include "load/latency_histogram.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

namespace vartalap::load {

/// The part of a run that is measured, on the monotonic clock in µs. Set by
/// the conductor, read by every shard.
struct measured_window {
  static constexpr std::uint64_t never = ~std::uint64_t{0};
  std::atomic<std::uint64_t> begin_us{never};
  std::atomic<std::uint64_t> end_us{never};
  /// When everything that was confirmed had been delivered.
  std::atomic<std::uint64_t> settled_us{never};

  bool contains(std::uint64_t us) const noexcept {
    return us >= begin_us.load(std::memory_order_relaxed)
           && us < end_us.load(std::memory_order_relaxed);
  }
};

/// What the users of one shard have counted. The atomic ones are read by the
/// conductor while the run goes on, the others after it.
struct shard_stats {
  std::atomic<std::uint64_t> online{0}; ///< devices, now
  std::atomic<std::uint64_t> attempted{0};
  std::atomic<std::uint64_t> confirmed{0};
  std::atomic<std::uint64_t> settled{0}; ///< confirmed or refused for good
  std::atomic<std::uint64_t> arrived{0}; ///< per device, after dedupe
  std::atomic<std::uint64_t> window_confirmed{0};
  std::atomic<std::uint64_t> window_arrived{0};
  std::atomic<std::uint64_t> last_arrival_us{0};
  std::atomic<std::uint64_t> gave_up{0}; ///< devices that came back no more
  std::atomic<std::uint64_t> connect_failures{0};

  latency_histogram e2e;      ///< due → arrived, messages due in the window
  latency_histogram e2e_slow; ///< the same at readers that pause
  latency_histogram confirm;  ///< due → confirmed
  latency_histogram lateness; ///< due → handed to the sender, by the ticker
  latency_histogram unserved; ///< connection lost or left → served again
  std::uint64_t reconnects = 0;
  std::uint64_t moves = 0; ///< to another node, of the user's own accord
  std::uint64_t resends = 0;
  std::map<unsigned, std::uint64_t> closes;            ///< by code; 0: lost
  std::map<std::string, std::uint64_t> refusals;       ///< by error code
  std::map<std::string, std::uint64_t> failures;       ///< attempts, by text
  std::map<std::uint64_t, std::uint64_t> durabilities; ///< acks, by wire value
};

/// Adds one to a counter that only the calling thread writes.
inline void count(std::atomic<std::uint64_t>& counter,
                  std::uint64_t n = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + n,
                std::memory_order_relaxed);
}

} // namespace vartalap::load
