#include "storage/clock_guard.hpp"

#include <chrono>
#include <cstdint>

namespace vartalap::storage {

namespace {

constexpr std::int64_t jump_ms_max = 3'600'000;
constexpr core::wall_ms gap_ms_max = 7ULL * 24 * 3'600'000;

} // namespace

clock_guard::clock_guard(core::instant start, core::wall_ms newest)
  : start_(start), newest_(newest) {
}

std::optional<std::string> clock_guard::check(core::instant now) {
  if (paused_)
    return std::nullopt;
  if (newest_ != 0 && start_.wall > newest_ + gap_ms_max) {
    paused_ = true;
    return "the clock stood at start "
           + std::to_string((start_.wall - newest_) / 3'600'000)
           + " h past the newest message: expiry is paused until an operator "
             "confirms the clock";
  }
  const auto wall = static_cast<std::int64_t>(now.wall)
                    - static_cast<std::int64_t>(start_.wall);
  const auto mono
    = std::chrono::duration_cast<core::milliseconds>(now.mono - start_.mono)
        .count();
  const auto jump = wall - mono;
  if (jump > jump_ms_max || jump < -jump_ms_max) {
    paused_ = true;
    return "the wall clock has jumped by " + std::to_string(jump / 1000)
           + " s: expiry is paused until an operator confirms the clock";
  }
  return std::nullopt;
}

void clock_guard::resume(core::instant now) noexcept {
  start_ = now;
  newest_ = 0;
  paused_ = false;
}

} // namespace vartalap::storage
