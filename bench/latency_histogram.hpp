#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace vartalap::bench {

/// Counts durations in microseconds in log-linear buckets: exact below 64 µs,
/// above that the value it reports is at most 1/64 too low. Fixed size, no
/// allocation, O(1) to record. One thread.
class latency_histogram {
public:
  /// Counts one duration of `us` microseconds.
  void record(std::uint64_t us) noexcept {
    ++counts_[bucket_of(us)];
    ++total_;
  }

  /// How many durations were recorded.
  std::uint64_t count() const noexcept {
    return total_;
  }

  /// The duration in µs that the fraction `q` (0 to 1) of all recorded ones
  /// does not exceed; 0 when nothing was recorded.
  std::uint64_t quantile(double q) const noexcept {
    const auto rank
      = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= rank)
        return lower_bound_of(i);
    }
    return 0;
  }

private:
  static constexpr std::size_t linear = 64; // buckets in each power of two

  static std::size_t bucket_of(std::uint64_t us) noexcept {
    if (us < linear)
      return static_cast<std::size_t>(us);
    const auto shift = static_cast<std::size_t>(std::bit_width(us)) - 7;
    return linear * shift + static_cast<std::size_t>(us >> shift);
  }

  static std::uint64_t lower_bound_of(std::size_t bucket) noexcept {
    if (bucket < 2 * linear)
      return bucket;
    const std::size_t shift = bucket / linear - 1;
    return static_cast<std::uint64_t>(bucket - linear * shift) << shift;
  }

  std::array<std::uint64_t, linear * 59> counts_{};
  std::uint64_t total_ = 0;
};

} // namespace vartalap::bench
