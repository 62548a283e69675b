#pragma once

#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace vartalap::storage {

/// Room of a file system, in bytes.
struct disk_space {
  std::uint64_t total = 0;
  std::uint64_t free = 0; ///< for us: without what is reserved for root
};

/// Faults that tests plant to see that they would be found.
struct store_faults {
  /// Completions go out before the commit: the classic lie that only a power
  /// cut shows.
  bool confirm_before_commit = false;
  /// Called between the two; what it takes makes the commit late.
  std::function<void()> confirmed_early;
};

/// What the store takes from the system around it; a test puts its own
/// there. Default: the real thing.
struct store_hooks {
  /// Wall clock, ms since the epoch.
  std::function<core::wall_ms()> wall_clock;
  /// Room where this directory lies.
  std::function<disk_space(const std::string& directory)> space;
  /// Type of the file system there, as statfs names it.
  std::function<std::uint64_t(const std::string& directory)> file_system;
  /// Below this much free disk, or below 5 %, new messages are refused.
  std::size_t free_bytes_min = 512 * core::MiB;
  store_faults faults;
};

} // namespace vartalap::storage
