#include "runtime/chat_frames.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace vartalap::runtime {

namespace {

using writer_t = rapidjson::Writer<rapidjson::StringBuffer>;

void put(writer_t& out, std::string_view text) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void put(writer_t& out, std::string_view key, std::string_view value) {
  put(out, key);
  put(out, value);
}

std::string text_at(const rapidjson::Value& object, const char* key) {
  if (!object.IsObject())
    return {};
  const auto found = object.FindMember(key);
  if (found == object.MemberEnd() || !found->value.IsString())
    return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

std::uint64_t number_at(const rapidjson::Value& object, const char* key) {
  if (!object.IsObject())
    return 0;
  const auto found = object.FindMember(key);
  if (found == object.MemberEnd() || !found->value.IsNumber())
    return 0;
  return found->value.IsUint64() ? found->value.GetUint64() : 0;
}

const rapidjson::Value& member(const rapidjson::Value& object,
                               const char* key) {
  static const rapidjson::Value nothing;
  if (!object.IsObject())
    return nothing;
  const auto found = object.FindMember(key);
  return found == object.MemberEnd() ? nothing : found->value;
}

/// What a person reads of a content, whatever program sent it.
std::string readable(const rapidjson::Value& body) {
  if (body.IsString())
    return {body.GetString(), body.GetStringLength()};
  if (body.IsObject() && member(body, "text").IsString())
    return text_at(body, "text");
  rapidjson::StringBuffer buffer;
  writer_t out(buffer);
  body.Accept(out);
  return {buffer.GetString(), buffer.GetSize()};
}

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return text;
}

chat_delivery read_delivery(const rapidjson::Document& frame) {
  const auto& head = member(frame, "head");
  const auto& meta = member(frame, "meta");
  const auto& body = member(frame, "body");
  chat_delivery out;
  out.id = text_at(frame, "id");
  out.from = text_at(head, "from");
  out.to = text_at(head, "to");
  out.action = text_at(head, "action");
  if (out.action.empty())
    out.action = "message";
  out.is_message = lower(text_at(head, "contentType")) != "notification"
                   && out.action != "state";
  out.server_id = text_at(meta, "serverId");
  out.at_ms = number_at(meta, "createdAt");
  if (out.at_ms == 0)
    out.at_ms = number_at(meta, "serverTimestamp");
  if (lower(text_at(head, "type")) == "group")
    out.group = out.to;
  if (out.action == "state") {
    out.state = text_at(body, "state");
    const auto& ids = member(body, "ids");
    if (ids.IsArray())
      for (const auto& id : ids.GetArray())
        if (id.IsString())
          out.ids.emplace_back(id.GetString(), id.GetStringLength());
  } else {
    out.text = readable(body);
  }
  return out;
}

} // namespace

std::string to_frame(const chat_outgoing& what, std::string_view user) {
  rapidjson::StringBuffer buffer;
  writer_t out(buffer);
  out.StartObject();
  put(out, "_v");
  out.Double(2.1);
  put(out, "id", what.id);
  put(out, "head");
  out.StartObject();
  put(out, "type", "individual");
  put(out, "to", what.to);
  put(out, "from", user);
  put(out, "contentType", what.is_receipt() ? "notification" : "text");
  put(out, "action", what.is_receipt() ? "state" : "message");
  put(out, "category", what.is_receipt() ? "system" : "message");
  put(out, "ephemeral");
  out.Bool(false);
  out.EndObject();
  put(out, "meta");
  out.StartObject();
  put(out, "createdAt");
  out.Uint64(what.at_ms);
  out.EndObject();
  put(out, "body");
  out.StartObject();
  if (what.is_receipt()) {
    put(out, "ids");
    out.StartArray();
    for (const auto& id : what.ids)
      put(out, id);
    out.EndArray();
    put(out, "state", "delivered");
  } else {
    put(out, "text", what.text);
  }
  out.EndObject();
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string ack_frame(const std::vector<std::string>& server_ids) {
  rapidjson::StringBuffer buffer;
  writer_t out(buffer);
  out.StartObject();
  put(out, "_v");
  out.Double(2.1);
  put(out, "id", server_ids.empty() ? "ack" : server_ids.front());
  put(out, "head");
  out.StartObject();
  put(out, "type", "individual");
  put(out, "to", "server");
  put(out, "contentType", "CLIENT_ACK");
  out.EndObject();
  put(out, "meta");
  out.StartObject();
  put(out, "serverIds");
  out.StartArray();
  for (const auto& id : server_ids)
    put(out, id);
  out.EndArray();
  out.EndObject();
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

chat_incoming read_frame(std::string_view text) {
  rapidjson::Document frame;
  frame.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (frame.HasParseError() || !member(frame, "head").IsObject())
    return chat_unreadable{};
  const auto& head = member(frame, "head");
  const auto kind = text_at(head, "contentType");
  if (text_at(head, "from") == "server"
      && (kind == "SERVER_ACK" || kind == "ERROR")) {
    const auto& body = member(frame, "body");
    chat_answer out;
    out.id = text_at(frame, "id");
    out.refused = kind == "ERROR";
    out.status = text_at(body, out.refused ? "code" : "status");
    out.text = text_at(body, "message");
    return out;
  }
  auto out = read_delivery(frame);
  if (out.from.empty() || out.server_id.empty())
    return chat_unreadable{};
  return out;
}

} // namespace vartalap::runtime
