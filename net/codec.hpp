#pragma once

#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/options.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vartalap::net {

/// The encodings that a connection may write.
enum class encoding : std::uint8_t {
  json_v2,  ///< text without a subprotocol: with the repeated v1 names
  json,     ///< subprotocol vartalap.json: without them
  msgpack,  ///< subprotocol vartalap.msgpack
  protobuf, ///< format=binary without a subprotocol
};

/// Frames that a client may send, decoded.
namespace frame {

/// A message to be routed. `from` is empty: the caller sets it. For a JSON
/// frame with head.action `state` that names ids, `state_ids` lists them:
/// they are also acknowledgements (and the message is forwarded all the
/// same).
struct message {
  std::shared_ptr<core::envelope> what;
  std::vector<std::string> state_ids;
};

/// A CLIENT_ACK: exactly these messages, or, where the list is empty, what
/// is in flight on the connection under `id`.
struct ack {
  std::vector<core::server_id> serverids;
  std::string id;
};

/// The text frame `ping`.
struct ping {};

/// Cannot be taken; the connection stays open. `id` where it could be read.
struct bad {
  core::refusal code = core::refusal::bad_frame;
  std::string id;
  std::string why; ///< what is wrong and how to mend it
};

} // namespace frame

using client_frame
  = std::variant<frame::message, frame::ack, frame::ping, frame::bad>;

/// Limits that decoding enforces.
struct codec_limits {
  std::size_t content_bytes = 64 * core::KiB; ///< 0: none
  std::size_t meta_entries = 32;
  std::size_t meta_bytes = 4 * core::KiB;
  unsigned depth = 32;
};

/// Decodes one WebSocket text frame (valid UTF-8). `now` (ms since the epoch)
/// is the timestamp of a message that brings none. Never throws; memory is
/// bounded by the frame's size.
client_frame decode_json(std::string_view text, const codec_limits& limits,
                         std::uint64_t now);

/// Decodes one binary frame of a vartalap.msgpack connection. Never throws;
/// allocates by what is there, not by what a header declares.
client_frame decode_msgpack(std::string_view bytes, const codec_limits& limits,
                            std::uint64_t now);

/// Decodes one binary frame of any other connection. Never throws but for
/// memory, which is bounded by a small multiple of the frame's size.
client_frame decode_protobuf(std::string_view bytes, const codec_limits& limits,
                             std::uint64_t now);

/// Appends the delivery of a message to `out` in the given encoding.
void encode_delivery(encoding how, const core::envelope& message,
                     std::string& out);

/// What a SERVER_ACK says.
struct server_ack {
  std::string_view id;
  std::string_view to;      ///< the sender who is answered
  core::server_id serverid; ///< none for relayed
  std::uint64_t server_timestamp = 0;
  core::ack_status status = core::ack_status::stored;
  core::durability durability = core::durability::memory;
};

void encode_server_ack(encoding how, const server_ack& ack, std::string& out);

/// @param to The client that is answered.
void encode_error(encoding how, std::string_view id, std::string_view to,
                  core::refusal code, std::string_view why, std::string& out);

/// The {action: "gap", count} notification for a device whose debts were
/// cancelled.
void encode_gap(encoding how, std::string_view to, std::uint64_t count,
                std::string& out);

/// True for the encodings that travel in text frames.
constexpr bool is_text(encoding how) noexcept {
  return how == encoding::json_v2 || how == encoding::json;
}

} // namespace vartalap::net
