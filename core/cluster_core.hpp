#pragma once

#include "core/cluster_context.hpp"
#include "core/cluster_leftovers.hpp"
#include "core/cluster_messages.hpp"
#include "core/cluster_pass.hpp"
#include "core/cluster_port.hpp"
#include "core/cluster_rules.hpp"
#include "core/cluster_view.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <map>
#include <memory>
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
///    a member stands before it, it claims the bucket. Not while fewer than
///    `live_min` nodes are live (then it gives up its claims), nor at once
///    after a link was lost (others may be), nor soon after it stood still (a
///    stopped process, a frozen machine): its claims would be newer than those
///    of the nodes that serve.
///  - Yield: a live peer's claim with a greater epoch (any claim, where ours
///    is only by rank) ends our ownership.
///  - Hand-over: a bucket that we claim goes to the first in line that is live
///    and serving, once it is in step with us and every live peer reaches it:
///    `release`, then the claim is given up.
///  - Draining: as a hand-over of everything, to the first in line but us.
///
/// Passes (`cluster_pass`): a pass offers to one peer all that is held here and
/// concerns it: buckets of which it is a holder or the owner, and all
/// tombstones. A pass to a peer starts when its link comes up, when it is told
/// so (`out_of_step`), and every `repair_interval`; single buckets are offered
/// within a second of `keeps`. Two nodes are in step when each has finished a
/// pass to the other since the link came up.
///
/// Leftovers (`cluster_leftovers`): what is held here for others is dropped
/// when all holders confirmed it; tombstones are forgotten after a clean round.
/// They are found by a survey of our own sums: at start, when ownership was
/// lost, when the last member came back, and now and then.
///
/// Pure: events come in with their time, wishes go out through the port.
/// Belongs to the first shard.
class cluster_core {
public:
  cluster_core(const std::shared_ptr<const placement>& where, node_index me,
               const cluster_rules& rules, cluster_port& port, instant now);
  ~cluster_core();

  /// A link is up; the peer's claims and status follow.
  /// @param trusted False: the peer has lost confirmed data: it does not count
  ///                until passes with it are through.
  void link_up(node_index peer, bool trusted, instant now);

  /// The link is lost: nothing more comes of what was under way with the peer.
  void link_down(node_index peer, instant now);

  /// A message of a live peer; of others it is ignored.
  void received(node_index peer, cluster_message message, instant now);

  // Answers of the port; those to questions whose link was lost since are
  // ignored.

  /// @param sums Of the buckets that are not empty, ascending.
  /// @param with_removals Buckets that have tombstones.
  void sums_read(std::uint64_t request,
                 const std::vector<say::bucket_sum>& sums,
                 const std::vector<bucket_id>& with_removals, instant now);

  /// @param content Messages, devices and tombstones; its `pass` and `bucket`
  ///                do not matter.
  void bucket_read(std::uint64_t request, say::listing content, instant now);

  /// @param ok The peer has committed all of them, or they are not here any
  ///           more. False: they are offered again.
  void copied(std::uint64_t request, bool ok, instant now);

  /// It is durable here.
  void applied(std::uint64_t request, instant now);

  /// The mailboxes of these buckets have ended, all they held is stored and
  /// replicated.
  void released(const std::vector<bucket_id>& buckets, instant now);

  /// A copy did not reach the peer (it was full, say): a new pass is due.
  void out_of_step(node_index peer, instant now);

  /// Something was stored that others have to hear of, although no link has
  /// changed (`cluster_view::keeps_for_others`): it is offered within a second.
  void keeps(bucket_id bucket, instant now);

  /// Empties this node; ends when `is_empty`.
  void drain(instant now);
  /// Drained: nothing is left that a live node could take over.
  bool is_empty() const;

  /// This node is to follow another member list once every live node is:
  /// then `cluster_port::agreed` is called, once; while this node joins, only
  /// where it finds no other. Lists differ in force only
  /// while links are down: peers link up where theirs are the same.
  /// @param next Its `placement::hash`; 0 takes a proposal back.
  void propose(std::uint64_t next, instant now);

  /// Another member list is in force. What this node owned it claims, so that
  /// it is handed over in order. Links of nodes that stay may stay up; their
  /// state is told anew in the numbers of the new list.
  /// @pre `me` is a member of it: a node that leaves is drained before.
  void set_members(const std::shared_ptr<const placement>& where, node_index me,
                   instant now);

  /// To be called a few times a second.
  void tick(instant now);

  /// For /readyz, `cluster status` and metrics.
  struct report {
    struct peer {
      bool live = false;
      node_phase phase = node_phase::joining;
      bool trusted = true;
      bool in_step = false; ///< both passes are through
      bool agrees = true; ///< to follow what we propose; true where nothing is
      std::uint32_t owns = 0;    ///< buckets, as seen from here
      std::uint64_t to_copy = 0; ///< messages it is known to lack
    };
    std::vector<peer> peers; ///< by node_index, this node included
    node_phase phase = node_phase::joining;
    bool calm = false;
    bool is_changing = false;    ///< another member list is proposed
    std::uint32_t claims = 0;    ///< of this node
    std::uint32_t ownerless = 0; ///< buckets without an owner
    std::uint64_t foreign = 0; ///< messages held for absent holders (last pass)
    std::uint64_t under_replicated = 0; ///< messages known to lack a copy
  };
  /// One look at 65,536 owners: for seconds, not for messages.
  report look() const;

  node_phase phase() const noexcept {
    return phase_;
  }

  /// The view published last.
  cluster_view_ptr view() const {
    return view_;
  }

private:
  /// A bucket that may hold something for others.
  struct suspect {
    bool forced = false; ///< to be offered whatever was confirmed
    bool blocks = false; ///< not in step before it was looked at
  };

  cluster_peer& peer(node_index node) {
    return with_.peers[node];
  }

  void heard(node_index from, const say::status& what);
  void heard(node_index from, const say::claims& what);
  void heard(node_index from, const say::please_take& what);
  void heard(node_index from, say::sums& what);
  void heard(node_index from, const say::differs& what);
  void heard(node_index from, say::listing& what);
  void heard(node_index from, const say::wants& what);
  void heard(node_index from, const say::pass_done& what);

  bool take_request(std::uint64_t request, cluster_request& out);
  void forget_peer(node_index node);
  void confirm(node_index node, const say::listing* content);
  void answer_sums(node_index node, const say::sums& theirs,
                   const std::vector<say::bucket_sum>& ours);
  void answer_listing(node_index node, const say::listing& theirs,
                      const say::listing& ours);
  void survey_read(bucket_id first, const std::vector<say::bucket_sum>& sums,
                   const std::vector<bucket_id>& with_removals);
  void need_survey();

  void settle(instant now);
  void look_at_clock(mono_time now);
  void advance_phase(instant now);
  void settle_ownership(instant now);
  bool finds_nobody() const;
  void settle_members();
  void tell(const say::claims& news);
  void publish();
  void step_passes(instant now);
  void step_survey(instant now);
  void step_checks(instant now);
  void ask_owners(instant now);
  bool is_in_step() const;
  bool is_calm() const;
  bool is_split() const;
  bool is_alone() const;
  bool knows_what_peers_know() const;
  void look_at_company(mono_time now);
  std::vector<bool> heirs() const;

  cluster_context with_;
  cluster_leftovers leftovers_;
  std::vector<cluster_pass> passes_; ///< by node_index
  node_phase phase_ = node_phase::joining;
  mono_time started_;
  mono_time last_event_;
  /// Takes nothing over before: it stood still, or a link was lost just now.
  mono_time hears_until_ = mono_time::min();
  /// After it was alone; `max` while it is.
  mono_time gathers_until_ = mono_time::min();
  mono_time met_ = mono_time::max(); ///< joining: links are up, or waited for
  cluster_view_ptr view_;
  say::status told_;               ///< the status that peers have
  std::uint64_t next_members_ = 0; ///< proposed; 0: nothing
  bool agreed_ = false;            ///< so do all others that are live
  bool must_publish_ = true;
  bool held_ = false;  ///< routers hold messages until a view comes
  bool again_ = false; ///< `settle` found something that decides other things
  std::vector<bool> heirs_; ///< for whom hand-overs were looked for last
  bool look_for_heirs_ = true;

  // Questions of peers that wait for our storage, by request.
  std::map<std::uint64_t, say::sums> sums_;
  std::map<std::uint64_t, say::listing> listings_;
  std::map<std::uint64_t, say::wants> wants_;

  std::map<bucket_id, suspect> suspects_;
  std::map<bucket_id, suspect> checking_;
  mono_time next_check_{};

  bool survey_due_ = true;
  bool survey_running_ = false;
  bool survey_asked_ = false; ///< a slice of it is being read
  bool surveyed_ = false;     ///< since it became necessary
  std::uint32_t survey_next_ = 0;
  mono_time survey_at_{};
  mono_time last_survey_{};
  milliseconds survey_wait_{0}; ///< until the next one, while calm

  mono_time next_repair_;
  mono_time ask_at_;
};

} // namespace vartalap::core
