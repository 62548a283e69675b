#pragma once

#include "core/node_clock.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vartalap::core {

/// Identifies a message inside the cluster and orders it in its mailbox.
///
/// 128 bits: 48-bit ms of a hybrid logical clock, 16-bit counter, 32-bit
/// incarnation, 32-bit node. Unique across nodes and restarts, never reused.
/// Big-endian bytes, hex text and this struct sort alike. Zero is "none".
/// It is an order, not a time.
struct server_id {
  std::uint64_t high = 0; ///< clock ms (48 bits) and counter (16 bits)
  std::uint64_t low = 0;  ///< incarnation (32 bits) and node (32 bits)

  friend auto operator<=>(const server_id&, const server_id&) = default;

  /// False for "none".
  explicit operator bool() const noexcept {
    return (high | low) != 0;
  }

  /// Milliseconds of the hybrid clock when it was made.
  std::uint64_t clock_ms() const noexcept {
    return high >> 16;
  }

  /// 32 lower-case hex digits.
  std::string to_hex() const;

  /// Writes the 32 hex digits to `out` (exactly 32 bytes, no terminator).
  void write_hex(char* out) const noexcept;

  /// @returns Nothing unless `text` is 32 lower-case hex digits.
  static std::optional<server_id> from_hex(std::string_view text) noexcept;

  /// 16 bytes, big-endian: the order of the bytes is the order of the ids.
  std::array<std::uint8_t, 16> to_bytes() const noexcept;

  /// @pre `bytes` has at least 16 bytes.
  static server_id from_bytes(const std::uint8_t* bytes) noexcept;
};

/// Makes serverIds. Single-threaded: one per shard, each with an incarnation
/// of its own (the process's incarnation and the shard's number), so that ids
/// of different shards differ too. With the node's clock their times ascend
/// over all shards, and past what other nodes have said; it must outlive this.
class server_id_clock {
public:
  /// @param node From the node's uuid.
  /// @param incarnation Unique for this process start and shard.
  /// @param shared Null: a clock of its own.
  server_id_clock(std::uint32_t node, std::uint32_t incarnation,
                  node_clock* shared = nullptr) noexcept
    : shared_(shared), low_(std::uint64_t{incarnation} << 32 | node) {
  }

  /// A serverId above every one made or observed before. `wall` in ms since
  /// the epoch only moves the clock forward; the counter carries into the ms.
  server_id next(std::uint64_t wall) noexcept;

  /// Moves the clock past a serverId that came from elsewhere.
  void observe(server_id seen) noexcept;

private:
  node_clock& clock() noexcept {
    return shared_ != nullptr ? *shared_ : own_;
  }

  node_clock own_;
  node_clock* shared_;
  std::uint64_t low_;
};

/// Longest user, group and device names and message ids, in bytes.
inline constexpr std::size_t user_id_bytes_max = 128;
inline constexpr std::size_t message_id_bytes_max = 64;
inline constexpr std::size_t device_id_bytes_max = 64;

/// The name under which the server itself speaks; no user may have it.
inline constexpr std::string_view server_user = "server";

/// UTF-8 without control characters (C0, DEL, C1), 1 to `max` bytes.
bool is_valid_id(std::string_view text, std::size_t max) noexcept;

/// True for valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool is_utf8(std::string_view text) noexcept;

/// A user or group id that may be addressed: valid and not `server`.
bool is_valid_user(std::string_view text) noexcept;

/// 1–64 of [A-Za-z0-9._-].
bool is_valid_device(std::string_view text) noexcept;

/// 64-bit hash that is the same on every node and in every release
/// (FNV-1a with a finisher); buckets and shards are made from it.
std::uint64_t stable_hash(std::string_view text,
                          std::uint64_t seed = 0) noexcept;

/// 16-bit bucket of a user or group: the unit of placement and of ranges on
/// disk.
std::uint16_t bucket_of(std::string_view user) noexcept;

/// Identity of a message as its sender sees it, (from, to, id), as 128 bits.
struct dedupe_key {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  friend bool operator==(const dedupe_key&, const dedupe_key&) = default;
};

/// Hash of (from, to, id); 128 bits, so that a chance collision is out of
/// question at any rate that a node can take.
dedupe_key make_dedupe_key(std::string_view from, std::string_view to,
                           std::string_view id) noexcept;

} // namespace vartalap::core

template <>
struct std::hash<vartalap::core::server_id> {
  std::size_t operator()(const vartalap::core::server_id& x) const noexcept {
    return static_cast<std::size_t>(x.high * 0x9e3779b97f4a7c15ULL ^ x.low);
  }
};

template <>
struct std::hash<vartalap::core::dedupe_key> {
  std::size_t operator()(const vartalap::core::dedupe_key& x) const noexcept {
    return static_cast<std::size_t>(x.a);
  }
};
