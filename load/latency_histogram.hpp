#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vartalap::load {

/// Latencies in microseconds, up to ten minutes, each within 0.1 % of what
/// it was (the log-linear layout of HdrHistogram). Single-threaded.
class latency_histogram {
public:
  /// Longer ones count as this.
  static constexpr std::uint64_t longest_us = 600'000'000;

  latency_histogram();

  void record(std::uint64_t us) noexcept;
  /// Adds all that `other` holds.
  void add(const latency_histogram& other) noexcept;

  std::uint64_t count() const noexcept {
    return count_;
  }
  /// The largest value of the slot that holds it, at most `max`; 0 where
  /// nothing was recorded. @param percent 0–100.
  std::uint64_t percentile(double percent) const noexcept;
  std::uint64_t max() const noexcept {
    return max_;
  }

private:
  /// Slots of one power of two, once values no longer have a slot each.
  static constexpr std::uint64_t half = 1024;

  static std::size_t slot_of(std::uint64_t us) noexcept;
  static std::uint64_t last_of(std::size_t slot) noexcept;

  std::vector<std::uint64_t> slots_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

} // namespace vartalap::load
