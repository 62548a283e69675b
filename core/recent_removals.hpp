#pragma once

#include "core/cluster_messages.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

namespace vartalap::core {

/// What was removed on this node in the last seconds, whoever wanted it:
/// messages and devices. While all is calm removals leave no tombstones where
/// they are carried out; a copy that was on its way meanwhile is not to bring
/// the dead back, and where the calm ends not everybody may have heard.
/// Belongs to a shard.
class recent_removals {
public:
  /// Longer than any copy is on its way: the replicator's patience and a
  /// link's time to come up again, several times over.
  static constexpr milliseconds keep_for{10'000};

  void note(say::removal what, mono_time now);

  /// The message was removed.
  bool has(server_id serverid) const noexcept;

  /// The removal that this record of a device is older than; null: none.
  const say::removal* removal_of(const say::device_of& device) const noexcept;

  /// Forgets what is older than `keep_for`.
  void expire(mono_time now);

  /// All of them, oldest first.
  std::vector<say::removal> all() const;

  std::size_t size() const noexcept {
    return order_.size();
  }

private:
  struct entry {
    say::removal what;
    mono_time at{};
  };

  std::deque<entry> order_;
  std::unordered_map<server_id, unsigned> messages_; ///< how often in order_
  std::size_t devices_ = 0;                          ///< in order_
};

} // namespace vartalap::core
