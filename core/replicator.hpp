#pragma once

#include "core/cluster_view.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

namespace vartalap::core {

/// `[replication]`, as the replicator needs it.
struct replication_rules {
  unsigned replicas = 0;
  unsigned min_copies = 1;
  bool accept_when_short = false;
  milliseconds patience{2000}; ///< for a commit, before another node is asked
};

/// What a replicator wants done; carried out in order.
namespace replicate {

/// Send the put of `ticket` to these nodes as well.
struct send {
  std::uint64_t ticket = 0;
  std::vector<node_index> to;
};

/// Enough nodes have it: `copies` further ones beside this.
struct confirmed {
  std::uint64_t ticket = 0;
  unsigned copies = 0;
};

/// Nobody is left who could: its sender is refused (`unavailable`).
struct refused {
  std::uint64_t ticket = 0;
};

/// The removal is known everywhere: its tombstone may go.
struct forget {
  std::uint64_t ticket = 0;
};

} // namespace replicate

using replicator_effect = std::variant<replicate::send, replicate::confirmed,
                                       replicate::refused, replicate::forget>;
using replicator_effects = std::vector<replicator_effect>;

/// Decides to which nodes a shard's storage operations go, and when a message
/// has enough copies to be confirmed. Pure; belongs to a shard.
///
/// A put goes to the bucket's holders that are live. Where fewer than
/// `min_copies` nodes that count are among them (this node included), the
/// next live nodes in line keep a copy for the absent ones: hints. A node that
/// does not answer in `patience` or is lost is replaced by the next in line.
/// Nobody left: refused, or, with accept_when_short, confirmed with what there
/// is.
class replicator {
public:
  explicit replicator(const replication_rules& rules) : rules_(rules) {
  }

  /// Takes the new view; nodes that it calls lost are replaced.
  void set_view(cluster_view_ptr view, mono_time now, replicator_effects& out);

  /// A message is to be stored, here and elsewhere.
  /// @param ticket Numbers it; unique in this replicator.
  /// @returns False: refused at once, it is not to be stored here either.
  bool put(std::uint64_t ticket, bucket_id bucket, server_id serverid,
           mono_time now, replicator_effects& out);

  /// This node has committed it.
  void committed_here(std::uint64_t ticket, mono_time now,
                      replicator_effects& out);

  /// `node` has committed what `ticket` is (a put or a removal).
  void committed(std::uint64_t ticket, node_index node, mono_time now,
                 replicator_effects& out);

  /// `node` will not (full, say).
  void failed(std::uint64_t ticket, node_index node, mono_time now,
              replicator_effects& out);

  /// The message is settled otherwise (acknowledged by all, removed, its local
  /// commit failed): nobody waits for the ticket any more.
  void drop(std::uint64_t ticket);

  /// Where a change of something stored (an acknowledgement, a device record)
  /// goes: live holders, and whoever keeps hints for the bucket.
  std::vector<node_index> targets(bucket_id bucket) const;

  /// A removal, its tombstone is written here: it goes to `targets(bucket)`;
  /// where all of them confirm and the view is calm all the while,
  /// `replicate::forget` follows.
  /// @returns The nodes to send it to.
  std::vector<node_index> remove(std::uint64_t ticket, bucket_id bucket,
                                 replicator_effects& out);

  /// Looks for commits that take too long.
  void tick(mono_time now, replicator_effects& out);

  std::size_t waiting() const noexcept {
    return pending_.size();
  }

private:
  struct holder {
    node_index node = no_node;
    enum state : std::uint8_t { asked, done, lost } where = asked;
    mono_time since{};
  };
  struct pending {
    bucket_id bucket = 0;
    bool here = false;
    bool is_removal = false;
    std::vector<holder> copies;
  };

  bool ask_more(pending& one, std::uint64_t ticket, mono_time now,
                replicator_effects& out);
  void look_at(std::uint64_t ticket, mono_time now, replicator_effects& out);
  void settle(std::uint64_t ticket, node_index node, holder::state how,
              mono_time now, replicator_effects& out);
  unsigned promised(const pending& one) const noexcept;
  unsigned committed_copies(const pending& one) const noexcept;

  replication_rules rules_;
  cluster_view_ptr view_;
  std::unordered_map<std::uint64_t, pending> pending_;
  /// Who keeps hints, by bucket, since the view was last calm.
  std::unordered_map<bucket_id, std::vector<node_index>> hinted_;
};

} // namespace vartalap::core
