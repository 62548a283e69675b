#pragma once

#include "core/push_queue.hpp"

#include <cstddef>
#include <mutex>

namespace vartalap::actors {

/// What the notifier has counted, for metrics. Any thread.
class push_board {
public:
  struct picture {
    core::push_counters counters;
    std::size_t waiting = 0; ///< users in memory who are to be woken
  };

  void show(const core::push_counters& counters, std::size_t waiting) {
    const std::lock_guard lock(mutex_);
    now_ = {counters, waiting};
  }

  picture look() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }

private:
  mutable std::mutex mutex_;
  picture now_;
};

} // namespace vartalap::actors
