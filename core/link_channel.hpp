#pragma once

#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::core {

/// How a link behaves.
struct link_rules {
  std::size_t blob_bytes = 256 * KiB;  ///< the largest blob, header included
  std::size_t window_bytes = 4 * MiB;  ///< sent and not acknowledged yet
  std::size_t queue_bytes = 16 * MiB;  ///< waiting for the window
  std::size_t item_bytes = 64 * MiB;   ///< the largest item
  milliseconds heartbeat{500};         ///< the longest silence
  milliseconds dead_after{2500};       ///< of the peer's silence
  milliseconds ack_after{20};          ///< where nothing carries it earlier
  std::size_t ack_bytes = 1 * MiB;     ///< or at once after so much
  microseconds gather{2000};           ///< between blobs that are not full
  std::size_t gather_bytes = 64 * KiB; ///< a blob that is full
};

/// One node's end of a link: what makes a stream of items out of blobs that
/// arrive in order or not at all. Items wait, travel many in a blob (or one in
/// many), are numbered, acknowledged, and bounded; a peer that is silent is
/// dead. After a pause an item goes at once; while blobs follow each other,
/// what comes within `gather` of the last one travels together: a blob costs
/// wake-ups of five threads, whatever is in it. Nothing is sent twice: whatever
/// breaks the order ends the session, and its owner decides what is to be said
/// again in the next.
///
/// A blob: magic "VL", version, kind, CRC-32C of the rest, session (8 bytes),
/// number (8), acknowledged number (8), the sender's hybrid clock (8, as in
/// node_clock), then the body: items, each after its length (4 bytes), cut
/// where a blob is full. Numbers are little-endian.
///
/// Pure; belongs to its link actor's shard.
class link_channel {
public:
  static constexpr std::size_t header_bytes = 40;
  static constexpr std::uint8_t version = 3;

  explicit link_channel(const link_rules& rules) noexcept : rules_(rules) {
  }

  /// Begins a session; everything of an earlier one is dropped.
  void open(std::uint64_t session, mono_time now);
  void close();
  bool is_open() const noexcept {
    return session_ != 0;
  }

  /// Queues an item.
  /// @returns False where the queue is full: the peer does not keep up, and
  ///          the session is to be given up.
  bool add(std::string_view item);

  /// Replaces `blob` by what is to be sent next.
  /// @param clock Of this node (node_clock::read): no less than any time in
  ///              what was added.
  /// @returns False where nothing is due.
  bool next(mono_time now, std::uint64_t clock, std::vector<char>& blob);

  enum class verdict : std::uint8_t {
    ok,
    stale,  ///< of another session: not for us
    broken, ///< damaged, lost or too large: give the session up
  };

  /// Takes a blob of the peer. `items` is replaced by the items that are
  /// complete now; they are valid until the next call.
  verdict receive(std::span<const char> blob, mono_time now,
                  std::vector<std::string_view>& items);

  /// The peer has been silent for too long.
  bool is_dead(mono_time now) const noexcept {
    return is_open() && now - heard_ >= rules_.dead_after;
  }

  /// When `next` and `is_dead` are to be asked again, at the latest.
  mono_time next_deadline() const noexcept;

  /// The peer's clock as of its latest blob: to be heard (node_clock::hear)
  /// before the blob's items are handed on.
  std::uint64_t peer_clock() const noexcept {
    return peer_clock_;
  }

  /// For metrics.
  struct figures {
    microseconds round_trip{0}; ///< smoothed; 0: none measured
    std::size_t queued = 0;     ///< bytes
    std::size_t in_flight = 0;  ///< bytes
    std::uint64_t blobs_out = 0;
    std::uint64_t blobs_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t items_out = 0;
    std::uint64_t items_in = 0;
  };
  figures look() const noexcept;

private:
  struct sent_blob {
    std::uint64_t number = 0;
    std::size_t bytes = 0;
    mono_time when{};
  };

  bool has_window() const noexcept;
  mono_time data_due() const noexcept;
  void take_ack(std::uint64_t upto, mono_time now);
  bool take_body(std::string_view body, std::vector<std::string_view>& items);
  void write_header(std::vector<char>& blob, std::uint64_t clock) const;

  link_rules rules_;
  std::uint64_t session_ = 0; ///< 0: closed
  std::string queue_;
  std::size_t queue_at_ = 0; ///< sent up to here
  std::deque<sent_blob> flying_;
  std::size_t flying_bytes_ = 0;
  std::uint64_t last_out_ = 0;
  std::uint64_t last_in_ = 0;
  std::uint64_t acked_in_ = 0;    ///< of the peer's blobs, told it
  std::size_t unacked_bytes_ = 0; ///< of the peer's, not told it
  mono_time ack_due_ = mono_time::max();
  mono_time spoke_{};
  mono_time sent_{}; ///< the latest blob with items
  mono_time heard_{};
  std::uint64_t peer_clock_ = 0;
  std::string partial_; ///< what the last blob left of an item
  std::string whole_;   ///< `partial_` and a new body put together
  figures figures_;
};

} // namespace vartalap::core
