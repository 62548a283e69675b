#pragma once

#include "core/token_bucket.hpp"
#include "core/units.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace vartalap::actors {

/// One rate for each of many keys: addresses, names. A key that has spent
/// nothing lately costs no memory. Any thread.
class keyed_rates {
public:
  /// @param rate A second; 0: no limit.
  keyed_rates(double rate, double burst) noexcept : rate_(rate), burst_(burst) {
  }

  /// Counts `n` for `key` if they are within the rate.
  /// @returns Zero if they were, else how long to wait.
  core::microseconds try_spend(const std::string& key, double n,
                               core::mono_time now);

  /// How often it was not within the rate.
  std::uint64_t refused() const noexcept {
    return refused_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> refused_{0};
  double rate_;
  double burst_;
  std::mutex mutex_;
  std::unordered_map<std::string, core::token_bucket> buckets_;
  std::size_t sweep_at_ = 1024;
};

} // namespace vartalap::actors
