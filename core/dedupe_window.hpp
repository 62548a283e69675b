#pragma once

#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

namespace vartalap::core {

/// What is known of a message id that was accepted: enough to answer a
/// resend as the first was answered, or to refuse other content under it.
struct dedupe_record {
  server_id serverid;
  std::uint64_t server_timestamp = 0; ///< ms since the epoch
  std::uint64_t content_hash = 0;
  bool confirmed = false; ///< the fields below hold
  ack_status status = ack_status::stored;
  enum durability durability = durability::memory;
};

/// Accepted message ids of one shard: those still pending (pinned) and those
/// finished within `delivery.dedupe_for`, at most `delivery.dedupe_ids` of
/// the latter (oldest go first). Single-threaded: belongs to its shard.
/// O(1) per operation.
class dedupe_window {
public:
  dedupe_window(milliseconds keep, std::size_t ids_max);

  /// @returns Null for an unknown id. Valid until the next call that changes
  ///          the window.
  dedupe_record* find(const dedupe_key& key) noexcept;

  /// Adds a pinned record, or replaces what is there and pins it.
  void insert(const dedupe_key& key, const dedupe_record& record);

  /// The message is no longer pending: from now on the record stays for the
  /// rest of `keep` counted from `accepted`, if that is not over already.
  void release(const dedupe_key& key, mono_time accepted, mono_time now);

  /// Forgets an id (its message was refused: a resend is a new attempt).
  void erase(const dedupe_key& key) noexcept;

  /// Drops finished records that are too old; bounded work per call, also
  /// done a little by every `release`.
  void expire(mono_time now);

  std::size_t size() const noexcept;

private:
  struct slot {
    dedupe_record record;
    bool pinned = true;
    std::uint64_t generation = 0; ///< of the release that may drop it
  };
  struct finished {
    dedupe_key key;
    mono_time until;
    std::uint64_t generation;
  };

  /// Drops up to `limit` finished records that are too old or too many.
  void drop(mono_time now, int limit);

  microseconds keep_;
  std::size_t ids_max_;
  std::uint64_t generation_ = 0;
  std::unordered_map<dedupe_key, slot> slots_;
  std::deque<finished> finished_;
};

} // namespace vartalap::core
