#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>

namespace vartalap::bench {

/// Reads what another process of this machine has used. Any thread.
class process_meter {
public:
  /// @throws std::runtime_error when there is no process `pid`.
  explicit process_meter(pid_t pid);

  /// User and system time of all its threads so far, those that have ended
  /// included, in µs. The kernel keeps it in nanoseconds, so it is far finer
  /// than the 10 ms ticks of /proc/PID/stat, and it is the same quantity.
  /// @throws std::runtime_error when the process has ended.
  double cpu_us() const;

  /// Proportional set size in bytes, from /proc/PID/smaps_rollup. Memory that
  /// the kernel holds for its sockets is not in it.
  /// @throws std::runtime_error when the process has ended or is not ours.
  std::uint64_t pss_bytes() const;

private:
  pid_t pid_;
  clockid_t clock_{};
};

} // namespace vartalap::bench
