#pragma once

#include "net/api_json.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The JSON bodies of the HTTP API's calls about who is who: contact book,
/// access keys, blocks.
namespace vartalap::net::api {

/// Most names in one POST /contactbook/sync.
inline constexpr std::size_t contacts_max = 1000;

/// POST /contactbook/sync: the names, each once, in order. What no user can be
/// called is left out.
parsed<std::vector<std::string>> parse_contacts(std::string_view body);

/// {"bob":true,…}
std::string contacts_body(std::span<const std::string> known);

/// One entry of GET /keys.
struct key_line {
  std::string id;
  std::string device;
  std::uint64_t issued = 0;  ///< ms since the epoch
  std::uint64_t expires = 0; ///< ms since the epoch; 0: never
  bool current = false;      ///< the one that asks
};

/// [{"id":…,"device":…,"issuedAt":…,"expiresAt":…,"current":…},…]
std::string keys_body(std::span<const key_line> keys);

/// ["bob",…]
std::string names_body(std::span<const std::string> names);

} // namespace vartalap::net::api
