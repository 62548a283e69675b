#pragma once

#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/mailbox.hpp"
#include "core/mailbox_effects.hpp"
#include "storage/store.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Keys and values as bytes; docs/storage.md has the same as tables. All
/// functions are pure and thread-safe.
namespace vartalap::storage {

/// Written into every record; a reader refuses others.
inline constexpr std::uint8_t record_version = 1;

/// Content above this many bytes is stored once and referenced.
inline constexpr std::size_t inline_content_bytes_max = 1024;

/// A key in a buffer of its own. The longest is a mailbox key:
/// 2 + 1 + 128 + 64 bytes of a device, well below LMDB's 511.
class key_bytes {
public:
  operator std::string_view() const noexcept {
    return {bytes_.data(), size_};
  }

  void add(std::string_view part) noexcept;
  void add_byte(std::size_t byte) noexcept;

private:
  std::array<char, 208> bytes_;
  std::size_t size_ = 0;
};

/// The writer's sequence number, big-endian.
key_bytes journal_key(std::uint64_t sequence) noexcept;
/// @pre `key` has 8 bytes.
std::uint64_t sequence_of(std::string_view key) noexcept;

/// bucket ∥ length ∥ user: what all keys of a user start with.
/// @pre 1 to 128 bytes.
key_bytes user_key(std::string_view user) noexcept;
key_bytes mailbox_key(std::string_view user, core::server_id id) noexcept;
key_bytes device_key(std::string_view user, std::string_view device) noexcept;

/// Keys of tombstones: the user's, then a mark, then serverId or device.
key_bytes removal_key(std::string_view user, core::server_id id) noexcept;
key_bytes removal_key(std::string_view user, std::string_view device) noexcept;

/// The tombstone at `key`.
/// @returns Nothing where it is damaged.
std::optional<removal> read_removal(std::string_view key,
                                    std::string_view value);

/// What all keys of a bucket start with.
key_bytes bucket_key(std::uint16_t bucket) noexcept;
/// @pre `key` has 2 bytes or more.
std::uint16_t bucket_of_key(std::string_view key) noexcept;

void encode_peer_note(std::string& out, const peer_note& note);
std::optional<peer_note> read_peer(std::string_view node_uuid,
                                   std::string_view value);

/// A key that starts with `user_key`, taken apart. Nothing where it is none
/// or stands in the wrong bucket.
struct split_key {
  std::string_view user;
  std::string_view rest; ///< serverId or device
};
std::optional<split_key> split_user_key(std::string_view key) noexcept;

/// Key of a content that is stored apart: 128 bits of hash.
using content_key = std::array<char, 16>;
content_key content_key_of(std::string_view content) noexcept;

/// A message record as it lies in journal or mailboxes, checked but not
/// decoded. The views point into the record.
struct record_view {
  core::server_id serverid;
  core::dedupe_key dedupe;
  std::uint64_t content_hash = 0;
  std::uint64_t server_timestamp = 0;
  std::uint64_t sender_hash = 0;
  std::uint32_t weight = 0;
  core::message_type type = core::message_type::message;
  std::string_view user;
  std::optional<std::string_view> content; ///< key, where stored apart
  std::string_view acked;                  ///< names, each after its length
  std::string_view body;

  /// Until when it counts as fresh: the later of the two clocks, in ms.
  std::uint64_t born() const noexcept;
  std::vector<std::string> acked_names() const;
  core::pending_record to_pending() const;
};

/// @returns Nothing for a damaged record: wrong checksum, wrong place, or
///          not of this version.
std::optional<record_view> read_record(std::string_view key,
                                       std::string_view value) noexcept;

/// Replaces `out` by the record of `message` for its place `key`.
/// @param apart Where its content is stored apart.
/// @pre message.to has 1 to 128 bytes.
void encode_record(std::string& out, std::string_view key,
                   const core::envelope& message,
                   std::span<const std::string> acked,
                   const content_key* apart);

/// Appends to `out` the same record for another place.
void append_moved(std::string& out, std::string_view new_key,
                  std::string_view value);

/// Replaces `out` by the record with these names added to the acknowledged
/// ones.
/// @returns False, where all were there already or no more fit.
bool encode_with_acks(std::string& out, std::string_view key,
                      const record_view& record, std::string_view value,
                      std::span<const std::string> devices);

/// @param content What `record.content` refers to; ignored where inline.
/// @returns Null where the body cannot be decoded.
core::envelope_ptr decode_envelope(const record_view& record,
                                   std::string_view content);

/// A value with a checksum over key and bytes (content and devices).
void encode_checked(std::string& out, std::string_view key,
                    std::string_view bytes);
std::optional<std::string_view> read_checked(std::string_view key,
                                             std::string_view value) noexcept;

void encode_device(std::string& out, std::string_view key,
                   const core::device_record& record);
/// @param name The device, from the key.
std::optional<core::device_record> read_device(std::string_view key,
                                               std::string_view name,
                                               std::string_view value);

/// Little-endian numbers of meta and counters.
std::string encode_number(std::uint64_t number);
std::uint64_t read_number(std::string_view bytes) noexcept;

} // namespace vartalap::storage
