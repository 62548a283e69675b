#include "net/codec_content.hpp"
#include "net/codec_json.hpp"
#include "net/codec_json_scan.hpp"
#include "net/codec_json_text.hpp"
#include "net/codec_words.hpp"

#include <array>
#include <charconv>

namespace vartalap::net {

namespace {

using core::meta_entry;

/// Head keys that the server writes itself: a binary sender's meta of the
/// same name must not repeat them, least of all `from`.
constexpr std::array<std::string_view, 5> head_fields{
  {"type", "from", "to", "contentType", "ephemeral"}};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names,
               std::string_view key) noexcept {
  for (const auto name : names) {
    if (name == key)
      return true;
  }
  return false;
}

/// `,"key":` with a key that needs no escaping.
void append_key(std::string_view key, std::string& out) {
  out += ",\"";
  out += key;
  out += "\":";
}

void append_text_member(std::string_view key, std::string_view text,
                        std::string& out) {
  append_key(key, out);
  json::append_string(text, out);
}

void append_value(const meta_entry& entry, std::string& out) {
  if (entry.is_json)
    out += entry.value;
  else
    json::append_string(entry.value, out);
}

/// The spelling that the sender gave, if it means the message's type, so that
/// no sender can make a frame look like one of the server's; else a default.
std::string_view content_type_of(const core::envelope& message,
                                 const meta_entry* spelled) noexcept {
  if (spelled != nullptr && !spelled->is_json && !trim(spelled->value).empty()
      && type_of(trim(spelled->value)) == message.type)
    return trim(spelled->value);
  return message.type == core::message_type::message ? "text"
                                                     : name_of(message.type);
}

/// The entries of a message's meta that JSON names by themselves.
struct named_entries {
  const meta_entry* content_type = nullptr;
  const meta_entry* action = nullptr;
  const meta_entry* category = nullptr;
  const meta_entry* chat_id = nullptr;

  explicit named_entries(const core::envelope& message) {
    for (const auto& entry : message.meta) {
      if (entry.key == "contentType")
        content_type = &entry;
      else if (entry.key == "action")
        action = &entry;
      else if (entry.key == "category")
        category = &entry;
      else if (entry.key == "chatId")
        chat_id = &entry;
    }
  }

  void append_action(std::string& out) const {
    if (action != nullptr)
      append_value(*action, out);
    else
      out += "\"message\"";
  }

  /// `system` for the actions state and ack.
  std::string_view default_category() const {
    const bool is_system
      = action != nullptr && !action->is_json
        && (action->value == "state" || action->value == "ack");
    return is_system ? "system" : "message";
  }
};

void append_head(const core::envelope& message, const named_entries& named,
                 std::string_view content_type, std::string& out) {
  out += ",\"head\":{\"type\":\"";
  out += name_of(message.channel);
  out += '"';
  append_text_member("from", message.from, out);
  append_text_member("to", message.addressee(), out);
  append_text_member("contentType", content_type, out);
  out += message.ephemeral ? ",\"ephemeral\":true" : ",\"ephemeral\":false";
  if (named.action == nullptr)
    out += ",\"action\":\"message\"";
  for (const auto& entry : message.meta) {
    if (entry.key.starts_with(meta_prefix) || is_one_of(head_fields, entry.key))
      continue;
    out += ',';
    json::append_string(entry.key, out);
    out += ':';
    append_value(entry, out);
  }
  if (named.category == nullptr)
    append_text_member("category", named.default_category(), out);
  out += '}';
}

void append_server_meta(core::server_id serverid, std::uint64_t timestamp,
                        std::string& out) {
  if (serverid) {
    std::array<char, 32> hex{};
    serverid.write_hex(hex.data());
    append_key("serverId", out);
    out += '"';
    out.append(hex.data(), hex.size());
    out += '"';
  }
  if (timestamp != 0) {
    append_key("serverTimestamp", out);
    json::append_uint(timestamp, out);
  }
}

/// createdAt travels through binary encodings as text; where it says what the
/// timestamp says it becomes a number again.
bool is_timestamp(const meta_entry& entry, std::uint64_t timestamp) {
  std::uint64_t ms = 0;
  return !entry.is_json && json::to_uint(entry.value, ms) && ms == timestamp;
}

void append_meta(const core::envelope& message, std::string& out) {
  out += ",\"meta\":{";
  const std::size_t begin = out.size();
  bool has_created_at = false;
  for (const auto& entry : message.meta) {
    if (!entry.key.starts_with(meta_prefix))
      continue;
    const auto key = std::string_view{entry.key}.substr(meta_prefix.size());
    if (key == "serverId" || key == "serverTimestamp")
      continue;
    out += ',';
    json::append_string(key, out);
    out += ':';
    const bool is_created_at = entry.key == created_at_key;
    has_created_at = has_created_at || is_created_at;
    if (is_created_at && is_timestamp(entry, message.timestamp))
      json::append_uint(message.timestamp, out);
    else
      append_value(entry, out);
  }
  if (!has_created_at && message.timestamp != 0) {
    append_key("createdAt", out);
    json::append_uint(message.timestamp, out);
  }
  append_server_meta(message.serverid, message.server_timestamp, out);
  // Every member wrote its comma; the first one has nothing before it.
  if (out.size() > begin)
    out.erase(begin, 1);
  out += '}';
}

/// `text` of version 1: body.text where the body is an object (nothing if it
/// has none), else a placeholder.
void append_v1_text(std::size_t begin, std::size_t end, std::string& out) {
  if (out[begin] == '[')
    return;
  if (out[begin] != '{') {
    append_text_member("text", "[unknown]", out);
    return;
  }
  const std::string_view body{out.data() + begin, end - begin};
  std::size_t at = 0;
  std::size_t size = 0;
  for (json::walker member{{json::kind::object, body}, json::depth_max};
       member.next();) {
    if (member.key() == "text") {
      const auto raw = member.item().raw;
      at = static_cast<std::size_t>(raw.data() - out.data());
      size = raw.size();
    }
  }
  if (size == 0)
    return;
  append_key("text", out);
  out.append(out, at, size);
}

void append_v1_names(const core::envelope& message, const named_entries& named,
                     std::string_view content_type, std::size_t body_begin,
                     std::size_t body_end, std::string& out) {
  append_text_member("from", message.from, out);
  append_text_member("to", message.addressee(), out);
  append_text_member("msgId", message.id, out);
  append_text_member("type", content_type, out);
  if (named.chat_id != nullptr) {
    append_key("chatId", out);
    append_value(*named.chat_id, out);
  }
  append_v1_text(body_begin, body_end, out);
  append_text_member("module", name_of(message.channel), out);
  append_key("action", out);
  named.append_action(out);
  append_text_member("chatType", name_of(message.channel), out);
}

/// Everything of a frame from the server itself up to its meta.
void begin_server_frame(std::string_view id, std::string_view to,
                        std::string_view content_type, std::string& out) {
  out += "{\"_v\":2.1,\"id\":";
  json::append_string(id, out);
  out += ",\"head\":{\"type\":\"INDIVIDUAL\",\"from\":\"server\"";
  append_text_member("to", to, out);
  append_text_member("contentType", content_type, out);
  out += ",\"ephemeral\":true,\"category\":\"system\"},\"meta\":{";
}

void end_server_frame(std::string_view id, std::string_view to,
                      std::string_view content_type, bool with_v1_names,
                      std::string& out) {
  if (with_v1_names) {
    out += ",\"from\":\"server\"";
    append_text_member("to", to, out);
    append_text_member("msgId", id, out);
    append_text_member("type", content_type, out);
    out += ",\"module\":\"INDIVIDUAL\",\"chatType\":\"INDIVIDUAL\"";
  }
  out += '}';
}

} // namespace

void encode_json_delivery(const core::envelope& message, bool with_v1_names,
                          std::string& out) {
  // A guess that spares the usual frame all but one allocation.
  out.reserve(out.size() + message.content.size() * (with_v1_names ? 2 : 1)
              + 2 * (message.from.size() + message.addressee().size())
              + 40 * message.meta.size() + 448);
  const named_entries named{message};
  const auto content_type = content_type_of(message, named.content_type);
  out += "{\"_v\":2.1,\"id\":";
  json::append_string(message.id, out);
  append_head(message, named, content_type, out);
  append_meta(message, out);
  append_key("body", out);
  const std::size_t body_begin = out.size();
  append_content_json(message, out);
  if (with_v1_names)
    append_v1_names(message, named, content_type, body_begin, out.size(), out);
  out += '}';
}

void encode_json_server_ack(const server_ack& ack, bool with_v1_names,
                            std::string& out) {
  begin_server_frame(ack.id, ack.to, "SERVER_ACK", out);
  const std::size_t begin = out.size();
  append_server_meta(ack.serverid, ack.server_timestamp, out);
  if (out.size() > begin)
    out.erase(begin, 1);
  out += "},\"body\":{\"status\":\"";
  out += name_of(ack.status);
  out += "\",\"durability\":\"";
  out += name_of(ack.durability);
  out += "\"}";
  end_server_frame(ack.id, ack.to, "SERVER_ACK", with_v1_names, out);
}

void encode_json_error(std::string_view id, std::string_view to,
                       core::refusal code, std::string_view why,
                       bool with_v1_names, std::string& out) {
  begin_server_frame(id, to, "ERROR", out);
  out += "},\"body\":{\"code\":";
  json::append_string(core::to_string(code), out);
  append_text_member("message", why, out);
  out += '}';
  end_server_frame(id, to, "ERROR", with_v1_names, out);
}

} // namespace vartalap::net
