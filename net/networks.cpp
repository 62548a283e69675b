#include "net/networks.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace vartalap::net {

namespace {

using address_bytes = std::array<std::uint8_t, 16>;

constexpr unsigned ipv4_offset = 12; ///< in ::ffff:a.b.c.d

struct parsed {
  address_bytes bytes{};
  bool is_ipv4 = false;
};

std::optional<parsed> parse(std::string_view text) {
  const std::string name(text);
  parsed out;
  if (::inet_pton(AF_INET, name.c_str(), out.bytes.data() + ipv4_offset) == 1) {
    out.bytes[10] = out.bytes[11] = 0xff;
    out.is_ipv4 = true;
    return out;
  }
  if (::inet_pton(AF_INET6, name.c_str(), out.bytes.data()) == 1)
    return out;
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// An address, and how many of its 128 bits count.
std::optional<std::pair<address_bytes, unsigned>>
parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse(text.substr(0, slash));
  if (!address)
    return std::nullopt;
  unsigned bits = address->is_ipv4 ? 32 : 128;
  if (slash != std::string_view::npos) {
    const auto number = text.substr(slash + 1);
    unsigned asked = 0;
    const auto [end, error]
      = std::from_chars(number.data(), number.data() + number.size(), asked);
    if (error != std::errc{} || end != number.data() + number.size()
        || asked > bits)
      return std::nullopt;
    bits = asked;
  }
  return std::pair(address->bytes,
                   bits + (address->is_ipv4 ? 8 * ipv4_offset : 0));
}

bool agree(const address_bytes& a, const address_bytes& b, unsigned bits) {
  const auto whole = bits / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0)
    return false;
  const auto rest = bits % 8;
  return rest == 0
         || static_cast<unsigned>(a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

} // namespace

networks::networks(const std::vector<std::string>& texts) {
  for (const auto& text : texts)
    if (const auto found = parse_network(text))
      all_.push_back({found->first, found->second});
}

bool networks::contain(std::string_view address) const {
  if (all_.empty())
    return false;
  const auto found = parse(address);
  return found && std::any_of(all_.begin(), all_.end(), [&](const auto& one) {
           return agree(found->bytes, one.bytes, one.bits);
         });
}

std::string networks::client_of(const std::string& peer,
                                std::string_view forwarded) const {
  auto client = peer;
  while (!forwarded.empty() && contain(client)) {
    const auto comma = forwarded.rfind(',');
    const auto last = trim(comma == std::string_view::npos
                             ? forwarded
                             : forwarded.substr(comma + 1));
    forwarded = comma == std::string_view::npos ? std::string_view{}
                                                : forwarded.substr(0, comma);
    if (!parse(last))
      break; // "unknown", or a name: whoever it was came by the proxy.
    client = last;
  }
  return client;
}

} // namespace vartalap::net
