#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace vartalap::core {

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;
inline constexpr std::size_t GiB = 1024 * MiB;

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// A point on the monotonic clock, in microseconds. Only differences mean
/// something; `mono_time::max()` is "never".
using mono_time
  = std::chrono::time_point<std::chrono::steady_clock, microseconds>;

/// Milliseconds since the Unix epoch, as clients and records carry them.
using wall_ms = std::uint64_t;

/// What time it is, on both clocks. Core never asks a clock: every event
/// brings the time at which it happened.
struct instant {
  mono_time mono{};
  wall_ms wall = 0;
};

} // namespace vartalap::core
