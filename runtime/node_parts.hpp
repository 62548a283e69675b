#pragma once

#include "actors/client_gateway.hpp"
#include "actors/rate_limits.hpp"
#include "actors/scheduler.hpp"
#include "actors/shard_context.hpp"
#include "net/listener.hpp"
#include "net/static_files.hpp"
#include "net/worker_pool.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// Carries what the store's writer says to the shards that wait for it.
class store_events final : public storage::completion_sink {
public:
  explicit store_events(core::log_port& log) : log_(log) {
  }

  /// From here on completions have somewhere to go. Before the first submit.
  void connect(actors::node_context& node) noexcept {
    node_ = &node;
  }

  void completed(unsigned shard,
                 std::vector<storage::completion> batch) override;
  void storage_failed(const std::string& what) override;
  void expired(std::string user, std::vector<core::server_id> ids) override;

  bool failed() const noexcept {
    return failed_.load();
  }

private:
  core::log_port& log_;
  std::atomic<actors::node_context*> node_{nullptr};
  std::atomic<bool> failed_{false};
};

/// A copy of all shards' counters, taken on their threads.
/// @param wait How long to wait for a shard that is busy; its counters are
///             then missing from the sum, and `complete` is false.
struct counters_sum {
  core::mailbox_counters mailboxes;
  core::connection_counters connections;
  core::group_counters groups;
  std::size_t open_records = 0; ///< groups, lists of groups
  std::size_t open_mailboxes = 0;
  std::size_t open_websockets = 0;
  bool complete = true;
};
counters_sum sum_counters(actors::node_context& node, core::milliseconds wait);

} // namespace vartalap::runtime
