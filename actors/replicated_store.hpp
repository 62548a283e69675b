#pragma once

#include "actors/cluster_messages.hpp"
#include "core/recent_removals.hpp"
#include "core/replicator.hpp"
#include "core/units.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vartalap::actors {

/// A shard's way to storage in a cluster: every operation goes to this node's
/// disk and, side by side, to the other nodes that are to have it; a put is
/// complete once enough of them have committed it. core::replicator decides.
/// Belongs to its shard's thread.
class replicated_store {
public:
  /// Hands an operation to this node's storage under this owner.
  using local_store = std::function<void(std::uint64_t, storage::operation)>;

  /// What the mailbox of this owner knows of its user's devices.
  using device_source
    = std::function<std::vector<core::device_record>(std::uint64_t)>;

  replicated_store(unsigned shard, const core::replication_rules& rules,
                   local_store local, device_source devices);

  void set_ties(cluster_ties_ptr ties, core::mono_time now);

  /// As shard_context::store.
  void store(std::uint64_t owner, storage::operation what, core::mono_time now,
             core::wall_ms wall);

  /// core::cluster_view::knows_devices; false before the first view.
  bool knows_devices(std::string_view user) const;

  /// What a peer wants stored is about to be. Removals are noted; a copy of
  /// what was removed lately becomes its removal, which is remembered.
  /// @returns False where it became one: nobody is to deliver it.
  bool admit(storage::operation& what, core::mono_time now);

  /// Whether this message was removed in the last seconds.
  bool was_removed(core::server_id serverid) const noexcept {
    return recent_.has(serverid);
  }

  /// Buckets for core::cluster_core::keeps since the last call.
  std::vector<core::bucket_id> take_keeps();

  /// What local storage has done: keeps back what waits for copies, and adds
  /// what needed them and is through, in `out`.
  void completed(const storage::completion& one,
                 std::vector<storage::completion>& out);

  /// What a peer has done. Completions that this brings go to `out`.
  void peer_stored(const copies_stored& what, core::mono_time now,
                   std::vector<storage::completion>& out);

  /// Looks for what takes too long; a few times a second.
  void tick(core::mono_time now, std::vector<storage::completion>& out);

  /// Completions that came about outside of those calls.
  std::vector<storage::completion> take_ready();

  /// Stored operations of which something is still awaited.
  std::size_t waiting() const noexcept {
    return tickets_.size();
  }

private:
  struct ticket {
    std::uint64_t owner = 0;
    core::server_id serverid;
    /// Of a put: to be sent to whoever takes another's place. Of a removal:
    /// what forgets it.
    storage::operation what;
    bool is_put = false;
    bool here = false; ///< this node has committed it
  };

  void store_put(std::uint64_t owner, storage::op::put put,
                 core::mono_time now);
  void end_put(core::server_id serverid);
  template <class T>
  void store_removal(std::uint64_t owner, T removal, storage::op::forget after);
  void remember_recent();
  void remember(const core::say::removal& what);
  void store_change(std::uint64_t owner, storage::operation what,
                    core::bucket_id bucket);
  void carry_out(std::vector<storage::completion>& out);
  void refuse(const ticket& which, std::vector<storage::completion>& out);
  void send(core::node_index to, std::uint64_t number,
            const storage::operation& what, std::uint64_t owner = 0);
  std::uint64_t next_number() noexcept;

  unsigned shard_;
  core::replicator replicator_;
  local_store local_;
  device_source devices_;
  cluster_ties_ptr ties_;
  core::recent_removals recent_;
  std::vector<core::bucket_id> keeps_;
  std::uint64_t last_number_ = 0;
  std::unordered_map<std::uint64_t, ticket> tickets_;
  std::unordered_map<core::server_id, std::uint64_t> puts_; ///< → ticket
  core::replicator_effects effects_;
  std::vector<storage::completion> ready_;
};

/// Whose copies a ticket is about: the shard of a replicated_store, or
/// `cluster_tickets` for the cluster actor. In a ticket's top byte.
inline constexpr unsigned ticket_shift = 56;
inline constexpr std::uint64_t cluster_tickets = 255;

} // namespace vartalap::actors
