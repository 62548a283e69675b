#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace vartalap::net {

/// A few threads for what blocks: reads of cold mailboxes from the disk.
/// Tasks start in the order in which they came.
class worker_pool {
public:
  explicit worker_pool(std::size_t threads);
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Runs `task` on one of the threads. Any thread. After `stop` it is
  /// dropped.
  void post(std::function<void()> task);

  /// Waits for the tasks that run, drops those that wait. Idempotent.
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace vartalap::net
