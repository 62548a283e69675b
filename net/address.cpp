#include "net/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <cstring>

namespace vartalap::net {

namespace {

::sockaddr_in as_v4(const socket_address& a) noexcept {
  ::sockaddr_in out{};
  std::memcpy(&out, &a.storage, sizeof out);
  return out;
}

::sockaddr_in6 as_v6(const socket_address& a) noexcept {
  ::sockaddr_in6 out{};
  std::memcpy(&out, &a.storage, sizeof out);
  return out;
}

} // namespace

std::string socket_address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto v4 = as_v4(*this);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else {
    const auto v6 = as_v6(*this);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

std::uint16_t socket_address::port() const noexcept {
  return ntohs(storage.ss_family == AF_INET ? as_v4(*this).sin_port
                                            : as_v6(*this).sin6_port);
}

bool socket_address::is_loopback() const noexcept {
  if (storage.ss_family == AF_INET)
    return (ntohl(as_v4(*this).sin_addr.s_addr) >> 24) == 127;
  const auto v6 = as_v6(*this);
  return std::memcmp(&v6.sin6_addr, &in6addr_loopback, sizeof(::in6_addr)) == 0;
}

std::optional<socket_address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return std::nullopt;
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto parsed
    = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || parsed.ec != std::errc{}
      || parsed.ptr != digits.data() + digits.size())
    return std::nullopt;
  socket_address out;
  if (host.front() == '[' && host.back() == ']') {
    ::sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    const std::string plain(host.substr(1, host.size() - 2));
    if (::inet_pton(AF_INET6, plain.c_str(), &v6.sin6_addr) != 1)
      return std::nullopt;
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
    return out;
  }
  if (host == "localhost")
    host = "127.0.0.1";
  ::sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, std::string(host).c_str(), &v4.sin_addr) != 1)
    return std::nullopt;
  std::memcpy(&out.storage, &v4, sizeof v4);
  out.size = sizeof v4;
  return out;
}

} // namespace vartalap::net
