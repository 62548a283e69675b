#pragma once

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The JSON bodies of the HTTP API (protocol.md, section 4). Parsing never
/// throws, takes unknown members for later versions' and ignores them, and
/// needs memory by what is there. The size of a whole body is the session's
/// to bound.
namespace vartalap::net::api {

/// Most frames in one POST /messages.
inline constexpr std::size_t frames_max = 1000;

/// Most serverIds in one acknowledgement.
inline constexpr std::size_t serverids_max = 10'000;

/// Most messages that one answer of /messages or /sync holds, and how many
/// where the client does not say.
inline constexpr std::uint64_t page_messages_max = 1000;
inline constexpr std::uint64_t page_messages_default = 100;

/// Most bytes of messages that one answer holds, and the default. One message
/// always fits.
inline constexpr std::uint64_t page_bytes_max = 4 * core::MiB;
inline constexpr std::uint64_t page_bytes_default = core::MiB;

/// A request that cannot be served: what `http_error` needs.
struct refused {
  unsigned status = 400;
  core::refusal code = core::refusal::bad_frame;
  std::string why; ///< what is wrong, and how to mend it
};

template <class Request>
using parsed = std::variant<Request, refused>;

/// POST /sync.
struct sync_request {
  std::vector<core::server_id> acks;
  std::uint64_t limit = page_messages_default;  ///< messages, at least 1
  std::uint64_t max_bytes = page_bytes_default; ///< at least 1
};

/// POST /login.
struct login_request {
  std::string username;   ///< a valid user id
  std::string auth_token; ///< empty: none in the body
  std::optional<std::string> notification_token;
  std::string device_id = "default"; ///< a valid device id
  double message_version = 2.1;
};

/// POST /messages: the frames, each to be decoded by itself, so that a bad one
/// is answered in its place: a JSON text, or for the format `binary` the
/// base64 of a protobuf frame. An element that is not a string is taken as the
/// text itself.
/// @param format The query parameter `format`: empty, `text` or `binary`.
parsed<std::vector<std::string>> parse_messages(std::string_view body,
                                                std::string_view format);

/// Base64 (RFC 4648, section 4) with its padding.
std::string to_base64(std::string_view bytes);

/// @returns Nothing for what `to_base64` would not write.
/// @pre Less than 2 GiB.
std::optional<std::string> from_base64(std::string_view text);

/// POST /messages/ack.
parsed<std::vector<core::server_id>> parse_serverids(std::string_view body);

/// POST /sync. An empty body asks for the first page and acknowledges nothing.
parsed<sync_request> parse_sync(std::string_view body);

/// POST /login. null stands for a member that is not given.
parsed<login_request> parse_login(std::string_view body);

/// The query parameter `limit` of GET /messages; empty: the default.
parsed<std::uint64_t> parse_limit(std::string_view text);

/// {"messages":[…],"more":…}
/// @param frames Encoded JSON deliveries, oldest first.
std::string page_body(std::span<const std::string> frames, bool more);

/// {"acks":[…]}: the answer to POST /messages?ack=true.
/// @param frames SERVER_ACK and ERROR frames, JSON or base64, in input order;
///               they become strings.
std::string acks_body(std::span<const std::string> frames);

/// {"acknowledged":n}
std::string acknowledged_body(std::uint64_t count);

/// {"status":true,"username":…,"accesskey":…,"isNew":…}
std::string login_body(std::string_view username, std::string_view accesskey,
                       bool is_new);

/// {"username":…}
std::string profile_body(std::string_view username);

/// One entry of GET /nodes.
struct node_line {
  std::string name;
  std::string url; ///< where its WebSockets are: "ws://127.0.0.1:8081"
};

/// {"nodes":[{"name":…,"url":…},…],"node":…}
/// @param node The name of the node that answers.
std::string nodes_body(std::span<const node_line> nodes, std::string_view node);

/// One entry of GET /devices.
struct device_line {
  std::string name;
  bool connected = false;
  std::uint64_t last_seen = 0; ///< ms since the epoch
  std::string_view push{};     ///< its push platform; empty: none
};

/// [{"device":…,"connected":…,"lastSeen":…,"push":…},…]
std::string devices_body(std::span<const device_line> devices);

} // namespace vartalap::net::api
