#pragma once

#include "core/units.hpp"

#include <atomic>
#include <cstdint>

namespace vartalap::core {

/// The hybrid logical clock of a node: its shards' serverIds come from it, and
/// what it hears from other nodes moves it. A time is milliseconds since the
/// epoch (48 bits) above a counter (16 bits), as in server_id::high.
///
/// Any thread; no locks.
class node_clock {
public:
  /// A node that is further ahead than this has a wrong clock. It is not
  /// followed: every other node's times would be wrong for so long, and their
  /// messages expire too late. The same hour that storage's clock_guard allows.
  static constexpr milliseconds ahead_max{3'600'000};

  /// A time greater than every one that was given or heard before. `wall` only
  /// moves the clock forward; the counter carries into the milliseconds.
  std::uint64_t next(wall_ms wall) noexcept {
    auto last = last_.load(std::memory_order_relaxed);
    std::uint64_t time = 0;
    do
      time = last + 1 > wall << 16 ? last + 1 : wall << 16;
    while (!last_.compare_exchange_weak(last, time, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
    return time;
  }

  /// A time that is no less than any that was given or heard: for other nodes.
  std::uint64_t read(wall_ms wall) const noexcept {
    const auto last = last_.load(std::memory_order_acquire);
    return last > wall << 16 ? last : wall << 16;
  }

  /// Moves the clock to `time` at least.
  void raise(std::uint64_t time) noexcept {
    auto last = last_.load(std::memory_order_relaxed);
    while (last < time
           && !last_.compare_exchange_weak(
             last, time, std::memory_order_acq_rel, std::memory_order_relaxed))
      ;
  }

  /// Takes notice of another node's time: whatever `next` gives afterwards is
  /// greater.
  /// @returns False, and nothing has changed, where it is more than `ahead_max`
  ///          ahead of `wall`.
  bool hear(std::uint64_t time, wall_ms wall) noexcept {
    if (time >> 16 > wall + static_cast<wall_ms>(ahead_max.count()))
      return false;
    raise(time);
    return true;
  }

private:
  std::atomic<std::uint64_t> last_{0};
};

} // namespace vartalap::core
