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

  node_index owner(bucket_id bucket) const noexcept {
    return owners[bucket];
  }

  bool is_mine(bucket_id bucket) const noexcept {
    return owners[bucket] == me;
  }
};

using cluster_view_ptr = std::shared_ptr<const cluster_view>;

} // namespace vartalap::core
