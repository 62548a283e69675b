#pragma once

#include "core/ids.hpp"
#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::core {

/// Numbers as on the wire (protocol.md, section 1).
enum class message_type : std::uint8_t {
  server_ack = 0,
  client_ack = 1,
  message = 2,
  notification = 3,
  error = 9,
  custom = 10,
  // Inside and between nodes only: no client's frame has these.
  group_record = 16,  ///< a change of a group; its storage keeps it
  group_command = 17, ///< asks a group, or a user's list of groups
  // Accepted by a group and on the way to its members (`outgoing`).
  outgoing_message = 34,
  outgoing_notification = 35,
  outgoing_custom = 42,
};

/// What a message is called while it waits for a group's members, and back.
/// @pre It is a message, notification or custom, or such a one outgoing.
constexpr message_type outgoing(message_type type) noexcept {
  return static_cast<message_type>(static_cast<std::uint8_t>(type) | 32U);
}
constexpr message_type without_outgoing(message_type type) noexcept {
  return static_cast<message_type>(static_cast<std::uint8_t>(type) & ~32U);
}
constexpr bool is_outgoing(message_type type) noexcept {
  return type == message_type::outgoing_message
         || type == message_type::outgoing_notification
         || type == message_type::outgoing_custom;
}

/// Numbers as on the wire.
enum class channel : std::uint8_t {
  unknown = 0, ///< treated as individual
  individual = 1,
  group = 2,
  other = 10,
};

/// What `envelope::content` holds. Kept as it came, rendered per receiver.
enum class content_kind : std::uint8_t {
  bin = 0,     ///< raw bytes (a msgpack bin's payload, protobuf content)
  msgpack = 1, ///< one encoded msgpack value other than bin
  json = 2,    ///< JSON text in UTF-8
};

/// One entry of `meta`. Keys are the binary encodings' keys: `k` stands for
/// JSON's head.k, `_m.k` for JSON's meta.k.
struct meta_entry {
  std::string key;
  std::string value;    ///< text, or JSON text where `is_json`
  bool is_json = false; ///< came from JSON and was not a string

  friend bool operator==(const meta_entry&, const meta_entry&) = default;
};

/// One message: what a client sent, and what the server added when it took
/// it. Mutable until a mailbox received it, shared and constant afterwards.
struct envelope {
  std::string id;
  std::string from;  ///< always the authenticated user
  std::string to;    ///< in whose mailbox it lies
  std::string group; ///< a member's copy: the group; empty: it is for `to`
  std::string content;
  std::vector<meta_entry> meta;
  std::uint64_t timestamp = 0;        ///< sender's clock, ms since the epoch
  server_id serverid;                 ///< none until received
  std::uint64_t server_timestamp = 0; ///< accepting server's clock, ms
  message_type type = message_type::message;
  enum channel channel = channel::individual;
  content_kind kind = content_kind::bin;
  bool ephemeral = false;

  /// Whom its sender named as `to`.
  const std::string& addressee() const noexcept {
    return group.empty() ? to : group;
  }

  /// Bytes that count for quotas, windows and budgets: what its strings hold
  /// plus a fixed overhead.
  std::size_t weight() const noexcept;

  /// Hash of everything that a resend must repeat: content, kind, type,
  /// channel, meta (not the timestamp).
  std::uint64_t content_hash() const noexcept;
};

using envelope_ptr = std::shared_ptr<const envelope>;

/// What a SERVER_ACK says happened (numbers as on the wire).
enum class ack_status : std::uint8_t {
  stored = 0,    ///< durable, or owed by nobody any more
  delivered = 1, ///< some device of the recipient had acknowledged it
  relayed = 2,   ///< ephemeral: handed to the connected devices, if any
};

/// What a SERVER_ACK says about durability (numbers as on the wire; 1+N is
/// disk and N further nodes).
enum class durability : std::uint8_t {
  memory = 0,    ///< every owing device acknowledged before it was stored
  disk = 1,      ///< synced
  written = 255, ///< relaxed mode: flushed without the meta page's sync
};

} // namespace vartalap::core
