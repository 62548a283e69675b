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

  /// The view has changed. Routers turn to the new owners: they yield the
  /// mailboxes that are not ours any more (store what they hold, end), and
  /// re-attach their connections.
  virtual void publish(cluster_view_ptr view) = 0;

  /// Before these buckets are handed over: routers hold what comes for them,
  /// and end their mailboxes once all they hold is stored and replicated;
  /// answered by `released`.
  virtual void release(const std::vector<bucket_id>& buckets) = 0;

  /// Reads storage's digests of [first, first + count); answered by
  /// `sums_read`. `request` comes back.
  virtual void
  read_sums(std::uint64_t request, bucket_id first, std::uint32_t count)
    = 0;

  /// Reads all of one bucket; answered by `bucket_read`.
  virtual void read_bucket(std::uint64_t request, bucket_id bucket) = 0;

  /// Copies these messages (those that are still here) to the peer, who
  /// commits them; answered by `copied`.
  virtual void copy(std::uint64_t request, node_index peer, bucket_id bucket,
                    const std::vector<say::message_mark>& messages)
    = 0;

  /// Applies what a peer knows: removals (each with its tombstone), device
  /// records (later wins). Mailboxes that are open hear of it too. Answered by
  /// `applied` once durable.
  virtual void apply(std::uint64_t request,
                     const std::vector<say::removal>& removals,
                     const std::vector<say::device_of>& devices)
    = 0;

  /// Deletes messages that are not ours to keep: all holders have them.
  virtual void drop(const std::vector<say::message_mark>& messages) = 0;

  /// Forgets tombstones: every node knows.
  virtual void forget(const std::vector<say::removal>& removals) = 0;
};

/// How a node's cluster_core behaves.
struct cluster_rules {
  unsigned replicas = 0;
  unsigned live_min = 1; ///< nodes, this one included, without which nothing
                         ///< could be confirmed: no takeover then
  milliseconds wait_for_peers{3000}; ///< joining: for links to all members
  milliseconds wait_for_step{
    10'000}; ///< joining: for passes with the live ones
  milliseconds repair_interval{600'000}; ///< of passes when nothing happened
  milliseconds ask_after{1000};   ///< please_take, when an owner stays away
  milliseconds stood_still{1000}; ///< without any event: this process did
  milliseconds hear_first{3000};  ///< then it takes nothing over for so long
  std::uint32_t slice = 1024;     ///< buckets whose sums go in one message
  std::uint32_t buckets_at_once = 16;   ///< listings under way to one peer
  std::uint32_t release_at_once = 1024; ///< buckets handed over in one step
};

} // namespace vartalap::core
