#pragma once

#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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
/// O(1) per operation and about 110 bytes per id; memory is kept for reuse.
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
  using node_index = std::uint32_t;
  static constexpr node_index none = 0xffffffff;
  static constexpr std::size_t chunk_nodes = 1024;

  /// One record. Finished ones form a list in the order of their release,
  /// free ones a list through `next`.
  struct node {
    dedupe_key key;
    dedupe_record record;
    mono_time until{};
    node_index previous = none;
    node_index next = none;
    bool pinned = true;
  };

  using chunk = std::array<node, chunk_nodes>;

  /// A place of the hash table: open addressing, at most half full. The
  /// fingerprint gives the home place too, so that probing and erasing touch
  /// no other record.
  struct place {
    std::uint32_t fingerprint = 0;
    node_index index = none;
  };

  node& at(node_index index) noexcept;
  std::size_t find_place(const dedupe_key& key) const noexcept;
  void grow();
  node_index take_node();
  void append_finished(node_index index) noexcept;
  void unlink_finished(node_index index) noexcept;
  void erase_place(std::size_t hole) noexcept;

  /// Drops up to `limit` finished records that are too old or too many.
  void drop(mono_time now, int limit) noexcept;

  microseconds keep_;
  std::size_t ids_max_;
  std::size_t size_ = 0;
  std::size_t finished_ = 0;
  node_index oldest_ = none; ///< of the finished
  node_index newest_ = none;
  node_index free_ = none;
  node_index used_ = 0; ///< nodes that were ever taken
  std::vector<std::unique_ptr<chunk>> chunks_;
  std::vector<place> places_;
};

} // namespace vartalap::core
