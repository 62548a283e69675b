#include "net/codec.hpp"

#include "net/codec_json.hpp"
#include "net/codec_msgpack.hpp"
#include "net/codec_protobuf.hpp"

#include <atomic>
#include <chrono>

namespace vartalap::net {

namespace {

/// An id that no other notification of the server has: clients drop what
/// comes again under a known id.
std::string unique_gap_id(std::uint64_t now) {
  static std::atomic<std::uint32_t> counter{0};
  return "gap-" + std::to_string(now) + '-' + std::to_string(++counter);
}

} // namespace

void encode_delivery(encoding how, const core::envelope& message,
                     std::string& out) {
  if (how == encoding::msgpack)
    encode_msgpack_delivery(message, out);
  else if (how == encoding::protobuf)
    encode_protobuf_delivery(message, out);
  else
    encode_json_delivery(message, how == encoding::json_v2, out);
}

void encode_server_ack(encoding how, const server_ack& ack, std::string& out) {
  if (how == encoding::msgpack)
    encode_msgpack_server_ack(ack, out);
  else if (how == encoding::protobuf)
    encode_protobuf_server_ack(ack, out);
  else
    encode_json_server_ack(ack, how == encoding::json_v2, out);
}

void encode_error(encoding how, std::string_view id, std::string_view to,
                  core::refusal code, std::string_view why, std::string& out) {
  if (how == encoding::msgpack)
    encode_msgpack_error(id, code, why, out);
  else if (how == encoding::protobuf)
    encode_protobuf_error(id, to, code, why, out);
  else
    encode_json_error(id, to, code, why, how == encoding::json_v2, out);
}

void encode_gap(encoding how, std::string_view to, std::uint64_t count,
                std::string& out) {
  const auto now = static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
  core::envelope notification;
  notification.id = unique_gap_id(now);
  notification.from = core::server_user;
  notification.to = to;
  notification.type = core::message_type::notification;
  notification.ephemeral = true;
  notification.kind = core::content_kind::json;
  notification.content = "{\"count\":" + std::to_string(count) + '}';
  notification.meta = {{"action", "gap", false}, {"category", "system", false}};
  notification.timestamp = now;
  notification.server_timestamp = now;
  encode_delivery(how, notification, out);
}

} // namespace vartalap::net
