#include "runtime/node_parts.hpp"

#include "runtime/metrics_collect.hpp"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <utility>

namespace vartalap::runtime {

void store_events::completed(unsigned shard,
                             std::vector<storage::completion> batch) {
  auto* node = node_.load();
  if (node == nullptr || shard >= node->shards.size())
    return;
  auto* context = node->shards[shard].get();
  context->home.post([context, batch = std::move(batch)]() mutable {
    context->completed(std::move(batch));
  });
}

void store_events::storage_failed(const std::string& what) {
  log_.write(core::log_level::error, "storage",
             "stopped confirming: " + what
               + "; the node exits with 70 and checks its data at the next "
                 "start");
  failed_.store(true);
  // Wakes the thread that waits for signals; it sees the flag.
  ::kill(::getpid(), SIGTERM);
}

void store_events::expired(std::string user, std::vector<core::server_id> ids) {
  auto* node = node_.load();
  if (node == nullptr)
    return;
  auto& context = node->shard_of(user);
  actors::tell(context.router,
               actors::messages_expired{std::move(user), std::move(ids)});
}

counters_sum sum_counters(actors::node_context& node, core::milliseconds wait) {
  struct collected {
    std::mutex mutex;
    std::condition_variable arrived;
    std::size_t missing = 0;
    counters_sum sum;
  };
  auto shared = std::make_shared<collected>();
  shared->missing = node.shards.size();
  for (auto& one : node.shards) {
    one->home.post([context = one.get(), shared] {
      const std::lock_guard lock(shared->mutex);
      accumulate(shared->sum.mailboxes, context->counters);
      accumulate(shared->sum.connections, context->connection_counts);
      accumulate(shared->sum.groups, context->groups);
      shared->sum.open_records += context->open_records;
      shared->sum.open_mailboxes += context->deliveries.size()
                                    - context->open_records;
      shared->sum.open_websockets += context->connections.size();
      if (--shared->missing == 0)
        shared->arrived.notify_all();
    });
  }
  std::unique_lock lock(shared->mutex);
  shared->sum.complete = shared->arrived.wait_for(
    lock, wait, [&] { return shared->missing == 0; });
  return shared->sum;
}

} // namespace vartalap::runtime
