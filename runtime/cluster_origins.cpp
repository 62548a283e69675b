#include "runtime/cluster_origins.hpp"

#include "runtime/units_text.hpp"

#include <cstdint>
#include <string_view>

namespace vartalap::runtime {

namespace {

/// As a browser writes it: without the port that the scheme implies.
std::string origin(std::string_view scheme, const socket_address& address,
                   std::uint16_t implied) {
  auto host = format_address(address);
  if (address.port == implied)
    host.resize(host.rfind(':'));
  return std::string(scheme) + "://" + host;
}

void add_origins(const socket_address& address, std::vector<std::string>& out) {
  out.push_back(origin("http", address, 80));
  out.push_back(origin("https", address, 443));
}

} // namespace

std::vector<std::string> cluster_origins(const core::cluster_options& options) {
  auto out = options.auth.allowed_origins;
  if (options.nodes.size() < 2)
    return out;
  for (const auto& node : options.nodes) {
    std::string problem;
    const auto address = parse_address(node.client, problem);
    if (!address)
      continue; // refused when the configuration was read
    add_origins(*address, out);
    if (address->host == "127.0.0.1")
      add_origins({"localhost", address->port}, out);
    else if (address->host == "localhost")
      add_origins({"127.0.0.1", address->port}, out);
  }
  return out;
}

} // namespace vartalap::runtime
