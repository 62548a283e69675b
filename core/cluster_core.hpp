#pragma once

#include "core/cluster_messages.hpp"
#include "core/cluster_port.hpp"
#include "core/cluster_view.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace vartalap::core {

/// Everything that one node decides about the cluster: who is live, whose the
/// buckets are, when they are taken over, handed over and drained, and what
/// has to be copied to whom so that every holder has what it is to hold.
///
/// Ownership is soft: it says to whom routers turn. That nothing is lost
/// rests on copies alone (`replicator`, passes); two owners of one bucket, as
/// in a split, are allowed: what either stores reaches the other as a copy
/// when they meet.
///
/// Owner of a bucket, as this node sees it: of the claims of live nodes the
/// one with the greatest epoch; without a claim the first in line that is live
/// and serving.
///  - Takeover: where that makes this node the owner of a bucket in whose line
///    a member stands before it, it claims the bucket.
///  - Yield: a live peer's claim with a greater epoch (any claim, where ours
///    is only by rank) ends our ownership.
///  - Hand-over: a bucket that we claim goes to the first in line that is live
///    and serving, once it is in step with us and every live peer reaches it:
///    `release`, then the claim is given up.
///  - Draining: as a hand-over of everything, to the first in line but us.
///
/// Passes: a pass offers to one peer all that is held here and concerns it:
/// buckets of which it is a holder or the owner, and all tombstones. Sums
/// first, then the buckets that differ, then what it lacks. A pass to a peer
/// starts when its link comes up, when it is told so (`out_of_step`), and
/// every `repair_interval`. Two nodes are in step when each has finished a
/// pass to the other since the link came up. Messages that are held here for
/// absent holders are dropped when all holders confirmed the bucket; a
/// tombstone is forgotten when all members have confirmed it.
///
/// Pure: events come in with their time, wishes go out through the port.
/// Belongs to the first shard.
class cluster_core {
public:
  cluster_core(std::shared_ptr<const placement> where, node_index me,
               const cluster_rules& rules, cluster_port& port, instant now);
  ~cluster_core();

  /// A link is up; the peer's claims and status follow.
  /// @param trusted False: the peer has lost confirmed data: it does not count
  ///                until passes with it are through.
  void link_up(node_index peer, bool trusted, instant now);
  void link_down(node_index peer, instant now);
  void received(node_index peer, cluster_message message, instant now);

  void sums_read(std::uint64_t request,
                 const std::vector<say::bucket_sum>& sums,
                 std::vector<bucket_id> with_removals, instant now);
  void bucket_read(std::uint64_t request, say::listing content, instant now);
  void copied(std::uint64_t request, bool ok, instant now);
  void applied(std::uint64_t request, instant now);
  void released(const std::vector<bucket_id>& buckets, instant now);

  /// A copy did not reach the peer (it was full, say): a new pass is due.
  void out_of_step(node_index peer, instant now);

  /// A copy was stored here for a bucket of which this node is neither holder
  /// nor owner: those who are get it within a second, however calm it is.
  void stored_foreign(bucket_id bucket, instant now);

  /// Empties this node; ends when `is_empty`.
  void drain(instant now);
  bool is_empty() const;

  /// Another member list is in force. What this node owned it claims, so that
  /// it is handed over in order.
  void set_members(std::shared_ptr<const placement> where, node_index me,
                   instant now);

  void tick(instant now);

  /// For /readyz, `cluster status` and metrics.
  struct report {
    struct peer {
      bool live = false;
      node_phase phase = node_phase::joining;
      bool trusted = true;
      bool in_step = false;      ///< both passes are through
      std::uint32_t owns = 0;    ///< buckets, as seen from here
      std::uint64_t to_copy = 0; ///< messages it is known to lack
    };
    std::vector<peer> peers; ///< by node_index, this node included
    node_phase phase = node_phase::joining;
    bool calm = false;
    std::uint32_t claims = 0;    ///< of this node
    std::uint32_t ownerless = 0; ///< buckets without an owner
    std::uint64_t foreign = 0; ///< messages held for absent holders (last pass)
    std::uint64_t under_replicated = 0; ///< messages known to lack a copy
  };
  report look() const;

  node_phase phase() const noexcept {
    return phase_;
  }

  cluster_view_ptr view() const;

private:
  /// What is being offered to one peer.
  struct pass {
    std::uint64_t number = 0; ///< 0: none
    bool is_full = false;     ///< all slices; else `todo` alone
    std::uint32_t next = 0;   ///< first bucket of the next slice
    bool waits_for_sums = false;
    bool waits_for_differs = false;
    std::vector<bucket_id> with_removals;     ///< of this slice
    std::vector<bucket_id> todo;              ///< to be listed
    std::map<bucket_id, say::listing> listed; ///< offered, not answered
    std::size_t reading = 0;
    std::size_t copying = 0;
    bool failed = false;
    bool saw_removals = false;

    bool is_idle() const noexcept {
      return number == 0;
    }
  };

  struct peer_state {
    bool live = false;
    bool trusted = true;
    bool heard = false; ///< its claims and status have come
    node_phase phase = node_phase::joining;
    std::vector<node_index> reaches;
    bool says_in_step = false;
    bool pass_out = false; ///< finished one since the link came up
    bool pass_in = false;
    bool wants_pass = false;
    mono_time last_pass{};
    /// When another one is due because tombstones wait for it.
    mono_time removals_due = mono_time::max();
    pass now;
    std::set<bucket_id> urgent; ///< to be offered soon
    std::uint64_t to_copy = 0;
    mono_time asked{}; ///< please_take
  };

  /// Messages of a bucket that are kept here for others.
  struct foreign_bucket {
    std::vector<say::message_mark> marks;
    std::set<node_index> have; ///< holders that have them
  };

  struct request {
    enum kind : std::uint8_t { sums, compare, offer, answer, copy, apply } what;
    node_index peer = no_node;
    std::uint64_t pass = 0;
    bucket_id bucket = 0;
    say::sums theirs;     ///< compare
    say::listing offered; ///< answer
    say::wants reply;     ///< apply: what is to be said then
  };

  // cluster_core.cpp: events and what everybody is told.
  void handle(node_index peer, say::status& what, instant now);
  void handle(node_index peer, say::claims& what, instant now);
  void handle(node_index peer, say::please_take& what, instant now);
  void handle(node_index peer, say::sums& what, instant now);
  void handle(node_index peer, say::differs& what, instant now);
  void handle(node_index peer, say::listing& what, instant now);
  void handle(node_index peer, say::wants& what, instant now);
  void handle(node_index peer, say::pass_done& what, instant now);
  node_index node_count() const noexcept {
    return static_cast<node_index>(peers_.size());
  }
  void tell_all(const cluster_message& message);
  say::status status() const;
  void tell_status();
  void look_at_phase(instant now);
  bool is_in_step(node_index peer) const;
  bool am_in_step() const;

  // cluster_ownership.cpp
  node_index by_rank(bucket_id bucket) const;
  void recompute(instant now);
  bool may_take_over() const;
  void look_at_clock(instant now);
  void claim(bucket_id bucket, instant now);
  void publish();
  void hand_over(instant now);
  node_index successor(bucket_id bucket) const;
  void ask_for_takeovers(instant now);

  // cluster_pass.cpp: what is held here goes to the peers.
  bool concerns(bucket_id bucket, node_index peer) const;
  bool is_mine_to_keep(bucket_id bucket) const;
  void run_passes(instant now);
  void start_pass(node_index peer, bool full, instant now);
  void advance(node_index peer, instant now);
  void finish_pass(node_index peer, instant now);
  void abort_pass(node_index peer);
  void offer(node_index peer, say::listing& content);
  void bucket_offered(node_index peer, bucket_id bucket, instant now);
  void note_confirmed(node_index peer, const say::listing& content);

  // cluster_compare.cpp: what the peers offer is compared with what is here.
  void compare_sums(request& asked, const std::vector<say::bucket_sum>& mine);
  void answer_listing(request& asked, const say::listing& mine);

  std::uint64_t ask(request what);

  std::shared_ptr<const placement> where_;
  node_index me_;
  cluster_rules rules_;
  cluster_port& port_;
  mono_time started_;
  mono_time last_event_;
  mono_time hears_until_ = mono_time::min();
  node_phase phase_ = node_phase::joining;
  std::vector<peer_state> peers_;
  /// Epochs by node and bucket; empty: no claims. 0: none.
  std::vector<std::vector<std::uint64_t>> claims_;
  std::uint64_t last_epoch_ = 0;
  std::vector<node_index> owners_;
  std::set<bucket_id> releasing_;
  cluster_view_ptr view_;
  bool told_in_step_ = false;
  std::uint64_t last_request_ = 0;
  std::uint64_t last_pass_ = 0;
  std::unordered_map<std::uint64_t, request> requests_;
  std::map<bucket_id, foreign_bucket> foreign_;
  std::set<bucket_id> stored_for_others_;
  mono_time urgent_since_ = mono_time::max();
  using removal_key = std::tuple<std::string, server_id, std::string>;
  std::map<removal_key, std::set<node_index>> confirmed_;
};

} // namespace vartalap::core
