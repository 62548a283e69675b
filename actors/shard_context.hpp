#pragma once

#include "actors/identity.hpp"
#include "actors/messages.hpp"
#include "actors/scheduler.hpp"
#include "core/dedupe_window.hpp"
#include "core/mailbox.hpp"
#include "core/node_clock.hpp"
#include "core/options.hpp"
#include "core/ports.hpp"
#include "net/shard.hpp"
#include "net/worker_pool.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vartalap::actors {

class rate_limits;
class replicated_store;
class shard_context;

/// What the actors of a node share. Assembled by runtime/node, constant once
/// the listener accepts.
struct node_context {
  const core::cluster_options& options;
  storage::store& store;
  net::worker_pool& workers;
  core::log_port& log;
  rate_limits& rates;
  std::vector<std::unique_ptr<shard_context>> shards;
  caf::actor notifier;
  std::atomic<core::attachment_id> last_attachment{0};
  /// Decides about the cluster; null where this node is all of it.
  caf::actor cluster{};
  std::string name{}; ///< of this node, as in cluster.toml
  /// Behind all serverIds; links carry it and hear the peers'.
  core::node_clock clock{};
  identity_services identity{options.limits};

  /// The shard on which a user's delivery actor runs.
  shard_context& shard_of(std::string_view user) const;
};

/// What the actors of one shard share. Belongs to the shard's thread, except
/// for `home` and what `router` is: a handle.
class shard_context final : private net::turn_output {
public:
  shard_context(node_context& node, net::shard& home,
                const storage::identity& who, unsigned shard_count);
  ~shard_context() override;

  node_context& node;
  net::shard& home;
  caf::actor router;
  core::dedupe_window dedupe;
  core::server_id_clock ids;
  core::mailbox_counters counters;
  core::connection_counters connection_counts;
  core::group_counters groups;
  std::size_t open_records = 0; ///< of `deliveries`: groups, lists of groups
  core::mailbox_context mailboxes;

  /// Actors by the number under which storage knows them: deliveries, and the
  /// router for what other nodes have stored here.
  std::unordered_map<std::uint64_t, caf::actor> deliveries;
  std::uint64_t last_owner = 0;

  /// Mailboxes that are open, by the same number.
  std::unordered_map<std::uint64_t, const core::mailbox*> open_mailboxes;

  /// Connection actors whose session is open, by their attachment.
  std::unordered_map<core::attachment_id, caf::actor> connections;

  /// Reused by every event, so that events cost no allocation.
  core::mailbox_effects effects;
  std::string encoded;

  core::instant now() const;

  /// Queues an operation, here and on the nodes that are to have copies; what
  /// a turn gathers goes to storage at its end.
  void store(std::uint64_t owner, storage::operation what);

  /// Queues an operation for this node's storage alone.
  void store_here(std::uint64_t owner, storage::operation what);

  /// Changes a row of a user in this node's storage; `done` hears, in this
  /// order and on this thread, whether it is durable.
  void change_row(storage::operation what, std::function<void(bool)> done);

  /// Hands completions to the actors that wait for them.
  void completed(std::vector<storage::completion> batch);

  /// Hands to storage what is gathered, without waiting for the turn's end.
  void flush_now();

  /// In a cluster: the way to storage that makes copies. Null otherwise.
  std::unique_ptr<replicated_store> copies;

  /// Other nodes' operations that storage has not finished: what opens a
  /// mailbox has to wait for them (storage::op::barrier).
  std::size_t copies_in_flight = 0;

  /// Hands out what `copies` has brought about by itself.
  void hand_out(std::vector<storage::completion> batch);

private:
  void flush() override;
  void flush_soon();

  std::vector<storage::request> gathered_;
  bool flush_due_ = false;
  std::deque<std::function<void(bool)>> row_changes_; ///< not answered yet
};

/// Sends from the shard's thread without a detour through CAF's scheduler.
template <class T>
void tell(const caf::actor& to, T&& message) {
  if (to)
    to->enqueue(nullptr, caf::make_message_id(),
                caf::make_message(std::forward<T>(message)),
                shard_unit::current());
}

} // namespace vartalap::actors
