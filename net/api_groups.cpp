#include "net/api_groups.hpp"

#include "net/codec_json_scan.hpp"
#include "net/codec_json_text.hpp"

#include <utility>

namespace vartalap::net::api {

namespace {

constexpr unsigned depth = 32;

refused bad(std::string why) {
  return {400, core::refusal::bad_frame, std::move(why)};
}

bool is_absent(const json::value& x) noexcept {
  return !x || x.what == json::kind::null;
}

/// Nothing if the body is a JSON object.
std::optional<refused> read_object(std::string_view body, std::string_view form,
                                   json::value& root) {
  if (core::is_utf8(body) && json::parse(body, depth, root) == json::fault::none
      && root.what == json::kind::object)
    return std::nullopt;
  return bad("the body must be JSON: " + std::string{form});
}

/// A name, without blanks around it: clients split lists at commas.
std::optional<refused> read_user(const json::value& from, std::string& out) {
  std::string text;
  const auto is_text = from.what == json::kind::string
                       && json::unescape(from.raw, text);
  const auto first = text.find_first_not_of(' ');
  if (first != std::string::npos)
    out = text.substr(first, text.find_last_not_of(' ') - first + 1);
  if (is_text && core::is_valid_user(out))
    return std::nullopt;
  return bad("a member's name must be a string of 1 to 128 bytes without "
             "control characters, and not server");
}

std::optional<refused> read_users(const json::value& list, std::size_t most,
                                  std::vector<std::string>& out) {
  if (list.what != json::kind::array)
    return bad("members must be a list of users");
  for (json::walker at{list, depth}; at.next();) {
    if (out.size() == most)
      return bad("at most " + std::to_string(most)
                 + " members in one request; add the rest by another");
    if (auto wrong = read_user(at.item(), out.emplace_back()))
      return wrong;
  }
  return std::nullopt;
}

std::optional<refused> read_text(std::string_view name, const json::value& from,
                                 std::size_t most, std::string& out) {
  if (from.what == json::kind::string && json::unescape(from.raw, out)
      && !out.empty() && out.size() <= most)
    return std::nullopt;
  return bad(std::string{name} + " must be a string of 1 to "
             + std::to_string(most) + " bytes");
}

std::string_view name_of(core::group_role role) noexcept {
  return role == core::group_role::admin ? "admin" : "user";
}

void append_members(const std::vector<core::group_member>& members,
                    std::string& out) {
  out += '[';
  for (const auto& one : members) {
    out += out.back() == '[' ? "{\"username\":" : ",{\"username\":";
    json::append_string(one.user, out);
    out += ",\"role\":\"";
    out += name_of(one.role);
    out += "\"}";
  }
  out += ']';
}

} // namespace

parsed<create_group> parse_create_group(std::string_view body) {
  json::value root;
  if (auto wrong
      = read_object(body, R"({"name":…,"members":[…],"profilePic":…})", root))
    return std::move(*wrong);
  json::value name;
  json::value members;
  json::value picture;
  for (json::walker at{root, depth}; at.next();) {
    if (at.key() == "name")
      name = at.item();
    else if (at.key() == "members")
      members = at.item();
    else if (at.key() == "profilePic")
      picture = at.item();
  }
  create_group out;
  if (auto wrong = read_text("name", name, group_name_max, out.name))
    return std::move(*wrong);
  if (auto wrong = read_users(members, create_members_max, out.members))
    return std::move(*wrong);
  if (!is_absent(picture)) {
    if (auto wrong = read_text("profilePic", picture, group_picture_max,
                               out.picture.emplace()))
      return std::move(*wrong);
  }
  return out;
}

parsed<std::vector<std::string>> parse_add_members(std::string_view body) {
  json::value root;
  if (auto wrong = read_object(body, R"({"members":[…]})", root))
    return std::move(*wrong);
  json::value members;
  for (json::walker at{root, depth}; at.next();)
    if (at.key() == "members")
      members = at.item();
  std::vector<std::string> out;
  if (!is_absent(members))
    if (auto wrong = read_users(members, add_members_max, out))
      return std::move(*wrong);
  return out;
}

parsed<std::string> parse_remove_member(std::string_view body) {
  json::value root;
  if (auto wrong = read_object(body, R"({"member":…})", root))
    return std::move(*wrong);
  json::value member;
  for (json::walker at{root, depth}; at.next();)
    if (at.key() == "member")
      member = at.item();
  std::string out;
  if (auto wrong = read_user(member, out))
    return std::move(*wrong);
  return out;
}

std::string group_created_body(std::string_view id) {
  std::string out = "{\"groupId\":";
  json::append_string(id, out);
  out += '}';
  return out;
}

std::string group_body(std::string_view id, const core::group& of) {
  std::string out = "{\"groupId\":";
  json::append_string(id, out);
  out += ",\"name\":";
  json::append_string(of.name(), out);
  out += ",\"members\":";
  append_members(of.members(), out);
  out += ",\"profilePic\":";
  if (of.picture())
    json::append_string(*of.picture(), out);
  else
    out += "null";
  out += '}';
  return out;
}

std::string group_event(const core::group_change& change) {
  std::string out;
  if (change.left.empty()) {
    out = "{\"added\":";
    append_members(change.joined, out);
  } else {
    out = "{\"removed\":[";
    for (const auto& user : change.left) {
      if (out.back() != '[')
        out += ',';
      json::append_string(user, out);
    }
    out += ']';
  }
  out += '}';
  return out;
}

} // namespace vartalap::net::api
