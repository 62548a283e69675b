#include "test/integration/rig/chat_peer.hpp"

#include "test/integration/original.pb.h"

#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <msgpack.hpp>

namespace vartalap::integration {

namespace {

std::string to_text(const rapidjson::Value& value) {
  if (value.IsString())
    return {value.GetString(), value.GetStringLength()};
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

rapidjson::Document parse(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError())
    throw std::runtime_error("not JSON: " + std::string(json));
  return document;
}

std::string body_of(const said& message) {
  return message.body.empty() ? "{\"text\":" + json_string(message.text) + "}"
                              : message.body;
}

std::string encode_json(const said& message) {
  std::string out
    = "{\"_v\":2.1,\"id\":" + json_string(message.id)
      + ",\"head\":{\"type\":\"individual\",\"to\":" + json_string(message.to)
      + ",\"contentType\":\"" + (message.notification ? "NOTIFICATION" : "text")
      + "\",\"ephemeral\":" + (message.ephemeral ? "true" : "false");
  if (!message.action.empty())
    out += ",\"action\":" + json_string(message.action);
  return out + "},\"meta\":{\"createdAt\":1700000000000},\"body\":"
         + body_of(message) + "}";
}

std::string encode_msgpack(const said& message) {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> out(buffer);
  const auto body = body_of(message);
  out.pack_array(8);
  out.pack(2);
  out.pack(message.id);
  out.pack(message.to);
  out.pack(1);
  out.pack((message.ephemeral ? 1U : 0U) | (message.notification ? 16U : 0U));
  out.pack_bin(static_cast<std::uint32_t>(body.size()));
  out.pack_bin_body(body.data(), static_cast<std::uint32_t>(body.size()));
  out.pack(std::uint64_t{1700000000000});
  out.pack_map(message.action.empty() ? 0 : 1);
  if (!message.action.empty()) {
    out.pack("action");
    out.pack(message.action);
  }
  return {buffer.data(), buffer.size()};
}

std::string text_of(const msgpack::object& value) {
  return value.type == msgpack::type::NIL ? "" : value.as<std::string>();
}

heard decode_msgpack(const std::string& frame) {
  const auto handle = msgpack::unpack(frame.data(), frame.size());
  const auto at = handle.get().as<std::vector<msgpack::object>>();
  heard out;
  out.raw = frame;
  const auto type = at.at(0).as<unsigned>();
  out.id = text_of(at.at(1));
  if (type == 0) {
    static constexpr const char* statuses[]{"stored", "delivered", "relayed"};
    out.kind = heard::what::server_ack;
    out.status = statuses[at.at(2).as<unsigned>()];
    out.server_id = text_of(at.at(3));
    const auto durability = at.at(5).as<unsigned>();
    out.durability = durability == 0     ? "memory"
                     : durability == 255 ? "written"
                                         : "disk";
  } else if (type == 9) {
    out.kind = heard::what::error;
    out.code = text_of(at.at(2));
  } else if (type == 2) {
    out.kind = heard::what::delivery;
    out.body = text_of(at.at(5));
    out.from = text_of(at.at(8));
    out.server_id = text_of(at.at(9));
  }
  return out;
}

std::string encode_protobuf(const said& message) {
  original::Message out;
  out.set_version(3);
  out.set_id(message.id);
  out.set_type(message.notification ? original::Message::NOTIFICATION
                                    : original::Message::MESSAGE);
  out.set_channel(original::Message::INDIVIDUAL);
  out.set_ephemeral(message.ephemeral);
  out.set_source("nobody");
  out.set_destination(message.to);
  out.set_content(body_of(message));
  out.set_timestamp(1700000000000);
  if (!message.action.empty())
    (*out.mutable_meta())["action"] = message.action;
  return out.SerializeAsString();
}

heard decode_protobuf(const std::string& frame) {
  original::Message in;
  heard out;
  out.raw = frame;
  if (!in.ParseFromString(frame))
    return out;
  out.id = in.id();
  out.server_id = in.serverid();
  if (in.type() == original::Message::SERVER_ACK) {
    out.kind = heard::what::server_ack;
    out.status = json_at(in.content(), "/status");
    out.durability = json_at(in.content(), "/durability");
  } else if (in.type() == original::Message::ERROR) {
    out.kind = heard::what::error;
    out.code = json_at(in.content(), "/code");
  } else {
    out.kind = heard::what::delivery;
    out.body = in.content();
    out.from = in.source();
  }
  return out;
}

std::string shown(const heard& what) {
  return "heard instead: " + what.raw;
}

} // namespace

const char* name_of(speech how) {
  switch (how) {
    case speech::json_v2:
      return "JSON without a subprotocol";
    case speech::json:
      return "vartalap.json";
    case speech::msgpack:
      return "vartalap.msgpack";
    case speech::protobuf:
      return "format=binary";
  }
  return "";
}

unsigned opcode_of(speech how) {
  return how == speech::msgpack || how == speech::protobuf ? opcode::binary
                                                           : opcode::text;
}

std::string json_string(std::string_view text) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return {buffer.GetString(), buffer.GetSize()};
}

std::string json_at(std::string_view json, const char* pointer) {
  const auto document = parse(json);
  const auto* found = rapidjson::Pointer(pointer).Get(document);
  return found == nullptr ? "" : to_text(*found);
}

std::vector<std::string> json_list(std::string_view json, const char* pointer) {
  const auto document = parse(json);
  const auto* found = rapidjson::Pointer(pointer).Get(document);
  std::vector<std::string> out;
  if (found == nullptr || !found->IsArray())
    throw std::runtime_error("no list: " + std::string(json));
  for (const auto& one : found->GetArray())
    out.push_back(to_text(one));
  return out;
}

heard decode_json(const std::string& frame) {
  heard out;
  out.raw = frame;
  if (frame.empty() || frame.front() != '{')
    return out;
  out.id = json_at(frame, "/id");
  out.from = json_at(frame, "/head/from");
  out.server_id = json_at(frame, "/meta/serverId");
  const auto type = json_at(frame, "/head/contentType");
  if (type == "SERVER_ACK") {
    out.kind = heard::what::server_ack;
    out.status = json_at(frame, "/body/status");
    out.durability = json_at(frame, "/body/durability");
  } else if (type == "ERROR") {
    out.kind = heard::what::error;
    out.code = json_at(frame, "/body/code");
  } else {
    out.kind = heard::what::delivery;
    out.body = json_at(frame, "/body");
  }
  return out;
}

std::string encode(speech how, const said& message) {
  return how == speech::msgpack    ? encode_msgpack(message)
         : how == speech::protobuf ? encode_protobuf(message)
                                   : encode_json(message);
}

std::string encode_ack(speech how, const std::vector<std::string>& server_ids) {
  if (how == speech::msgpack) {
    msgpack::sbuffer buffer;
    msgpack::packer<msgpack::sbuffer> out(buffer);
    out.pack_array(2);
    out.pack(1);
    out.pack(server_ids);
    return {buffer.data(), buffer.size()};
  }
  if (how == speech::protobuf) {
    original::Message out;
    out.set_type(original::Message::CLIENT_ACK);
    out.set_serverid(server_ids.at(0));
    return out.SerializeAsString();
  }
  std::string ids;
  for (const auto& id : server_ids)
    ids += (ids.empty() ? "" : ",") + json_string(id);
  return "{\"_v\":2.1,\"id\":\"ack\",\"head\":{\"to\":\"server\","
         "\"contentType\":\"CLIENT_ACK\"},\"meta\":{\"serverIds\":["
         + ids + "]}}";
}

heard decode(speech how, const std::string& frame) {
  return how == speech::msgpack    ? decode_msgpack(frame)
         : how == speech::protobuf ? decode_protobuf(frame)
                                   : decode_json(frame);
}

chat_peer::chat_peer(std::uint16_t port, std::string user_, speech how_,
                     const std::string& query, int receive_buffer)
  : ws(port,
       {.user = user_,
        .query = (how_ == speech::protobuf ? "format=binary&" : "") + query,
        .subprotocol = how_ == speech::json_v2 || how_ == speech::protobuf
                         ? ""
                         : name_of(how_),
        .headers = {},
        .receive_buffer = receive_buffer}),
    user(std::move(user_)), how(how_) {
}

bool chat_peer::say(const said& message) {
  return ws.send(encode(how, message), opcode_of(how));
}

bool chat_peer::acknowledge(const std::vector<std::string>& server_ids) {
  if (how != speech::protobuf)
    return ws.send(encode_ack(how, server_ids), opcode_of(how));
  return std::all_of(server_ids.begin(), server_ids.end(), [this](auto& id) {
    return ws.send(encode_ack(how, {id}), opcode_of(how));
  });
}

heard chat_peer::hear(milliseconds limit) {
  return decode(how, ws.next_message(limit));
}

heard chat_peer::hear_delivery(std::string_view id, milliseconds limit) {
  auto out = hear(limit);
  if (out.kind != heard::what::delivery || out.id != id)
    throw std::runtime_error("no delivery of " + std::string(id) + "; "
                             + shown(out));
  return out;
}

heard chat_peer::hear_answer(std::string_view id, milliseconds limit) {
  auto out = hear(limit);
  if ((out.kind != heard::what::server_ack && out.kind != heard::what::error)
      || out.id != id)
    throw std::runtime_error("no answer to " + std::string(id) + "; "
                             + shown(out));
  return out;
}

bystanders::bystanders(std::uint16_t port) : bystanders(port, port) {
}

bystanders::bystanders(std::uint16_t left, std::uint16_t right)
  : left_(left, "bystander-left"), right_(right, "bystander-right") {
}

void bystanders::talk() {
  for (auto [from, to] :
       {std::pair(&left_, &right_), std::pair(&right_, &left_)}) {
    const auto id = "by" + std::to_string(++said_);
    from->say({.id = id, .to = to->user});
    const auto got = to->hear_delivery(id);
    to->acknowledge({got.server_id});
    if (from->hear_answer(id).kind != heard::what::server_ack)
      throw std::runtime_error("a bystander's message was refused");
  }
}

} // namespace vartalap::integration
