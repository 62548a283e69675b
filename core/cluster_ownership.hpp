#pragma once

#include "core/cluster_messages.hpp"
#include "core/placement.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace vartalap::core {

/// Whose the buckets are, as one node sees it: claims, takeover, yield,
/// hand-over. The rules stand at `cluster_core`, whose part this is.
/// Events note what they touch; `settle` works it off, so that a link that
/// comes or goes costs one sweep over the buckets and a claim only its own.
class cluster_ownership {
public:
  cluster_ownership(std::shared_ptr<const placement> where, node_index me);

  /// Another member list: what is known of nodes that stay goes along. What
  /// this node owned it claims, to be handed over in order.
  cluster_ownership(std::shared_ptr<const placement> where, node_index me,
                    const cluster_ownership& before);

  /// A node can be reached (oneself always), and serves.
  void set_node(node_index node, bool live, bool serving);

  /// Whether this node may take over what others stand before it for; what it
  /// has claimed already it keeps. True at first.
  void allow_takeovers(bool allowed);

  /// Gives up all claims. `settle` follows.
  void abdicate();

  /// Claims of a live peer; those of a peer that is lost are forgotten.
  void heard(node_index from, const say::claims& claims);
  void lost(node_index node);

  /// This node claims the bucket over whoever claims it now, unless it does
  /// already. @pre It serves.
  void take(bucket_id bucket);

  /// This node claims whatever it owns.
  void claim_owned();

  /// What `settle` found.
  struct changes {
    say::claims claims;   ///< of this node, to be told: new ones, released ones
    bool owners = false;  ///< somebody owns another bucket than before
    bool yielded = false; ///< this node owned one and does not any more
    std::set<node_index> takers; ///< who have taken what this node owned
  };
  changes settle(wall_ms now);

  /// Buckets that this node claims and that may go to whom they belong, at
  /// most `most`; they count as being released until `released`.
  /// @param ready By node: it is in step with us and every live peer reaches
  ///              it.
  std::vector<bucket_id> hand_over(const std::vector<bool>& ready,
                                   std::size_t most);

  /// Gives up the claims on these, but for those whose hand-over has become
  /// impossible meanwhile. `settle` follows.
  void released(const std::vector<bucket_id>& buckets,
                const std::vector<bool>& ready);

  /// Hand-overs that wait for `released`.
  bool is_releasing() const noexcept {
    return !releasing_.empty();
  }

  /// Buckets that would be their owners' by rank although somebody before them
  /// in line cannot be reached from here: those owners do not know of it.
  std::map<node_index, std::vector<bucket_id>> unclaimed() const;

  say::claims own_claims() const;
  std::uint32_t own_claim_count() const noexcept;

  const std::vector<node_index>& owners() const noexcept {
    return owners_;
  }

private:
  std::uint64_t epoch(node_index node, bucket_id bucket) const noexcept;
  void set_epoch(node_index node, bucket_id bucket, std::uint64_t epoch);
  void touch(bucket_id bucket);
  node_index claimant(bucket_id bucket) const noexcept;
  bool is_ours_anyway(bucket_id bucket) const noexcept;
  node_index first_serving(bucket_id bucket) const noexcept;
  node_index heir(bucket_id bucket, const std::vector<bool>& ready) const;
  void update(bucket_id bucket, changes& out);
  std::uint64_t next_epoch(wall_ms now);

  std::shared_ptr<const placement> where_;
  node_index me_;
  std::vector<bool> live_;
  std::vector<bool> serving_;
  /// By node and bucket, 0 where it claims nothing; a node without claims has
  /// no table.
  std::vector<std::vector<std::uint64_t>> epochs_;
  std::vector<std::uint32_t> claims_; ///< by node: how many
  std::vector<node_index> owners_;
  std::vector<bucket_id> touched_;
  std::vector<bucket_id> taken_;    ///< by `take`, not settled yet
  std::vector<bucket_id> given_up_; ///< by `released`, not settled yet
  bool all_touched_ = true;
  bool takes_over_ = true;
  std::set<bucket_id> releasing_;
  std::uint64_t last_epoch_ = 0; ///< the greatest seen
  std::uint64_t epoch_now_ = 0;  ///< of the claims of this `settle`
};

} // namespace vartalap::core
