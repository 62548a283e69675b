#pragma once

#include "actors/messages.hpp"
#include "core/cluster_messages.hpp"
#include "core/cluster_view.hpp"
#include "core/link_channel.hpp"
#include "net/peer_messages.hpp"

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

/// The messages between a node's own actors that only a cluster needs. What
/// goes from node to node is in net/peer_messages.hpp.
namespace vartalap::actors {

/// The cluster as a shard sees it: who is whose home, and how they are
/// reached.
struct cluster_ties {
  core::cluster_view_ptr view;
  std::vector<caf::actor> links; ///< by node_index; null: this node
  unsigned replicas = 0;

  bool is_holder(core::bucket_id bucket, core::node_index node) const {
    return view->where->rank(bucket, node) <= replicas;
  }
};
using cluster_ties_ptr = std::shared_ptr<const cluster_ties>;

/// cluster -> routers, links: the view has changed.
struct ties_changed {
  cluster_ties_ptr ties;
};

/// cluster -> routers: hold what comes for these buckets, end their
/// mailboxes; answered by `buckets_released`.
struct release_buckets {
  std::shared_ptr<const std::vector<core::bucket_id>> buckets;
};

/// router -> cluster.
struct buckets_released {
  std::shared_ptr<const std::vector<core::bucket_id>> buckets;
};

/// router -> delivery: the mailbox's home is elsewhere from now on. Store what
/// is in memory, let go of the connections, end.
struct leave_mailbox {};

/// link -> router: the peer did not answer these; they go to whoever is home
/// now, in this order. `lost`: the peer cannot be reached any more.
struct given_back {
  core::node_index peer = core::no_node;
  bool lost = false;
  std::vector<submission> items;
};

/// router -> link: this is not for this node (any more); the peer is to ask
/// again. Names a submission or an attachment.
struct not_home_here {
  std::uint64_t token = 0;
  core::attachment_id attachment = 0;
};

/// link -> router: another node is not this user's home (any more).
struct attach_again {
  attachment_ptr where;
  core::node_index peer = core::no_node;
};

/// One storage operation that comes from, or goes to, another node.
struct copy_item {
  std::uint64_t ticket = 0; ///< whose copies; 0: nobody waits
  storage::operation what;
};

/// link, cluster -> router of the user's shard: store these here. `done`
/// hears of each ticket other than 0, on the shard's thread.
struct store_copies {
  std::vector<copy_item> items;
  std::shared_ptr<const std::function<void(std::vector<std::uint64_t> stored,
                                           std::vector<std::uint64_t> failed)>>
    done;
};

/// router -> delivery: another node's operation on this user has been given
/// to storage; what is in memory is to follow.
struct merge_copy {
  storage::operation what;
};

/// replicated_store, cluster -> link: have the peer store these.
struct send_copies {
  std::vector<copy_item> items;
};

/// Any shard -> link: say this to the peer.
struct tell_peer {
  net::peer_message what;
  std::uint64_t session = 0; ///< only in this one; 0: in any
};

/// link -> router, cluster: what became of `send_copies`.
struct copies_stored {
  core::node_index peer = core::no_node;
  std::vector<std::uint64_t> stored;
  std::vector<std::uint64_t> failed;
};

/// router -> cluster: what was stored for these has to be carried on to others
/// (core::cluster_core::keeps).
struct keep_buckets {
  std::vector<core::bucket_id> buckets;
};

/// cluster -> routers, answered by `fence_passed`: whatever was decided under
/// the views that were sent before is in storage's queue.
struct fence {
  std::uint64_t number = 0;
  caf::actor cluster; ///< routers may not know it yet
};
struct fence_passed {
  std::uint64_t number = 0;
};

/// router -> delivery: this node knows all devices of the user from now on.
struct devices_known {};

/// gate -> link: a peer says hello.
struct peer_greets {
  net::peer::hello hello;
  caf::strong_actor_ptr from;
};

/// transport -> link: a connection is there, or is not.
struct peer_dialed {
  caf::strong_actor_ptr gate; ///< null: failed
  std::string problem;
};

/// transport -> link: the tunnel to the peer has ended.
struct tunnel_ended {
  std::string why;
};

/// runtime -> cluster: follow another member list once all do; 0: do not.
struct propose_members {
  std::uint64_t next = 0;
};

/// How long links may take to come up again under another member list: all
/// nodes change within moments of each other.
inline constexpr core::milliseconds links_within{5000};

/// runtime -> cluster: another member list is in force. The links are new, and
/// not up yet.
struct members_changed {
  std::shared_ptr<const core::placement> where;
  core::node_index me = 0;
  std::vector<caf::actor> links; ///< by node_index; null: this node
  std::string text;              ///< for storage
};

/// runtime -> gate: hand hellos to these, by the peers' names.
struct links_changed {
  std::unordered_map<std::string, caf::actor> links;
};

/// runtime -> link: where the peer hears us from now on.
struct peer_moved {
  std::string address;
};

/// cluster -> link: it is listened to now, and may come up.
struct open_link {};

/// link -> cluster.
struct link_is_up {
  core::node_index peer = core::no_node;
  net::peer::hello hello;
  std::uint64_t session = 0; ///< numbers the link's sessions
};
struct link_is_down {
  core::node_index peer = core::no_node;
};

/// link -> cluster: the peer's cluster_core speaks.
struct cluster_speaks {
  core::node_index peer = core::no_node;
  core::cluster_message what;
};

/// worker -> cluster: what it was to read.
struct sums_are_read {
  std::uint64_t request = 0;
  std::vector<core::say::bucket_sum> sums;
  std::vector<core::bucket_id> with_removals;
};
struct bucket_is_read {
  std::uint64_t request = 0;
  core::say::listing content;
};
struct copies_are_read {
  std::uint64_t request = 0;
  core::node_index peer = core::no_node;
  bool ok = true;
  std::vector<storage::stored_message> messages;
};

/// The node's shutdown -> links, gate, cluster: end. `ended` runs on the
/// actor's shard; from then on it touches nothing that it was given.
struct end_cluster {
  std::function<void()> ended{};
  /// Of a link in whose place another one comes: it only leaves its session,
  /// and gives back what routers send to it until they know the other one.
  bool is_replaced = false;
};

/// metrics, admin -> link: `answer` runs on the link's shard.
struct look_at_link {
  struct figures {
    core::node_index peer = core::no_node;
    bool up = false;
    std::string problem; ///< why it is not up
    core::link_channel::figures channel;
    std::uint64_t sessions = 0;
    std::uint64_t given_back = 0; ///< messages that had to go elsewhere
    std::size_t unanswered = 0;
    std::size_t connections_here = 0;  ///< attached at the peer
    std::size_t connections_there = 0; ///< of the peer, attached here
  };
  std::function<void(figures)> answer;
};

} // namespace vartalap::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::ties_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::release_buckets)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::buckets_released)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::leave_mailbox)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::given_back)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::not_home_here)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::attach_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::store_copies)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::merge_copy)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::send_copies)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::tell_peer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::copies_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::keep_buckets)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::fence)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::fence_passed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::devices_known)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::peer_greets)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::peer_dialed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::tunnel_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::propose_members)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::members_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::links_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::peer_moved)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::open_link)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::link_is_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::link_is_down)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::cluster_speaks)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::sums_are_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::bucket_is_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::copies_are_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::end_cluster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::look_at_link)
