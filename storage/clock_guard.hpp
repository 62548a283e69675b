#pragma once

#include "core/units.hpp"

#include <optional>
#include <string>

namespace vartalap::storage {

/// Keeps a wrong clock from deleting messages: expiry pauses when the wall
/// clock has moved more than an hour against the monotonic one, or stands at
/// start more than seven days past the newest message, until an operator has
/// confirmed the clock. Pure; belongs to the writer's thread.
class clock_guard {
public:
  /// @param newest Time of the newest message on disk, 0 for none.
  clock_guard(core::instant start, core::wall_ms newest);

  /// @returns A text for the log when this check has paused expiry.
  std::optional<std::string> check(core::instant now);

  bool paused() const noexcept {
    return paused_;
  }

  /// The clock is right as it is now.
  void resume(core::instant now) noexcept;

private:
  core::instant start_;
  core::wall_ms newest_;
  bool paused_ = false;
};

} // namespace vartalap::storage
