#pragma once

#include "core/cluster_core.hpp"
#include "core/replicator.hpp"
#include "test/sim/disk.hpp"
#include "test/sim/ledger.hpp"
#include "test/sim/mailbox.hpp"
#include "test/sim/net.hpp"
#include "test/sim/world.hpp"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace vartalap::sim {

/// What survives a node's process.
struct machine {
  disk store;
  std::uint32_t incarnation = 0;
  std::uint32_t disk_number = 0;          ///< another one after a wipe
  std::vector<std::uint32_t> known_disks; ///< of the peers, once repaired
  std::int64_t clock_error = 0;           ///< of its wall clock, ms
};

/// What a node finds around it.
struct surroundings {
  const setup* how = nullptr;
  world* time = nullptr;
  net* links = nullptr;
  ledger* book = nullptr;
  std::shared_ptr<const core::placement> where;
  std::vector<machine>* machines = nullptr;
  /// To the client of a session, if it is still there.
  std::function<void(node_index, const session&, const stored&)> deliver;
  /// To the client of `user`, if it is attached to this node.
  std::function<void(node_index, user_index, message_number, bool)> answer;
};

/// A node: the shell around cluster_core and replicator as actors will be,
/// with model mailboxes, a router, a disk.
class node final : public core::cluster_port, public mailbox_port {
public:
  node(surroundings& around, node_index me);
  ~node() override = default;
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  void link_up(node_index peer);
  void link_down(node_index peer);

  void attach(const session& who);
  void detach(const session& who);

  /// From a client of this node, or from one that a peer has: to the home.
  void route(const request& what);

  void set_slow(bool slow) {
    queue_.set_slow(slow);
  }
  void set_full(bool full) {
    full_ = full;
  }
  void drain();
  bool is_drained() const {
    return core_->is_empty();
  }
  core::cluster_core::report look() const {
    return core_->look();
  }
  core::cluster_view_ptr view() const {
    return view_;
  }

private:
  core::instant now() const;
  disk& store() {
    return machine_->store;
  }
  void later(sim_time delay, std::function<void()> what);
  void tick();
  void tell(node_index peer, std::function<void(node&)> what);

  // cluster_port
  void send(node_index peer, core::cluster_message message) override;
  void publish(core::cluster_view_ptr view) override;
  void release(const std::vector<bucket_id>& buckets) override;
  void read_sums(std::uint64_t request, bucket_id first,
                 std::uint32_t count) override;
  void read_bucket(std::uint64_t request, bucket_id bucket) override;
  void copy(std::uint64_t request, node_index peer, bucket_id bucket,
            const std::vector<core::say::message_mark>& messages) override;
  void apply(std::uint64_t request,
             const std::vector<core::say::removal>& removals,
             const std::vector<core::say::device_of>& devices) override;
  void drop(const std::vector<core::say::message_mark>& messages) override;
  void drop_devices(const std::vector<core::say::device_of>& devices) override;
  void agreed() override {
    // Members do not change here.
  }
  void forget(const std::vector<core::say::removal>& removals) override;

  // mailbox_port
  bool replicate(user_index user, const stored& what,
                 std::uint64_t& ticket) override;
  void remove(user_index user, server_id serverid,
              std::uint64_t ticket) override;
  void acknowledge(user_index user, server_id serverid,
                   std::uint32_t device) override;
  core::device_record put_device(user_index user,
                                 std::uint32_t device) override;
  void remove_device(user_index user, std::uint32_t device) override;
  void deliver(const session& to, const stored& what) override;
  void answer(const request& what, bool ok) override;
  void confirmed(const stored& what, bool acknowledged) override;
  void reattach(const session& who) override;
  server_id next_id() override;
  bool knows_devices(user_index user) const override;

  // As a home.
  void at_home(request what);
  void hand_in(const request& what);
  void end_mailbox(user_index user);
  void check_releases();
  void carry_out(core::replicator_effects effects);
  void finish_put(std::uint64_t ticket, bool ok);

  // As a replica.
  void take_put(node_index from, std::uint64_t ticket, const stored& what,
                const std::vector<core::device_record>& devices);
  void take_copies(std::vector<stored> copies, std::function<void(bool)> done);
  void take_removal(node_index from, std::uint64_t ticket,
                    const core::say::removal& what, bool remember);
  void remove_here(const core::say::removal& what, int remember,
                   std::function<void()> then);
  void removal(std::uint64_t ticket, const core::say::removal& what);
  void carried(bucket_id bucket);
  bool is_removed_lately(server_id serverid) const;
  void store_device(user_index user, const core::device_record& record);
  void remember(const core::say::removal& what);
  void remember_removed_lately();
  void try_route_again(const request& what, sim_time delay);

  surroundings* around_;
  world* world_;
  machine* machine_;
  node_index me_;
  std::shared_ptr<const bool> alive_ = std::make_shared<bool>(true);
  disk_queue queue_;
  core::server_id_clock clock_;
  core::replicator replicator_;
  core::cluster_view_ptr view_;
  std::map<user_index, mailbox> mailboxes_;
  std::map<std::uint64_t, stored> puts_;                 ///< by ticket
  std::map<std::uint64_t, core::say::removal> removals_; ///< by ticket
  std::uint64_t last_ticket_ = 0;
  std::set<bucket_id> releasing_;
  std::set<bucket_id> released_; ///< until the view that follows
  std::vector<std::vector<bucket_id>> to_release_;
  std::vector<request> held_;
  /// What was removed here in the last seconds: copies that are
  /// still on their way are not taken. When the calm ends these removals are
  /// remembered like others: not all may have heard of them.
  struct lately {
    core::say::removal what;
    sim_time at = 0;
  };
  std::vector<lately> removed_lately_;
  std::map<user_index, std::uint64_t> openings_; ///< of mailboxes, counted
  int ticks_ = 0;
  std::map<std::pair<user_index, std::uint32_t>, session> sessions_;
  bool full_ = false;
  std::unique_ptr<core::cluster_core> core_; ///< last: it publishes at once
};

} // namespace vartalap::sim
