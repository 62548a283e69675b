#pragma once

#include "actors/push_board.hpp"
#include "core/counters.hpp"
#include "net/listener.hpp"
#include "net/shard.hpp"
#include "runtime/metrics.hpp"
#include "storage/store.hpp"

namespace vartalap::runtime {

/// Adds the counters of one shard to a sum over shards.
void accumulate(core::mailbox_counters& sum,
                const core::mailbox_counters& shard);
void accumulate(core::connection_counters& sum,
                const core::connection_counters& shard);
void accumulate(core::group_counters& sum, const core::group_counters& shard);

/// Shows the sum of all shards' counters as `mailbox_*`.
void publish(process_metrics& metrics, const core::mailbox_counters& sum);
/// Shows what connections have counted: refusals and pauses.
void publish(process_metrics& metrics, const core::connection_counters& sum);

/// Shows what groups have counted as `group_*`.
void publish(process_metrics& metrics, const core::group_counters& sum);

/// Shows the state of the store as `storage_*`.
void publish(process_metrics& metrics, const storage::store_status& status);

/// Shows what the notifier has counted as `push_*`.
void publish(process_metrics& metrics, const actors::push_board::picture& seen);

/// Shows what the clients' port has counted.
void publish(process_metrics& metrics, const net::listener_counters& counters);

/// Shows how busy a shard's thread is, and begins to look for its longest lag
/// anew.
void publish(process_metrics& metrics, net::shard& shard);

/// Shows memory, open files and CPU of this process. Reads /proc/self; where
/// that cannot be read, the values stay as they were.
void publish_process(process_metrics& metrics);

} // namespace vartalap::runtime
