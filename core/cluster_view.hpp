#pragma once

#include "core/placement.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace vartalap::core {

/// Who does what in the cluster, as one node sees it at one moment. Made by
/// `cluster_core`, shared by routers and replicators. Immutable; any thread.
struct cluster_view {
  std::shared_ptr<const placement> where;
  node_index me = 0;
  unsigned replicas = 0;
  /// By bucket: whom its users' mailboxes live with; `no_node` while nobody
  /// who can be reached may take it.
  std::vector<node_index> owners;
  /// By node: it can be reached (oneself always).
  std::vector<bool> live;
  /// By node: what it commits counts as a copy. False for nodes that are away
  /// and for those that have lost confirmed data and were not repaired yet.
  std::vector<bool> counts;
  /// All members are live and in step: nobody holds copies for somebody else
  /// and nobody lacks any. Only then may removals be forgotten as soon as the
  /// holders have confirmed them.
  bool calm = false;
  /// Some two live nodes do not reach each other: whoever sees both carries
  /// on to the one what it stores for the other (`keeps_for_others`).
  bool split = false;
  /// Enough nodes are live for a message to be confirmed, and who has taken
  /// which buckets meanwhile is known. Where not, a home takes none: it would
  /// deliver what the others' home knows nothing of.
  bool may_confirm = true;
  /// By node: this node has been in step with it at some time since it
  /// started: it has learnt then what the other knew.
  std::vector<bool> met;

  node_index owner(bucket_id bucket) const noexcept {
    return owners[bucket];
  }

  bool is_mine(bucket_id bucket) const noexcept {
    return owners[bucket] == me;
  }

  /// This node is to hold the bucket, whoever owns it.
  bool is_held_here(bucket_id bucket) const noexcept {
    return where->rank(bucket, me) <= replicas;
  }

  /// Whether all devices of the bucket's users are known here: it is held
  /// here, and another holder was met. Where not, a message stays although all
  /// known devices have acknowledged it: another one may owe.
  bool knows_devices(bucket_id bucket) const noexcept {
    const auto holders = where->holders(bucket, replicas);
    bool known = holders.size() == 1;
    for (const auto node : holders)
      known = known || (node != me && met[node]);
    return known && is_held_here(bucket);
  }

  /// Whether what is stored here for this bucket has to be carried on to
  /// others: after each such commit `cluster_core::keeps` is told.
  bool keeps_for_others(bucket_id bucket) const noexcept {
    return split || (!is_mine(bucket) && !is_held_here(bucket));
  }
};

using cluster_view_ptr = std::shared_ptr<const cluster_view>;

} // namespace vartalap::core
