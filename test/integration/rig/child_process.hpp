#pragma once

#include "test/integration/rig/tcp_stream.hpp"

#include <sys/types.h>

namespace vartalap::integration {

/// A process that a test has started: its end can be waited for with a limit.
/// Killed, if it still runs, with the object.
class child_process {
public:
  child_process() = default;
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  /// Watches over a process that was just started.
  void adopt(pid_t pid);

  pid_t pid() const noexcept {
    return pid_;
  }

  /// No-op where it has ended.
  void signal(int number) const;

  /// kill -9, and its end.
  void kill();

  /// @returns False where it still runs after `limit`.
  bool ended_within(milliseconds limit);

  /// Exit status, or 128 + the signal that ended it; -1 while it runs.
  int status() const noexcept {
    return status_;
  }

private:
  pid_t pid_ = -1;
  int watch_ = -1;
  int status_ = -1;
};

} // namespace vartalap::integration
