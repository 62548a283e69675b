#include "net/api_json.hpp"

#include "net/codec_json_scan.hpp"
#include "net/codec_json_text.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace vartalap::net::api {

namespace {

constexpr unsigned depth = 32;

bool is_absent(const json::value& x) noexcept {
  return !x || x.what == json::kind::null;
}

refused bad(std::string why) {
  return {400, core::refusal::bad_frame, std::move(why)};
}

refused too_many(std::string_view what, std::size_t most) {
  return {413, core::refusal::too_large,
          "at most " + std::to_string(most) + ' ' + std::string{what}
            + " in one request; send the rest in another"};
}

/// Nothing if the body is one JSON value of that kind.
std::optional<refused> read_root(std::string_view body, json::kind wanted,
                                 std::string_view form, json::value& root) {
  const auto why = core::is_utf8(body) ? json::parse(body, depth, root)
                                       : json::fault::syntax;
  if (why == json::fault::too_deep)
    return bad("the body is nested deeper than 32 levels");
  if (why != json::fault::none || root.what != wanted)
    return bad("the body must be JSON: " + std::string{form});
  return std::nullopt;
}

std::optional<refused> read_serverids(std::string_view name,
                                      const json::value& list,
                                      std::vector<core::server_id>& out) {
  if (list.what != json::kind::array)
    return bad(std::string{name} + " must be a list of serverIds");
  for (json::walker at{list, depth}; at.next();) {
    const auto raw = at.item().raw;
    const auto id = raw.size() == 34 && raw.front() == '"'
                      ? core::server_id::from_hex(raw.substr(1, 32))
                      : std::nullopt;
    if (!id || !*id)
      return bad(std::string{name}
                 + " must hold strings of 32 lower-case hex digits, as "
                   "meta.serverId of a delivery");
    if (out.size() == serverids_max)
      return too_many("serverIds", serverids_max);
    out.push_back(*id);
  }
  return std::nullopt;
}

/// A string member that may be missing or null.
std::optional<refused> read_text(std::string_view name, const json::value& from,
                                 std::optional<std::string>& out) {
  if (is_absent(from))
    return std::nullopt;
  std::string text;
  if (from.what != json::kind::string || !json::unescape(from.raw, text))
    return bad(std::string{name} + " must be a string");
  out = std::move(text);
  return std::nullopt;
}

/// A count from 1 on that may be missing or null; more than `most` is `most`.
std::optional<refused> read_count(std::string_view name,
                                  const json::value& from, std::uint64_t most,
                                  std::uint64_t& out) {
  if (is_absent(from))
    return std::nullopt;
  std::uint64_t count = 0;
  if (from.what != json::kind::number || !json::to_uint(from.raw, count)
      || count == 0)
    return bad(std::string{name} + " must be a whole number from 1 on");
  out = std::min(count, most);
  return std::nullopt;
}

void append_list(std::span<const std::string> frames, bool as_strings,
                 std::string& out) {
  out += '[';
  for (const auto& frame : frames) {
    if (&frame != frames.data())
      out += ',';
    if (as_strings)
      json::append_string(frame, out);
    else
      out += frame;
  }
  out += ']';
}

/// The members of a login body as they stand.
struct login_members {
  json::value username;
  json::value auth_token;
  json::value notification_token;
  json::value device_id;
  json::value message_version;

  explicit login_members(const json::value& root) {
    for (json::walker at{root, depth}; at.next();) {
      if (at.key() == "username")
        username = at.item();
      else if (at.key() == "authToken")
        auth_token = at.item();
      else if (at.key() == "notificationToken")
        notification_token = at.item();
      else if (at.key() == "deviceId")
        device_id = at.item();
      else if (at.key() == "messageVersion")
        message_version = at.item();
    }
  }
};

} // namespace

parsed<std::vector<std::string>> parse_messages(std::string_view body,
                                                std::string_view format) {
  if (!format.empty() && format != "text" && format != "binary")
    return bad("format must be text or binary");
  json::value root;
  if (auto wrong = read_root(body, json::kind::array,
                             "a list of frames, each a string", root))
    return std::move(*wrong);
  std::vector<std::string> frames;
  for (json::walker at{root, depth}; at.next();) {
    if (frames.size() == frames_max)
      return too_many("frames", frames_max);
    std::string text;
    if (at.item().what != json::kind::string)
      text = at.item().raw;
    else if (!json::unescape(at.item().raw, text))
      return bad("frame " + std::to_string(frames.size())
                 + " holds half a surrogate pair; escape the frame as a whole");
    frames.push_back(std::move(text));
  }
  return frames;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  json::append_base64(bytes, text);
  return text.substr(1, text.size() - 2);
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty())
    return std::string{};
  std::string bytes(text.size() / 4 * 3, '\0');
  const auto size
    = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  if (size < 0)
    return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.back() == '=';
  bytes.resize(static_cast<std::size_t>(size) - padding);
  // OpenSSL also takes blanks around it, and padding within.
  if (to_base64(bytes) != text)
    return std::nullopt;
  return bytes;
}

parsed<std::vector<core::server_id>> parse_serverids(std::string_view body) {
  json::value root;
  if (auto wrong
      = read_root(body, json::kind::object, R"({"serverIds":[…]})", root))
    return std::move(*wrong);
  json::value list;
  for (json::walker at{root, depth}; at.next();) {
    if (at.key() == "serverIds")
      list = at.item();
  }
  std::vector<core::server_id> ids;
  if (auto wrong = read_serverids("serverIds", list, ids))
    return std::move(*wrong);
  return ids;
}

parsed<sync_request> parse_sync(std::string_view body) {
  sync_request request;
  if (body.empty())
    return request;
  json::value root;
  if (auto wrong = read_root(body, json::kind::object,
                             R"({"acks":[…],"limit":…,"maxBytes":…})", root))
    return std::move(*wrong);
  json::value acks;
  json::value limit;
  json::value max_bytes;
  for (json::walker at{root, depth}; at.next();) {
    if (at.key() == "acks")
      acks = at.item();
    else if (at.key() == "limit")
      limit = at.item();
    else if (at.key() == "maxBytes")
      max_bytes = at.item();
  }
  if (!is_absent(acks)) {
    if (auto wrong = read_serverids("acks", acks, request.acks))
      return std::move(*wrong);
  }
  if (auto wrong = read_count("limit", limit, page_messages_max, request.limit))
    return std::move(*wrong);
  if (auto wrong
      = read_count("maxBytes", max_bytes, page_bytes_max, request.max_bytes))
    return std::move(*wrong);
  return request;
}

parsed<login_request> parse_login(std::string_view body) {
  json::value root;
  if (auto wrong = read_root(body, json::kind::object,
                             R"({"username":…,"authToken":…})", root))
    return std::move(*wrong);
  const login_members members{root};
  login_request request;
  std::optional<std::string> username;
  std::optional<std::string> auth_token;
  std::optional<std::string> device;
  if (auto wrong = read_text("username", members.username, username))
    return std::move(*wrong);
  if (auto wrong = read_text("authToken", members.auth_token, auth_token))
    return std::move(*wrong);
  if (auto wrong = read_text("notificationToken", members.notification_token,
                             request.notification_token))
    return std::move(*wrong);
  if (auto wrong = read_text("deviceId", members.device_id, device))
    return std::move(*wrong);
  if (!username || !core::is_valid_user(*username))
    return bad("username must be 1 to 128 bytes without control characters, "
               "and not server");
  request.username = std::move(*username);
  request.auth_token = std::move(auth_token).value_or("");
  if (device)
    request.device_id = std::move(*device);
  if (!core::is_valid_device(request.device_id))
    return bad("deviceId must be 1 to 64 of A-Z, a-z, 0-9, dot, underline and "
               "hyphen");
  const auto& version = members.message_version;
  if (!is_absent(version)) {
    if (version.what != json::kind::number)
      return bad("messageVersion must be a number, such as 2.1");
    std::from_chars(version.raw.data(), version.raw.data() + version.raw.size(),
                    request.message_version);
  }
  return request;
}

parsed<std::uint64_t> parse_limit(std::string_view text) {
  std::uint64_t limit = page_messages_default;
  if (text.empty())
    return limit;
  if (auto wrong = read_count("limit", {json::kind::number, text},
                              page_messages_max, limit))
    return std::move(*wrong);
  return limit;
}

std::string page_body(std::span<const std::string> frames, bool more) {
  std::string out = "{\"messages\":";
  append_list(frames, false, out);
  out += more ? ",\"more\":true}" : ",\"more\":false}";
  return out;
}

std::string acks_body(std::span<const std::string> frames) {
  std::string out = "{\"acks\":";
  append_list(frames, true, out);
  out += '}';
  return out;
}

std::string acknowledged_body(std::uint64_t count) {
  std::string out = "{\"acknowledged\":";
  json::append_uint(count, out);
  out += '}';
  return out;
}

std::string login_body(std::string_view username, std::string_view accesskey,
                       bool is_new) {
  std::string out = "{\"status\":true,\"username\":";
  json::append_string(username, out);
  out += ",\"accesskey\":";
  json::append_string(accesskey, out);
  out += is_new ? ",\"isNew\":true}" : ",\"isNew\":false}";
  return out;
}

std::string profile_body(std::string_view username) {
  std::string out = "{\"username\":";
  json::append_string(username, out);
  out += '}';
  return out;
}

std::string nodes_body(std::span<const node_line> nodes,
                       std::string_view node) {
  std::string out = "{\"nodes\":[";
  for (const auto& one : nodes) {
    out += out.back() == '[' ? "{\"name\":" : ",{\"name\":";
    json::append_string(one.name, out);
    out += ",\"url\":";
    json::append_string(one.url, out);
    out += '}';
  }
  out += "],\"node\":";
  json::append_string(node, out);
  out += '}';
  return out;
}

std::string devices_body(std::span<const device_line> devices) {
  std::string out = "[";
  for (const auto& one : devices) {
    out += out.size() == 1 ? "{\"device\":" : ",{\"device\":";
    json::append_string(one.name, out);
    out += one.connected ? ",\"connected\":true" : ",\"connected\":false";
    out += ",\"lastSeen\":";
    json::append_uint(one.last_seen, out);
    if (!one.push.empty()) {
      out += ",\"push\":";
      json::append_string(one.push, out);
    }
    out += '}';
  }
  out += ']';
  return out;
}

} // namespace vartalap::net::api
