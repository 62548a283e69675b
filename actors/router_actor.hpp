#pragma once

#include "actors/cluster_messages.hpp"
#include "actors/held_requests.hpp"
#include "actors/messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/push_messages.hpp"
#include "actors/shard_context.hpp"
#include "net/timer_wheel.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vartalap::actors {

/// Forwards to the delivery actors of its shard's users, starting them as
/// they are needed; in a cluster to the links, for users whose home is
/// elsewhere. One per shard; the only one who starts or retires deliveries, so
/// a user never has two on a node.
///
/// In a cluster it also knows its node's connections, and attaches them anew
/// when their user's home moves; holds what nobody can take just now; and takes
/// in what other nodes have stored here (router_cluster.cpp).
class router_actor final : public pinned_actor, private net::timer_node {
public:
  static constexpr const char* kind = "router";

  router_actor(caf::actor_config& config, shard_context& context);
  ~router_actor() override;

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  struct entry {
    caf::actor delivery;
    std::uint64_t forwarded = 0; ///< messages sent to it, to compare
    bool leaving = false;        ///< was told to leave
  };

  /// Who is to take what concerns a bucket.
  struct destination {
    enum kind : std::uint8_t { here, peer, nobody } where = here;
    core::node_index node = 0;
  };

  /// A connection of this node, and the node whose mailbox it is attached to.
  struct connection_here {
    attachment_ptr where;
    core::node_index at = core::no_node;
  };

  using table = std::unordered_map<std::string, entry>;

  entry& find_or_start(std::string_view user);
  void erase(table::iterator which);

  template <class T>
  void forward(std::string_view user, T&& message) {
    auto& to = find_or_start(user);
    ++to.forwarded;
    tell(to.delivery, std::forward<T>(message));
  }

  void route(submit& batch);
  void route_here(submit& batch);
  void on_idle(const mailbox_idle& idle);
  void on_expired(messages_expired& what);
  void on_block(set_block& what);
  void on_end(end_deliveries& what);
  void finish_ending();

  // router_push.cpp
  bool is_home_of(std::string_view user);
  void on_push(look_for_push& what);
  void on_push(drop_push_target& what);

  // router_groups.cpp
  void look_for_groups();
  void resume(resume_outgoing& what);

  // router_cluster.cpp
  caf::message_handler cluster_behavior();
  destination whose(core::bucket_id bucket) const;
  destination home_of(core::bucket_id bucket) const;
  void route_around(submit& batch);
  void send_back(const submission& item);
  void refuse(const submission& item);
  void hold(core::bucket_id bucket, submission item);
  template <class T>
  void direct(std::string user, T& what);
  void attach(attach_device& what);
  void detach(detach_device& what);
  void settle(core::bucket_id bucket, connection_here& one);
  void settle_all();
  void on_ties(ties_changed& what);
  void on_lost(core::node_index peer);
  void renumber(core::node_index me_before);
  void index_table();
  void look_at_owners(const core::cluster_view* before);
  void leave(entry& one);
  void on_release(release_buckets& what);
  void released_one(std::string_view user);
  void on_given_back(given_back& what);

  // router_copies.cpp
  void on_copies(store_copies& what);
  void on_storage(const storage_done& what);
  void on_peer_stored(const copies_stored& what);
  void merge(storage::operation what, std::vector<core::bucket_id>& keeps);
  void tell_keeps(std::vector<core::bucket_id> more = {});

  void on_tick();
  void tick_soon();
  void look_at_clock();
  void on_timer(core::mono_time now) override;

  shard_context& context_;
  table table_;
  std::function<void()> ending_;

  // In a cluster:
  struct stored_copy {
    std::uint64_t ticket = 0;
    std::optional<storage::operation> what; ///< for the mailbox to follow
    decltype(store_copies::done) done;
  };
  struct releasing {
    std::shared_ptr<const std::vector<core::bucket_id>> buckets;
    std::size_t left = 0; ///< deliveries that have not ended
  };
  cluster_ties_ptr ties_; ///< null: not in a cluster (yet)
  /// What of `table_` is in each bucket: buckets move, a few at a time.
  std::vector<std::vector<table::value_type*>> by_bucket_;
  core::mono_time last_tick_{};
  core::mono_time suspect_until_{}; ///< this process stood still: it is to hear
                                    ///< what the others did meanwhile first
  std::vector<bool> lost_; ///< by node: gone, and the view does not know yet
  std::unordered_map<std::string, std::vector<connection_here>> here_;
  bool unsettled_ = false; ///< some of `here_` are attached nowhere
  held_requests held_;
  std::vector<releasing> releasing_;
  std::vector<bool> is_releasing_; ///< by bucket
  std::deque<stored_copy> copies_; ///< given to storage, in this order
  std::uint64_t owner_ = 0;        ///< as storage knows it
};

} // namespace vartalap::actors
