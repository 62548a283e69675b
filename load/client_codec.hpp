#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace vartalap::load {

/// A message as the client writes it (protocol.md, section 3.2): an
/// individual MESSAGE with a bin content and no meta.
struct client_message {
  std::string_view id;
  std::string_view to;
  std::string_view content;
  std::uint64_t timestamp = 0; ///< ms since the Unix epoch
};

/// A message that arrived. Views into the frame.
struct delivery {
  std::string_view id;
  std::string_view to;
  std::string_view from;
  std::string_view content; ///< of a bin or str, else empty
  std::string_view server_id;
  unsigned kind = 0; ///< 0 MESSAGE, 1 NOTIFICATION, 2 CUSTOM
};

/// The server confirms a message.
struct server_ack {
  std::string_view id;
  std::uint64_t status = 0; ///< 0 stored, 1 delivered, 2 relayed
  std::string_view server_id;
  std::uint64_t durability = 0;
};

/// The server refuses a message.
struct refusal {
  std::string_view id;
  std::string_view code;
  std::string_view message;
};

/// A frame that is none of the others, or is malformed.
struct unreadable {};

using server_frame = std::variant<unreadable, delivery, server_ack, refusal>;

/// Appends the message's frame to `out`.
void encode(const client_message& message, std::string& out);

/// Appends a CLIENT_ACK for `count` serverIds to `out`.
/// @param server_ids `count` times 32 hex digits without separators.
void encode_ack(std::string_view server_ids, std::string& out);

/// Reads one frame from the server. Elements it does not know are skipped.
server_frame decode(std::string_view frame);

} // namespace vartalap::load
