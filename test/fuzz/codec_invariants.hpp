#pragma once

#include "net/codec.hpp"
#include "net/codec_json_scan.hpp"
#include "net/codec_msgpack_reader.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

/// What must hold for whatever a decoder took.
namespace vartalap::fuzz {

/// Ends the process, so that the fuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "broken invariant: %s\n", what);
    std::abort();
  }
}

/// Limits that a delivery of a taken message stays within: it may be larger
/// and have more entries than what came in.
inline net::codec_limits wide_limits() {
  return {0, 1000, 1'000'000, net::json::depth_max};
}

inline void require_valid(const core::envelope& message) {
  require(core::is_valid_id(message.id, core::message_id_bytes_max), "id");
  require(core::is_valid_user(message.to), "to");
  require(message.from.empty(), "from is the caller's to set");
  for (const auto& entry : message.meta) {
    require(core::is_utf8(entry.key), "meta key is UTF-8");
    require(core::is_utf8(entry.value), "meta value is UTF-8");
  }
}

inline void require_same(const core::envelope& sent,
                         const net::client_frame& got) {
  const auto* result = std::get_if<net::frame::message>(&got);
  require(result != nullptr, "a delivery is read as a message");
  require(result->what->id == sent.id, "the id stays");
  require(result->what->to == sent.to, "the recipient stays");
  require(result->what->type == sent.type, "the type stays");
  require(result->what->channel == sent.channel, "the channel stays");
  require(result->what->ephemeral == sent.ephemeral, "ephemeral stays");
}

/// Encodes the message in every encoding and reads it again.
inline void require_deliverable(core::envelope message) {
  require_valid(message);
  message.from = "alice";
  message.serverid = {1, 2};
  message.server_timestamp = 3;
  for (const auto how : {net::encoding::json, net::encoding::json_v2}) {
    std::string out;
    net::encode_delivery(how, message, out);
    net::json::value root;
    require(core::is_utf8(out), "JSON is UTF-8");
    require(net::json::parse(out, net::json::depth_max, root)
              == net::json::fault::none,
            "JSON is well-formed");
    require_same(message, net::decode_json(out, wide_limits(), 0));
  }
  std::string out;
  net::encode_delivery(net::encoding::msgpack, message, out);
  net::msgpack_view::reader reader{out};
  require(reader.skip(net::msgpack_view::depth_max) && reader.at_end(),
          "MessagePack is one value");
  const auto again = net::decode_msgpack(out, wide_limits(), 0);
  require_same(message, again);
  require(std::get<net::frame::message>(again).what->content == message.content,
          "the content stays");
  out.clear();
  net::encode_delivery(net::encoding::protobuf, message, out);
  const auto third = net::decode_protobuf(out, wide_limits(), 0);
  require_same(message, third);
  require(message.kind == core::content_kind::msgpack
            || std::get<net::frame::message>(third).what->content
                 == message.content,
          "the content stays in protobuf");
}

/// Checks what a decoder made of a frame.
inline void require_sound(const net::client_frame& decoded,
                          std::size_t frame_bytes) {
  if (const auto* bad = std::get_if<net::frame::bad>(&decoded)) {
    require(!bad->why.empty(), "a refusal says why");
    require(core::is_utf8(bad->id) && core::is_utf8(bad->why),
            "a refusal can be sent");
    std::string out;
    for (const auto how : {net::encoding::json_v2, net::encoding::msgpack,
                           net::encoding::protobuf})
      net::encode_error(how, bad->id, "alice", bad->code, bad->why, out);
  } else if (const auto* ack = std::get_if<net::frame::ack>(&decoded)) {
    require(!ack->id.empty() || !ack->serverids.empty(), "an ack names some");
    require(ack->serverids.size() * 32 <= frame_bytes, "each id was there");
  } else if (const auto* taken = std::get_if<net::frame::message>(&decoded)) {
    for (const auto& id : taken->state_ids)
      require(core::is_valid_id(id, core::message_id_bytes_max), "state id");
    require_deliverable(*taken->what);
  }
}

} // namespace vartalap::fuzz
