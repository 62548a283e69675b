#pragma once

#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/mailbox_effects.hpp"
#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace vartalap::core {

/// Where a pending message is safe.
///   memory --store--> asked --committed--> durable
/// A failed commit takes the message out of the mailbox instead.
enum class storage_tier : std::uint8_t {
  memory,  ///< nowhere but here
  asked,   ///< its store is on the way
  durable, ///< committed, or found on disk
};

/// How a message leaves the mailbox.
enum class message_ending : std::uint8_t {
  acknowledged,
  cancelled,
  expired,
  quarantined,
  refused,
  elsewhere, ///< another node removed it, from this disk too
};

/// One bit per known device of the mailbox.
using device_mask = std::uint16_t;

/// At most this many known devices, whatever `limits.devices_per_user` says:
/// each has a bit in every entry.
inline constexpr std::size_t devices_max = 16;

/// One pending message. Small, because a mailbox has one for every message
/// on its disk too.
struct mailbox_entry {
  server_id serverid;
  envelope_ptr message; ///< null: on disk only
  dedupe_key key;
  std::uint64_t sender_hash = 0;
  mono_time received{};
  mono_time spill_at{}; ///< to be stored then, if still in memory only
  origin_ref origin;    ///< the first who waits for a confirmation
  std::unique_ptr<std::vector<origin_ref>> more_origins;
  std::uint32_t weight = 0;
  device_mask acked = 0;
  storage_tier tier = storage_tier::memory;
  bool confirmed : 1 = false;
  bool delivered : 1 = false; ///< some device has acknowledged it
  bool wakes : 1 = false;     ///< of type MESSAGE: may raise an offline event
  bool raised : 1 = false;    ///< its store carries the offline event
  bool adopted : 1 = false;   ///< found on disk, or another node's
  bool gone : 1 = false;      ///< a hole in the table

  /// Adds someone who waits; the newest of one owner takes the older's place.
  /// @returns False where it took a place.
  bool add_origin(origin_ref waiting);
};

/// The pending messages of a mailbox in the order of their serverIds.
/// Removal leaves a hole; `compact` closes holes when they are many, so that
/// pointers and spans hold until then or until `push_back`.
class mailbox_entries {
public:
  std::size_t size() const noexcept {
    return live_;
  }

  bool empty() const noexcept {
    return live_ == 0;
  }

  /// @pre `entry.serverid` is above every one here.
  mailbox_entry& push_back(mailbox_entry entry);

  /// Puts it where its serverId belongs; pointers and spans end. Linear: for
  /// the rare message that another node made.
  /// @pre No other has its serverid.
  mailbox_entry& insert(mailbox_entry entry);

  /// @returns Null for what is not here (any more). O(log n), O(1) for the
  ///          oldest and the newest.
  const mailbox_entry* find(server_id serverid) const noexcept;
  mailbox_entry* find(server_id serverid) noexcept;

  /// All of them, holes included.
  std::span<mailbox_entry> all() noexcept;
  std::span<const mailbox_entry> all() const noexcept;

  /// Those above `serverid`, holes included.
  std::span<mailbox_entry> after(server_id serverid) noexcept;
  std::span<const mailbox_entry> after(server_id serverid) const noexcept;

  /// Makes a hole.
  void erase(mailbox_entry& entry) noexcept;

  /// Closes holes where that is cheap for what it gains: amortised O(1) per
  /// erased entry.
  void compact();

  void reserve(std::size_t n);

  /// Gives an empty table's memory back.
  void release_memory() noexcept;

private:
  std::vector<mailbox_entry> table_;
  std::size_t head_ = 0; ///< only holes before it
  std::size_t live_ = 0;
};

} // namespace vartalap::core
