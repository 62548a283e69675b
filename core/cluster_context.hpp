#pragma once

#include "core/cluster_ownership.hpp"
#include "core/cluster_port.hpp"
#include "core/cluster_rules.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace vartalap::core {

/// What one node knows of another.
struct cluster_peer {
  bool live = false;
  bool trusted = true;  ///< false until passes repaired what it has lost
  bool met = false;     ///< was in step with it since this node started
  bool greeted = false; ///< has our claims and status, since the link came up
  node_phase phase = node_phase::joining;
  bool has_status = false;
  std::vector<node_index> reaches;
  bool says_in_step = false;
  std::uint64_t next_members = 0; ///< that it says
  bool offered = false;           ///< a pass of ours to it is through
  bool heard = false;             ///< a pass of it to us is through

  bool is_in_step() const noexcept {
    return live && offered && heard;
  }
};

/// What an outstanding question to the port was for.
enum class asked_for : std::uint8_t {
  survey,       ///< our own sums, for what lies here for others
  check,        ///< our own bucket, for the same
  offer_sums,   ///< a pass to `peer`: our sums
  offer_bucket, ///< … our listing
  offer_copy,   ///< … copies that the peer wanted
  offer_apply,  ///< … removals that the peer knew
  answer_sums,  ///< a pass of `peer`: our sums to compare with its
  answer_bucket,
  answer_apply,
};

struct cluster_request {
  asked_for what = asked_for::survey;
  node_index peer = no_node;
  bucket_id bucket = 0; ///< or the first of a slice
};

/// What the parts of a cluster_core share. Belongs to the first shard.
struct cluster_context {
  std::shared_ptr<const placement> where;
  node_index me = 0;
  cluster_rules rules;
  cluster_port* port = nullptr;
  std::vector<cluster_peer> peers; ///< by node_index
  cluster_ownership ownership;
  std::map<std::uint64_t, cluster_request> requests; ///< outstanding
  std::uint64_t last_request = 0;

  std::uint64_t ask(const cluster_request& what) {
    requests.emplace(++last_request, what);
    return last_request;
  }

  node_index owner(bucket_id bucket) const noexcept {
    return ownership.owners()[bucket];
  }

  bool holds(node_index node, bucket_id bucket) const noexcept {
    return where->rank(bucket, node) <= rules.replicas;
  }

  /// The node is to have what is in the bucket.
  bool concerns(node_index node, bucket_id bucket) const noexcept {
    return owner(bucket) == node || holds(node, bucket);
  }

  bool all_live() const noexcept {
    for (std::size_t i = 0; i < peers.size(); ++i)
      if (i != me && !peers[i].live)
        return false;
    return true;
  }
};

} // namespace vartalap::core
