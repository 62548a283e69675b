#pragma once

#include "core/cluster_messages.hpp"
#include "core/cluster_view.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <vector>

namespace vartalap::core {

/// What a node's cluster_core wants done. Calls come from within its events;
/// answers come later, as events, never from within the call.
class cluster_port {
public:
  virtual ~cluster_port() = default;

  /// To a live peer; in order, not lost while its link is up.
  virtual void send(node_index peer, cluster_message message) = 0;

  /// The view has changed, or held messages may go on (`release`). Routers turn
  /// to the new owners: they yield the mailboxes that are not ours any more
  /// (store what they hold, end), and re-attach their connections.
  virtual void publish(cluster_view_ptr view) = 0;

  /// Before these buckets are handed over: routers hold what comes for them,
  /// and end their mailboxes once all they hold is stored and replicated;
  /// answered by `released`. What is held is routed by the next view: one is
  /// published after `released` in any case, for a hand-over may be called off.
  virtual void release(const std::vector<bucket_id>& buckets) = 0;

  /// Reads storage's digests of [first, first + count); answered by
  /// `sums_read`. `request` comes back. This read, `read_bucket` and `copy`
  /// see every change that was decided under an older view than the last one
  /// published: they wait for the routers to have it, and for what is in
  /// storage's queue by then.
  virtual void
  read_sums(std::uint64_t request, bucket_id first, std::uint32_t count)
    = 0;

  /// Reads all of one bucket; answered by `bucket_read`.
  virtual void read_bucket(std::uint64_t request, bucket_id bucket) = 0;

  /// Copies these messages (those that are still here) to the peer, with who
  /// has acknowledged them; the peer commits them, or merges the
  /// acknowledgements into what it has, unless it remembers their removal.
  /// What it removed in the last ten seconds it does not take either: it
  /// remembers that removal from then on (`cluster_core::keeps`). Answered by
  /// `copied`.
  virtual void copy(std::uint64_t request, node_index peer, bucket_id bucket,
                    const std::vector<say::message_mark>& messages)
    = 0;

  /// Applies what a peer knows: removals, device records (`is_newer` wins).
  /// A removal is remembered where it removes something that is held here when
  /// it is carried out, and only there: that is what ends the story of a
  /// tombstone. Mailboxes that are open hear of it too. Answered by `applied`
  /// once durable.
  virtual void apply(std::uint64_t request,
                     const std::vector<say::removal>& removals,
                     const std::vector<say::device_of>& devices)
    = 0;

  /// Deletes messages that are not ours to keep: all holders have them.
  virtual void drop(const std::vector<say::message_mark>& messages) = 0;

  /// Deletes device records that are not ours to keep, where they are still as
  /// told here.
  virtual void drop_devices(const std::vector<say::device_of>& devices) = 0;

  /// All live nodes are to follow the list that was proposed: it is in force
  /// from now on (`set_members` follows).
  virtual void agreed() = 0;

  /// Forgets tombstones: every node knows.
  virtual void forget(const std::vector<say::removal>& removals) = 0;
};

} // namespace vartalap::core
