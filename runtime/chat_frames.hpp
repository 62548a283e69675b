#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vartalap::runtime {

/// A frame of the chat client (subprotocol vartalap.json) that is to be sent
/// until it is confirmed: a message, or a receipt for several.
struct chat_outgoing {
  std::string id;
  std::string to;
  std::string text;             ///< of a message
  std::vector<std::string> ids; ///< of a receipt; empty for a message
  std::uint64_t at_ms = 0;      ///< Unix time

  bool is_receipt() const noexcept {
    return !ids.empty();
  }
};

/// A message or notification that arrived.
struct chat_delivery {
  std::string id;
  std::string from;
  std::string to;
  std::string action; ///< "message" unless the sender says otherwise
  std::string text;   ///< what a person reads of the content
  std::string server_id;
  std::string group;            ///< its id, where it came through a group
  std::vector<std::string> ids; ///< of a `state` receipt
  std::string state;            ///< "delivered" or "read", of a receipt
  std::uint64_t at_ms = 0;
  bool is_message = true; ///< false for notifications
};

/// The server confirms, or refuses.
struct chat_answer {
  std::string id;
  std::string status; ///< "stored", "delivered", "relayed"; of a refusal: code
  std::string text;   ///< of a refusal
  bool refused = false;
};

struct chat_unreadable {};

using chat_incoming = std::variant<chat_unreadable, chat_delivery, chat_answer>;

/// The JSON frame of `what`, from `user`.
std::string to_frame(const chat_outgoing& what, std::string_view user);

/// A CLIENT_ACK for these serverIds.
std::string ack_frame(const std::vector<std::string>& server_ids);

/// Reads a frame of the server.
chat_incoming read_frame(std::string_view text);

} // namespace vartalap::runtime
