#include "runtime/units_text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <charconv>
#include <limits>

namespace vartalap::runtime {

namespace {

struct unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<unit, 6> duration_units{{
  {"us", 1},
  {"ms", 1'000},
  {"s", 1'000'000},
  {"m", 60'000'000},
  {"h", 3'600'000'000},
  {"d", 86'400'000'000},
}};

constexpr std::array<unit, 5> size_units{{
  {"B", 1},
  {"KiB", 1LL << 10},
  {"MiB", 1LL << 20},
  {"GiB", 1LL << 30},
  {"TiB", 1LL << 40},
}};

/// A whole number and the unit behind it; a missing unit is `bare`.
template <std::size_t N>
std::optional<std::int64_t>
parse_quantity(std::string_view text, const std::array<unit, N>& units,
               std::int64_t bare, const std::string& forms,
               std::string& problem) {
  const auto complain = [&](const char* why) {
    problem = "\"" + std::string(text) + "\" " + why + "; write " + forms;
    return std::nullopt;
  };
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, ec] = std::from_chars(text.data(), end, number);
  if (ec == std::errc::result_out_of_range)
    return complain("is too large");
  if (ec != std::errc{} || number < 0)
    return complain("does not begin with a whole number");
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  std::int64_t factor = suffix.empty() ? bare : 0;
  for (const auto& each : units)
    if (each.name == suffix)
      factor = each.factor;
  if (factor == 0)
    return complain(suffix.empty() ? "has no unit" : "has an unknown unit");
  if (number > std::numeric_limits<std::int64_t>::max() / factor)
    return complain("is too large");
  return number * factor;
}

template <std::size_t N>
std::string format_quantity(std::int64_t value,
                            const std::array<unit, N>& units,
                            std::string_view zero_unit) {
  if (value == 0)
    return "0" + std::string(zero_unit);
  auto best = units.front();
  for (const auto& each : units)
    if (value % each.factor == 0)
      best = each;
  return std::to_string(value / best.factor) + std::string(best.name);
}

} // namespace

std::optional<std::int64_t> parse_duration(std::string_view text,
                                           std::string& problem) {
  return parse_quantity(text, duration_units, 0,
                        R"("50ms", "5s", "10m", "2h" or "30d")", problem);
}

std::string format_duration(std::int64_t microseconds) {
  return format_quantity(microseconds, duration_units, "s");
}

std::optional<std::int64_t> parse_size(std::string_view text,
                                       std::string& problem) {
  return parse_quantity(text, size_units, 1,
                        R"("64KiB", "1MiB", "1GiB" or a number of bytes)",
                        problem);
}

std::string format_size(std::int64_t bytes) {
  return format_quantity(bytes, size_units, "B");
}

std::optional<socket_address> parse_address(std::string_view text,
                                            std::string& problem) {
  const auto complain = [&](const std::string& why) {
    problem = "\"" + std::string(text) + "\" " + why
              + R"(; write "127.0.0.1:8080" or "[::1]:8080")";
    return std::nullopt;
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return complain("has no port");
  auto host = std::string(text.substr(0, colon));
  const bool brackets = host.size() > 2 && host.front() == '['
                        && host.back() == ']';
  if (brackets)
    host = host.substr(1, host.size() - 2);
  if (brackets != (host.find(':') != std::string::npos))
    return complain("needs brackets around an IPv6 address, and only there");
  if (host != "localhost" && !is_ip_address(host))
    return complain("does not begin with an IP address or localhost");
  const auto digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto* end = digits.data() + digits.size();
  const auto [rest, ec] = std::from_chars(digits.data(), end, port);
  if (digits.empty() || ec != std::errc{} || rest != end)
    return complain("does not end with a port from 0 to 65535");
  return socket_address{host, port};
}

std::string format_address(const socket_address& address) {
  const auto port = std::to_string(address.port);
  if (address.host.find(':') != std::string::npos)
    return "[" + address.host + "]:" + port;
  return address.host + ":" + port;
}

bool is_ip_address(const std::string& host) {
  in6_addr buffer{}; // large enough for both families
  return inet_pton(AF_INET, host.c_str(), &buffer) == 1
         || inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

bool is_network(const std::string& text) {
  const auto slash = text.find('/');
  const auto host = text.substr(0, slash);
  if (!is_ip_address(host))
    return false;
  if (slash == std::string::npos)
    return true;
  unsigned bits = 0;
  const auto* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + slash + 1, end, bits);
  return error == std::errc{} && at == end
         && bits <= (host.find(':') == std::string::npos ? 32U : 128U);
}

bool is_loopback(const std::string& host) {
  if (host == "localhost")
    return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1
         && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_wildcard(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1)
    return v4.s_addr == 0;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1
         && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

} // namespace vartalap::runtime
