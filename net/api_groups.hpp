#pragma once

#include "core/group.hpp"
#include "net/api_json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The JSON of groups (protocol.md, section 4), as net/api_json.hpp has the
/// rest.
namespace vartalap::net::api {

/// Most members that one call names.
inline constexpr std::size_t create_members_max = 100;
inline constexpr std::size_t add_members_max = 50;

/// Longest name and picture of a group, in bytes.
inline constexpr std::size_t group_name_max = 256;
inline constexpr std::size_t group_picture_max = 2048;

/// POST /groups/
struct create_group {
  std::string name;
  std::vector<std::string> members;
  std::optional<std::string> picture;
};
parsed<create_group> parse_create_group(std::string_view body);

/// POST /groups/{id}/members: {"members":[…]}; none where it is missing.
parsed<std::vector<std::string>> parse_add_members(std::string_view body);

/// DELETE /groups/{id}/members: {"member":…}
parsed<std::string> parse_remove_member(std::string_view body);

/// {"groupId":…}
std::string group_created_body(std::string_view id);

/// {"groupId":…,"name":…,"members":[{"username":…,"role":…},…],"profilePic":…}
std::string group_body(std::string_view id, const core::group& of);

/// {"added":[{"username":…,"role":…},…]} or {"removed":[…]}
std::string group_event(const core::group_change& change);

} // namespace vartalap::net::api
