#pragma once

#include "actors/cluster_actor.hpp"
#include "actors/peer_transport.hpp"
#include "actors/shard_context.hpp"
#include "core/options.hpp"
#include "core/ports.hpp"
#include "runtime/member_list.hpp"

#include <caf/actor_system.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// What a node has because it is one of several: the tunnel, a link to each
/// other node, and the cluster actor.
class node_cluster {
public:
  /// Spawns the actors; `start` lets peers in.
  /// @throws std::runtime_error with a text for the operator.
  node_cluster(caf::actor_system& system, actors::node_context& context,
               const core::node_options& me, core::log_port& log);
  ~node_cluster();
  node_cluster(const node_cluster&) = delete;
  node_cluster& operator=(const node_cluster&) = delete;

  /// True for options with more than one node.
  static bool is_wanted(const core::cluster_options& options);

  /// Gives the shards their way to make copies. Before routers are spawned.
  static void prepare(actors::node_context& context);

  /// Listens for peers and dials them.
  void start();

  /// Waits until the node serves, or `within` has passed.
  /// @returns False where it does not yet.
  bool wait_until_serving(core::milliseconds within);

  core::node_phase phase() const;

  /// Takes the member list of a cluster.toml that was read again: in force once
  /// all live nodes have read the same. Any thread, one at a time.
  /// @returns What becomes of it, for the operator.
  /// @throws std::runtime_error with text for the operator, where it cannot be
  ///         taken; then all stays.
  std::string reload(const core::cluster_options& fresh);

  /// Hands everything over; returns when that is done or `within` has passed.
  bool drain(core::milliseconds within);

  /// What the cluster looks like from here. Waits for the actors, at most
  /// half a second.
  struct picture {
    bool complete = false;
    core::cluster_core::report cluster;
    std::vector<actors::look_at_link::figures> links;
    std::vector<std::string> names; ///< by node_index
    core::node_index me = 0;
    std::vector<std::string> next; ///< names of the list to come; mostly none
  };
  picture look() const;

  /// Shows `look` what the tunnel has counted, unless it has ended. Any
  /// thread.
  void look_at_tunnel(
    const std::function<void(const net::tunnel_counters&)>& look) const;

  /// Reads the files of [cluster.tls] again; links stay, and the next
  /// connections with other nodes use them. Not during or after `stop`.
  /// @throws std::runtime_error with text for the operator; then the old ones
  ///         stay.
  void reload_certificates();

  /// Ends links and tunnel. Idempotent.
  void stop();

private:
  core::cluster_rules rules() const;
  member_list list_at_start();
  void spawn_links();
  void change_members();

  /// What outlives this object in tasks of other threads.
  struct life_line {
    std::mutex mutex;
    node_cluster* owner = nullptr; ///< null: it has ended
  };

  caf::actor_system& system_;
  actors::node_context& context_;
  const core::node_options& me_;
  core::log_port& log_;
  std::shared_ptr<life_line> line_ = std::make_shared<life_line>();
  mutable std::mutex life_;         ///< guards all of these
  std::optional<member_list> next_; ///< `list_at_start` may set it
  member_list members_;             ///< in force
  std::shared_ptr<const core::placement> where_;
  core::node_index index_ = 0;
  std::unique_ptr<actors::peer_transport> transport_;
  std::vector<caf::actor> links_;    ///< by node_index
  std::vector<caf::actor> replaced_; ///< those before the list last changed
  caf::actor gate_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  core::node_phase phase_ = core::node_phase::joining;
};

} // namespace vartalap::runtime
