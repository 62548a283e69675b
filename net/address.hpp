#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vartalap::net {

/// A numeric IP address with a port, ready for the socket calls.
struct socket_address {
  ::sockaddr_storage storage{};
  ::socklen_t size = 0;

  const ::sockaddr* get() const noexcept {
    // The socket API's own way to pass any address.
    return static_cast<const ::sockaddr*>(static_cast<const void*>(&storage));
  }
  ::sockaddr* get() noexcept {
    return static_cast<::sockaddr*>(static_cast<void*>(&storage));
  }

  /// The address without the port, e.g. "127.0.0.1" or "::1".
  std::string host() const;
  std::uint16_t port() const noexcept;
  bool is_loopback() const noexcept;
};

/// Reads "127.0.0.1:8080", "[::1]:8080" or "localhost:8080". No look-ups.
std::optional<socket_address> parse_address(std::string_view text);

} // namespace vartalap::net
