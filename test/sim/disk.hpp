#pragma once

#include "core/cluster_messages.hpp"
#include "test/sim/world.hpp"

#include <deque>
#include <functional>
#include <map>
#include <vector>

namespace vartalap::sim {

/// A message as disks keep it.
struct stored {
  user_index to = 0;
  user_index from = 0;
  message_number number = 0; ///< the id that its sender gave it
  server_id serverid;
  std::uint32_t acks = 0; ///< a bit for each device of `to`
};

/// What survives a crash.
class disk {
public:
  /// Adds the message, or merges the acknowledgements; not where its removal
  /// is remembered.
  /// @returns The message as it stands now, or null.
  const stored* put(const stored& what);

  /// @param remember 0: no tombstone, 1: where it was held, 2: in any case.
  /// @returns Whether it was held.
  bool remove(user_index user, server_id serverid, int remember);

  /// Marks a message as acknowledged. @returns Whether it is held.
  bool acknowledge(user_index user, server_id serverid, std::uint32_t device);

  void put_device(user_index user, const core::device_record& record);
  bool remove_device(user_index user, const std::string& name, core::wall_ms at,
                     int remember);

  /// Without tombstones.
  void drop(user_index user, server_id serverid);
  void drop_device(const core::say::device_of& device);
  void forget(const core::say::removal& what);

  std::vector<core::say::bucket_sum> sums(bucket_id first, std::uint32_t count,
                                          std::vector<bucket_id>& graves) const;
  core::say::listing list(bucket_id bucket) const;

  /// A user's messages, ascending.
  std::vector<stored> messages(user_index user) const;
  std::vector<core::device_record> devices(user_index user) const;
  const stored* find(user_index user, server_id serverid) const;
  bool is_removed(server_id serverid) const;

  const std::map<user_index, std::map<server_id, stored>>&
  all() const noexcept {
    return messages_;
  }

  std::size_t tombstones() const noexcept {
    return removed_.size() + removed_devices_.size();
  }

  /// Called with each message that a disk holds for the first time (true), or
  /// does not hold any more (false).
  std::function<void(const stored&, bool)> on_copy;

  void wipe();

private:
  using device_key = std::pair<user_index, std::string>;

  std::map<user_index, std::map<server_id, stored>> messages_;
  std::map<device_key, core::device_record> devices_;
  std::map<server_id, user_index> removed_;
  std::map<device_key, core::wall_ms> removed_devices_;
};

/// The queue before a disk: what is in it is committed together, in order,
/// after a random time, and lost in a crash. Reads stand in the same queue.
class disk_queue {
public:
  /// @param run Schedules something that a crash cancels.
  disk_queue(world& in,
             std::function<void(sim_time, std::function<void()>)> run);

  /// `work` is done at the commit, `then` right after it.
  void add(std::function<void()> work, std::function<void()> then = {});

  void set_slow(bool slow) noexcept {
    slow_ = slow;
  }

private:
  void commit();

  struct operation {
    std::function<void()> work;
    std::function<void()> then;
  };

  world* world_;
  std::function<void(sim_time, std::function<void()>)> run_;
  std::deque<operation> queue_;
  bool busy_ = false;
  bool slow_ = false;
};

} // namespace vartalap::sim
