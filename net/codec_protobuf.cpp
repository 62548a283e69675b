#include "net/codec_protobuf.hpp"

#include "net/codec_content.hpp"
#include "net/codec_decode.hpp"
#include "net/codec_json_text.hpp"
#include "net/codec_words.hpp"
#include "net/event_args.pb.h"

#include <array>
#include <limits>
#include <utility>

namespace vartalap::net {

namespace {

using core::refusal;

/// What the original writes into its SERVER_ACKs and text frames.
constexpr float version_written = 2.1F;

/// Decodes one frame, field by field; a step that finds a fault notes it in
/// `bad_` and returns false, which ends decoding.
class protobuf_decoder {
public:
  protobuf_decoder(const codec_limits& limits, std::uint64_t now)
    : limits_(limits), now_(now) {
  }

  client_frame decode(std::string_view bytes) {
    if (!parse(bytes) || !read_id())
      return std::move(bad_);
    if (names_ack()) {
      frame::ack ack;
      if (!read_ack(ack))
        return std::move(bad_);
      return ack;
    }
    frame::message result;
    if (!read_message() || !read_content() || !read_meta())
      return std::move(bad_);
    if (is_state_message(*message_)) {
      std::string body;
      append_content_json(*message_, body);
      result.state_ids = read_state_ids(body);
    }
    result.what = std::move(message_);
    return result;
  }

private:
  bool fail(std::string why, refusal code = refusal::bad_frame) {
    bad_.code = code;
    bad_.why = std::move(why);
    return false;
  }

  /// As in JSON, what goes to the server without a type acknowledges. Zero and
  /// no type are the same to proto3.
  bool names_ack() const {
    return wire_.type() == wire::CLIENT_ACK
           || (wire_.type() == wire::SERVER_ACK
               && wire_.destination() == core::server_user);
  }

  bool parse(std::string_view bytes);
  bool read_id();
  bool read_ack(frame::ack& ack);
  bool read_message();
  bool read_type();
  bool read_channel();
  bool read_content();
  bool read_meta();

  const codec_limits& limits_;
  std::uint64_t now_;
  wire::Message wire_;
  std::shared_ptr<core::envelope> message_ = std::make_shared<core::envelope>();
  frame::bad bad_;
};

bool protobuf_decoder::parse(std::string_view bytes) {
  const bool fits
    = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (fits
      && wire_.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return true;
  // What was read before the fault helps the sender to find the frame.
  if (core::is_valid_id(wire_.id(), core::message_id_bytes_max))
    bad_.id = wire_.id();
  return fail("the frame is not one protobuf Message, or cut off");
}

bool protobuf_decoder::read_id() {
  if (wire_.id().empty())
    return true; // an acknowledgement may do without
  if (!core::is_valid_id(wire_.id(), core::message_id_bytes_max))
    return fail("the id must be 1 to 64 bytes of UTF-8 without control "
                "characters");
  bad_.id = wire_.id();
  return true;
}

bool protobuf_decoder::read_ack(frame::ack& ack) {
  if (!wire_.server_id().empty()) {
    const auto id = core::server_id::from_hex(wire_.server_id());
    if (!id || !*id)
      return fail("serverId must be the 32 lower-case hex digits of a "
                  "delivery's serverId");
    ack.serverids.push_back(*id);
  } else if (wire_.id().empty()) {
    return fail("a CLIENT_ACK names a serverId or an id");
  }
  ack.id = wire_.id();
  return true;
}

bool protobuf_decoder::read_message() {
  if (wire_.id().empty())
    return fail("the id is missing; give each message a random id and keep it "
                "for resends");
  if (wire_.destination().empty())
    return fail("the recipient (destination) is missing");
  if (!core::is_valid_user(wire_.destination()))
    return fail(wire_.destination() == core::server_user
                  ? "server takes only CLIENT_ACK frames"
                  : "destination must be 1 to 128 bytes of UTF-8 without "
                    "control characters");
  if (!read_type() || !read_channel())
    return false;
  message_->id = std::move(*wire_.mutable_id());
  message_->to = std::move(*wire_.mutable_destination());
  message_->ephemeral = wire_.ephemeral();
  message_->timestamp = wire_.timestamp() != 0 ? wire_.timestamp() : now_;
  return true;
}

bool protobuf_decoder::read_type() {
  switch (wire_.type()) {
    case wire::SERVER_ACK: // none was given
    case wire::MESSAGE:
      message_->type = core::message_type::message;
      return true;
    case wire::NOTIFICATION:
      message_->type = core::message_type::notification;
      return true;
    case wire::CUSTOM:
      message_->type = core::message_type::custom;
      return true;
    default:
      return fail("type must be 1 (CLIENT_ACK), 2 (MESSAGE), 3 (NOTIFICATION) "
                  "or 10 (CUSTOM)");
  }
}

bool protobuf_decoder::read_channel() {
  switch (wire_.channel()) {
    case wire::UNKNOWN:
    case wire::INDIVIDUAL:
      message_->channel = core::channel::individual;
      return true;
    case wire::GROUP:
      message_->channel = core::channel::group;
      return true;
    case wire::OTHER:
      message_->channel = core::channel::other;
      return true;
    default:
      return fail("channel must be 1 (individual), 2 (group) or 10 (other)");
  }
}

bool protobuf_decoder::read_content() {
  auto& content = *wire_.mutable_content();
  if (limits_.content_bytes != 0 && content.size() > limits_.content_bytes)
    return fail(describe_content_limit(content.size(), limits_),
                refusal::too_large);
  message_->kind = core::content_kind::bin;
  message_->content = std::move(content);
  return true;
}

bool protobuf_decoder::read_meta() {
  meta_collector collector{message_->meta, limits_};
  for (auto& entry : *wire_.mutable_meta()) {
    if (!core::is_utf8(entry.key()) || !core::is_utf8(entry.value()))
      return fail("meta's keys and values must be UTF-8; put anything else "
                  "into the content");
    if (!collector.add(std::move(*entry.mutable_key()),
                       std::move(*entry.mutable_value()), false))
      return fail(describe_meta_limits(limits_), refusal::too_large);
  }
  return true;
}

void set(std::string* field, std::string_view text) {
  field->assign(text.data(), text.size());
}

void set_serverid(core::server_id id, wire::Message& frame) {
  if (!id)
    return;
  std::array<char, 32> hex{};
  id.write_hex(hex.data());
  frame.set_server_id(hex.data(), hex.size());
}

wire::Type type_of(core::message_type type) noexcept {
  switch (type) {
    case core::message_type::notification:
      return wire::NOTIFICATION;
    case core::message_type::custom:
      return wire::CUSTOM;
    default:
      return wire::MESSAGE;
  }
}

wire::Channel channel_of(core::channel channel) noexcept {
  switch (channel) {
    case core::channel::group:
      return wire::GROUP;
    case core::channel::other:
      return wire::OTHER;
    default:
      return wire::INDIVIDUAL;
  }
}

/// Everything of a frame from the server itself but its content and what the
/// server knows of the message.
wire::Message server_frame(wire::Type type, std::string_view id,
                           std::string_view to) {
  wire::Message frame;
  frame.set_version(version_written);
  set(frame.mutable_id(), id);
  frame.set_type(type);
  frame.set_channel(wire::INDIVIDUAL);
  frame.set_ephemeral(true);
  set(frame.mutable_source(), core::server_user);
  set(frame.mutable_destination(), to);
  return frame;
}

} // namespace

client_frame decode_protobuf(std::string_view bytes, const codec_limits& limits,
                             std::uint64_t now) {
  return protobuf_decoder{limits, now}.decode(bytes);
}

void encode_protobuf_delivery(const core::envelope& message, std::string& out) {
  wire::Message frame;
  frame.set_version(version_written);
  frame.set_id(message.id);
  frame.set_type(type_of(message.type));
  frame.set_channel(channel_of(message.channel));
  frame.set_ephemeral(message.ephemeral);
  frame.set_source(message.from);
  frame.set_destination(message.to);
  if (message.kind == core::content_kind::msgpack)
    append_msgpack_as_json(message.content, *frame.mutable_content());
  else
    frame.set_content(message.content);
  frame.set_timestamp(message.timestamp);
  for (const auto& entry : message.meta) {
    auto& added = *frame.add_meta();
    added.set_key(entry.key);
    added.set_value(entry.value);
  }
  set_serverid(message.serverid, frame);
  frame.set_server_timestamp(message.server_timestamp);
  frame.AppendToString(&out);
}

void encode_protobuf_server_ack(const server_ack& ack, std::string& out) {
  auto frame = server_frame(wire::SERVER_ACK, ack.id, ack.to);
  auto& content = *frame.mutable_content();
  content = "{\"status\":\"";
  content += name_of(ack.status);
  content += "\",\"durability\":\"";
  content += name_of(ack.durability);
  content += "\"}";
  set_serverid(ack.serverid, frame);
  frame.set_server_timestamp(ack.server_timestamp);
  frame.AppendToString(&out);
}

void encode_protobuf_error(std::string_view id, std::string_view to,
                           core::refusal code, std::string_view why,
                           std::string& out) {
  auto frame = server_frame(wire::ERROR, id, to);
  auto& content = *frame.mutable_content();
  content = "{\"code\":";
  json::append_string(core::to_string(code), content);
  content += ",\"message\":";
  json::append_string(why, content);
  content += '}';
  frame.AppendToString(&out);
}

} // namespace vartalap::net
