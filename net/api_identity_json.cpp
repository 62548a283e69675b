#include "net/api_identity_json.hpp"

#include "net/codec_json_scan.hpp"
#include "net/codec_json_text.hpp"

#include <unordered_set>
#include <utility>

namespace vartalap::net::api {

namespace {

constexpr unsigned depth = 32;

refused bad(std::string why) {
  return {400, core::refusal::bad_frame, std::move(why)};
}

} // namespace

parsed<std::vector<std::string>> parse_contacts(std::string_view body) {
  json::value root;
  json::value users;
  if (core::is_utf8(body) && json::parse(body, depth, root) == json::fault::none
      && root.what == json::kind::object)
    for (json::walker at{root, depth}; at.next();)
      if (at.key() == "users")
        users = at.item();
  if (users.what != json::kind::array)
    return bad("the body must be JSON: {\"users\":[…]}, a list of strings");
  std::vector<std::string> out;
  std::unordered_set<std::string> seen;
  std::size_t given = 0;
  for (json::walker at{users, depth}; at.next();) {
    std::string name;
    if (at.item().what != json::kind::string
        || !json::unescape(at.item().raw, name))
      return bad("users must be a list of strings");
    if (++given > contacts_max)
      return refused{413, core::refusal::too_large,
                     "at most 1000 names in one request; send the rest in "
                     "another"};
    if (core::is_valid_user(name) && seen.insert(name).second)
      out.push_back(std::move(name));
  }
  return out;
}

std::string contacts_body(std::span<const std::string> known) {
  std::string out = "{";
  for (const auto& name : known) {
    if (out.size() > 1)
      out += ',';
    json::append_string(name, out);
    out += ":true";
  }
  out += '}';
  return out;
}

std::string keys_body(std::span<const key_line> keys) {
  std::string out = "[";
  for (const auto& one : keys) {
    out += out.size() == 1 ? "{\"id\":" : ",{\"id\":";
    json::append_string(one.id, out);
    out += ",\"device\":";
    json::append_string(one.device, out);
    out += ",\"issuedAt\":";
    json::append_uint(one.issued, out);
    out += ",\"expiresAt\":";
    if (one.expires == 0)
      out += "null";
    else
      json::append_uint(one.expires, out);
    out += one.current ? ",\"current\":true}" : ",\"current\":false}";
  }
  out += ']';
  return out;
}

std::string names_body(std::span<const std::string> names) {
  std::string out = "[";
  for (const auto& name : names) {
    if (out.size() > 1)
      out += ',';
    json::append_string(name, out);
  }
  out += ']';
  return out;
}

} // namespace vartalap::net::api
