#include "load/server_probe.hpp"

#include "load/options.hpp"
#include "load/pacer.hpp"
#include "net/address.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace vartalap::load {

namespace {

/// Adds what one node gave; one that gave nothing leaves nothing.
template <class T>
void add(std::optional<T>& sum, const std::optional<T>& part) {
  sum = sum && part ? std::optional<T>(*sum + *part) : std::nullopt;
}

/// More than any metrics page.
constexpr std::size_t body_bytes_max = 8U << 20;

std::optional<std::string> talk(int fd, const std::string& request) {
  std::size_t sent = 0;
  while (sent < request.size()) {
    const auto n
      = ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0)
      return std::nullopt;
    sent += static_cast<std::size_t>(n);
  }
  std::string answer;
  std::array<char, 16384> part{};
  while (answer.size() < body_bytes_max) {
    const auto n = ::recv(fd, part.data(), part.size(), 0);
    if (n < 0)
      return std::nullopt;
    if (n == 0)
      return answer;
    answer.append(part.data(), static_cast<std::size_t>(n));
  }
  return std::nullopt;
}

} // namespace

std::optional<std::uint64_t> cpu_ns_of(int pid) {
  std::error_code ec;
  const auto tasks = std::filesystem::path("/proc") / std::to_string(pid)
                     / "task";
  std::uint64_t total = 0;
  bool any = false;
  for (std::filesystem::directory_iterator it(tasks, ec), end; !ec && it != end;
       it.increment(ec)) {
    std::ifstream in(it->path() / "schedstat");
    std::uint64_t running = 0;
    if (in >> running) {
      total += running;
      any = true;
    }
  }
  return any ? std::optional(total) : std::nullopt;
}

std::optional<std::uint64_t> pss_bytes_of(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kib = 0;
    if (words >> key >> kib && key == "Pss:")
      return kib * 1024;
  }
  return std::nullopt;
}

std::optional<double> metric_of(std::string_view text, std::string_view name) {
  std::optional<double> total;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.starts_with(name) || line.size() <= name.size())
      continue;
    const auto next = line[name.size()];
    const auto blank = next == ' '   ? name.size()
                       : next == '{' ? line.find("} ", name.size()) + 1
                                     : std::string_view::npos;
    if (blank == std::string_view::npos || blank == 0)
      continue;
    double value = 0;
    const auto digits = line.substr(blank + 1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec
        == std::errc{})
      total = total.value_or(0) + value;
  }
  return total;
}

std::optional<std::string> http_get(const std::string& base,
                                    const std::string& path,
                                    const std::string& token) {
  target_url url;
  if (!parse_url(base, url))
    return std::nullopt;
  const bool v6 = url.host.find(':') != std::string::npos;
  const auto host = (v6 ? "[" + url.host + "]" : url.host) + ":"
                    + std::to_string(url.port);
  const auto address = net::parse_address(host);
  if (!address)
    return std::nullopt;
  const int fd
    = ::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return std::nullopt;
  const ::timeval limit{2, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  std::optional<std::string> answer;
  if (::connect(fd, address->get(), address->size) == 0)
    answer = talk(fd, "GET " + path + " HTTP/1.0\r\nHost: " + host
                        + (token.empty() ? std::string()
                                         : "\r\nAuthorization: Bearer " + token)
                        + "\r\nConnection: close\r\n\r\n");
  ::close(fd);
  if (!answer)
    return std::nullopt;
  const auto body = answer->find("\r\n\r\n");
  const bool ok = answer->starts_with("HTTP/1.")
                  && answer->substr(8, 5) == " 200 ";
  if (!ok || body == std::string::npos)
    return std::nullopt;
  return answer->substr(body + 4);
}

server_sample look_at_server(const std::vector<int>& pids,
                             const std::vector<std::string>& admins,
                             const std::string& token) {
  server_sample sample;
  sample.at_us = clock_us();
  if (!pids.empty()) {
    sample.cpu_ns = 0;
    sample.pss_bytes = 0;
  }
  for (const auto pid : pids) {
    add(sample.cpu_ns, cpu_ns_of(pid));
    add(sample.pss_bytes, pss_bytes_of(pid));
  }
  if (!admins.empty())
    sample.appended = 0;
  for (const auto& admin : admins) {
    const auto text = http_get(admin, "/metrics", token);
    add(sample.appended, text
                           ? metric_of(*text, "vartalap_storage_appended_total")
                           : std::nullopt);
  }
  return sample;
}

} // namespace vartalap::load
