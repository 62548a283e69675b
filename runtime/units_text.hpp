#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Durations, sizes and addresses as people write them. Pure functions, any
/// thread. Where a text cannot be read, `problem` says why and how to mend it.
namespace vartalap::runtime {

/// Reads "250us", "50ms", "5s", "10m", "2h" or "30d".
/// @return Microseconds, or nothing and `problem`.
std::optional<std::int64_t> parse_duration(std::string_view text,
                                           std::string& problem);

/// Writes microseconds with the largest unit that leaves no rest: "90s", "2h".
std::string format_duration(std::int64_t microseconds);

/// Reads "512B", "64KiB", "1MiB", "1GiB", "2TiB" or a plain number of bytes.
/// @return Bytes, or nothing and `problem`.
std::optional<std::int64_t> parse_size(std::string_view text,
                                       std::string& problem);

/// Writes bytes with the largest unit that leaves no rest: "64KiB", "1GiB".
std::string format_size(std::int64_t bytes);

/// A listening address: an IP address (no name but localhost) and a port.
struct socket_address {
  std::string host;       ///< without the brackets of IPv6
  std::uint16_t port = 0; ///< 0: the system picks one

  bool operator==(const socket_address&) const = default;
};

/// Reads "127.0.0.1:8080", "localhost:8080" or "[::1]:8080".
std::optional<socket_address> parse_address(std::string_view text,
                                            std::string& problem);

/// Writes an address as parse_address reads it.
std::string format_address(const socket_address& address);

/// True for an IPv4 or IPv6 address literal.
bool is_ip_address(const std::string& host);

/// True for an address, or a network: "10.0.0.0/8".
bool is_network(const std::string& text);

/// True where only this machine can reach the host: 127.0.0.0/8, ::1,
/// localhost.
bool is_loopback(const std::string& host);

/// True where the host stands for every interface: 0.0.0.0 or ::.
bool is_wildcard(const std::string& host);

} // namespace vartalap::runtime
