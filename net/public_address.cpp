#include "net/public_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace vartalap::net {

namespace {

struct range4 {
  std::uint32_t network;
  unsigned bits;
};

/// RFC 6890 and its successors: nothing of it is reached over the internet.
constexpr std::array<range4, 15> special4{{
  {0x00000000, 8},  // this network
  {0x0A000000, 8},  // private
  {0x64400000, 10}, // shared by carriers
  {0x7F000000, 8},  // loopback
  {0xA9FE0000, 16}, // link-local, metadata of clouds
  {0xAC100000, 12}, // private
  {0xC0000000, 24}, // protocol assignments
  {0xC0000200, 24}, // documentation
  {0xC0586300, 24}, // relays to 6to4
  {0xC0A80000, 16}, // private
  {0xC6120000, 15}, // benchmarks
  {0xC6336400, 24}, // documentation
  {0xCB007100, 24}, // documentation
  {0xE0000000, 4},  // multicast
  {0xF0000000, 4},  // reserved, broadcast
}};

bool is_public4(std::uint32_t address) noexcept {
  return std::none_of(special4.begin(), special4.end(), [&](const auto& each) {
    return (address ^ each.network) >> (32 - each.bits) == 0;
  });
}

std::uint32_t load4(const std::uint8_t* bytes) noexcept {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16
         | std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

bool begins(const std::uint8_t* bytes,
            std::initializer_list<std::uint8_t> with) noexcept {
  return std::equal(with.begin(), with.end(), bytes);
}

bool is_public6(const std::uint8_t* bytes) noexcept {
  // Translated addresses: 64:ff9b::/96, and 6to4.
  if (begins(bytes, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0}))
    return is_public4(load4(bytes + 12));
  if (begins(bytes, {0x20, 0x02}))
    return is_public4(load4(bytes + 2));
  if (begins(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}))
    return is_public4(load4(bytes + 12));
  // 2000::/3 is all that is given out, without Teredo and documentation.
  return (bytes[0] & 0xE0U) == 0x20 && !begins(bytes, {0x20, 0x01, 0, 0})
         && !begins(bytes, {0x20, 0x01, 0x0D, 0xB8});
}

} // namespace

bool is_public(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return is_public4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    return is_public6(in.sin6_addr.s6_addr);
  }
  return false;
}

} // namespace vartalap::net
