#pragma once

#include "actors/cluster_messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/shard_context.hpp"
#include "core/cluster_core.hpp"
#include "net/timer_wheel.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace vartalap::actors {

/// What the cluster actor is to know from the start.
struct cluster_settings {
  std::shared_ptr<const core::placement> where;
  core::node_index me = 0;
  core::cluster_rules rules;
  std::vector<caf::actor> links;         ///< by node_index; null: this node
  std::vector<storage::peer_note> peers; ///< as storage remembers them
  std::string members_to_note;           ///< for storage; empty: it has them
  /// Runs on its shard whenever the node's phase changes.
  std::function<void(core::node_phase)> phase_changed;
  /// Runs on its shard when all live nodes are to follow what was proposed.
  /// No link is to come or go for the core until `members_changed`.
  std::function<void()> members_agreed;
};

/// admin, metrics -> cluster: `answer` runs on the first shard.
struct look_at_cluster {
  std::function<void(core::cluster_core::report)> answer;
};

/// drain -> cluster: empty this node; `done` runs on the first shard.
struct drain_node {
  std::function<void()> done;
};

/// The node's place in the cluster: a shell around core::cluster_core. Reads
/// storage on worker threads, has routers store what peers know, and tells
/// routers and links what the view is. Pinned to the first shard.
class cluster_actor final : public pinned_actor,
                            public core::cluster_port,
                            private net::timer_node {
public:
  static constexpr const char* kind = "cluster";

  cluster_actor(caf::actor_config& config, shard_context& context,
                cluster_settings settings);
  ~cluster_actor() override;

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  // What the core wants (cluster_port).
  void send(core::node_index peer, core::cluster_message message) override;
  void publish(core::cluster_view_ptr view) override;
  void release(const std::vector<core::bucket_id>& buckets) override;
  void read_sums(std::uint64_t request, core::bucket_id first,
                 std::uint32_t count) override;
  void read_bucket(std::uint64_t request, core::bucket_id bucket) override;
  void copy(std::uint64_t request, core::node_index peer,
            core::bucket_id bucket,
            const std::vector<core::say::message_mark>& messages) override;
  void apply(std::uint64_t request,
             const std::vector<core::say::removal>& removals,
             const std::vector<core::say::device_of>& devices) override;
  void drop(const std::vector<core::say::message_mark>& messages) override;
  void drop_devices(const std::vector<core::say::device_of>& devices) override;
  void agreed() override;
  void change_members();
  void forget(const std::vector<core::say::removal>& removals) override;

  void on_members(members_changed& what);
  void open_links();
  void lose_missing_links();
  void read(std::function<void()> what);
  void start_reads();
  void on_fence_passed(const fence_passed& what);
  void on_barrier();
  void note_trusted(const core::cluster_view& view);
  bool is_trusted(const net::peer::hello& hello);
  void on_copies_read(copies_are_read& result);
  void on_stored(const copies_stored& what);
  void on_released(const buckets_released& what);
  void settle_request(std::uint64_t ticket, bool ok);
  void store_for_request(
    std::uint64_t request,
    std::vector<std::pair<std::string, storage::operation>> all);
  void after_event();
  void on_tick();
  void on_timer(core::mono_time now) override;
  caf::actor me();

  /// A copy or an application under way: its tickets are counted down.
  struct under_way {
    std::uint64_t request = 0;
    std::size_t left = 0;
    bool ok = true;
    bool is_copy = false;
    core::node_index peer = core::no_node;
  };

  shard_context& context_;
  cluster_settings settings_;
  std::unique_ptr<core::cluster_core> core_;
  core::node_phase phase_ = core::node_phase::joining;
  std::unordered_map<std::uint64_t, std::uint64_t> tickets_; ///< → group
  std::unordered_map<std::uint64_t, under_way> groups_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t last_group_ = 0;
  std::unordered_map<const void*, std::size_t> releases_; ///< → shards left
  std::function<void()> drained_;
  std::uint64_t owner_ = 0; ///< as storage knows it

  // Reads that are to see what was decided before: once the routers have the
  // last view, and storage what was in its queue by then.
  std::vector<std::function<void()>> reads_;  ///< that came meanwhile
  std::vector<std::function<void()>> fenced_; ///< that wait now
  std::uint64_t last_fence_ = 0;
  std::size_t fences_left_ = 0;

  /// By node: its last hello, until it is noted.
  std::vector<std::optional<storage::peer_note>> hellos_;
  std::vector<std::uint64_t> sessions_; ///< by node: of its link
  core::mono_time change_at_ = core::mono_time::max();
  bool is_changing_ = false; ///< links end and come anew; the core is not told
  /// When nodes that have no link since the list changed count as lost.
  core::mono_time links_due_ = core::mono_time::max();
};

} // namespace vartalap::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::look_at_cluster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::drain_node)
