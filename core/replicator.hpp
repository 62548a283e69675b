#pragma once

#include "core/cluster_view.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
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
  explicit replicator(const replication_rules& rules);

  /// Takes the new view; nodes that it calls lost are replaced.
  void set_view(cluster_view_ptr view, mono_time now, replicator_effects& out);

  /// A message is to be stored, here and elsewhere.
  /// @pre A view was set.
  /// @param ticket Numbers it; unique in this replicator.
  /// @returns False: refused at once, it is not to be stored here either.
  bool put(std::uint64_t ticket, bucket_id bucket, server_id serverid,
           mono_time now, replicator_effects& out);

  /// This node has committed it.
  void committed_here(std::uint64_t ticket, replicator_effects& out);

  /// `node` has committed what `ticket` is (a put or a removal).
  void committed(std::uint64_t ticket, node_index node,
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
  /// `replicate::forget` follows. A target remembers it too, where it held the
  /// message, unless the view is calm both here and there; and when its calm
  /// ends, each node remembers what it removed in the last ten seconds.
  /// @returns The nodes to send it to.
  std::vector<node_index> remove(std::uint64_t ticket, bucket_id bucket,
                                 replicator_effects& out);

  /// Looks for commits that take too long.
  void tick(mono_time now, replicator_effects& out);

  /// Tickets that wait for commits.
  std::size_t waiting() const noexcept;

private:
  /// Places in a bucket's line, a bit for each.
  using places = std::uint8_t;
  static_assert(placement::line_max <= 8);

  struct ticket {
    bucket_id bucket = 0;
    bool is_removal = false;
    bool committed_here = false;
    places asked = 0; ///< was sent to
    places done = 0;  ///< has committed
    places lost = 0;  ///< will not, or not in time
  };

  struct deadline {
    mono_time at;
    std::uint64_t ticket = 0;
  };

  /// Nodes that keep copies for absent holders, and since when.
  struct hint {
    places who = 0;
    mono_time at{};
  };

  using table = std::unordered_map<std::uint64_t, ticket>;

  bool follow_view(std::uint64_t number, ticket& of, const cluster_view& before,
                   mono_time now, replicator_effects& out);
  places live_holders(bucket_id bucket) const;
  places counting(bucket_id bucket, places among) const;
  void send(std::uint64_t number, ticket& to, places whom, mono_time now,
            replicator_effects& out);
  bool ask_more(std::uint64_t number, ticket& to, mono_time now,
                replicator_effects& out);
  bool settle(std::uint64_t number, ticket& of, bool short_of_nodes,
              replicator_effects& out);
  bool replace(std::uint64_t number, ticket& of, mono_time now,
               replicator_effects& out);
  void move_to(const placement& from, const placement& to);
  void forget_hints(mono_time now);

  replication_rules rules_;
  cluster_view_ptr view_;
  table tickets_;
  std::deque<deadline> deadlines_; ///< ascending: patience is the same for all
  std::unordered_map<bucket_id, hint> hints_;
};

} // namespace vartalap::core
