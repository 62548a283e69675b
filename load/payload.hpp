#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vartalap::load {

/// Which message of this run: the `seq`-th of user `sender`.
struct message_key {
  std::uint32_t sender = 0;
  std::uint32_t seq = 0;
  friend bool operator==(const message_key&, const message_key&) = default;
};

/// What a content says about itself.
struct payload_facts {
  message_key key;
  std::uint64_t scheduled_us = 0; ///< when it was due, on the run's clock
};

/// Smallest content that carries its facts and its checksum, in bytes.
inline constexpr std::size_t payload_bytes_min = 32;

/// Makes the ids and contents of one run, and recognises them. The same key
/// and time always give the same content, so a resend needs no copy.
class payload_maker {
public:
  /// @param run Random; in every id and checksum, so that what an earlier run
  ///            left in a mailbox is recognised as foreign.
  /// @param size Bytes of a content, at least `payload_bytes_min`.
  payload_maker(std::uint64_t run, std::size_t size);

  /// Replaces `out` by the content.
  void make(const payload_facts& facts, std::string& out) const;

  /// @returns Nothing where the content is not one of this run or is damaged.
  std::optional<payload_facts> read(std::string_view content) const;

  /// Appends the message's id.
  void append_id(message_key key, std::string& out) const;

  /// True for an id of this run.
  bool is_ours(std::string_view id) const noexcept;

  /// @returns Nothing where the id is not one of this run.
  std::optional<message_key> read_id(std::string_view id) const;

  /// "u17" of 17.
  static std::string user_name(std::uint32_t user);

  /// 17 of "u17"; nothing where it is no such name.
  static std::optional<std::uint32_t> read_user_name(std::string_view name);

private:
  std::uint64_t checksum(std::string_view bytes) const noexcept;

  std::uint64_t run_;
  std::size_t size_;
  std::string prefix_; ///< 16 hex digits and a dash
};

} // namespace vartalap::load
