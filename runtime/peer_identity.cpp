#include "runtime/peer_identity.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace vartalap::runtime {

namespace {

constexpr std::size_t secret_bytes_min = 32;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw std::runtime_error("the cluster's secret in " + path + " " + why);
}

std::string read_secret(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0)
    fail(path, std::string("cannot be read (") + std::strerror(errno)
                 + "): make it with (umask 077; openssl rand -hex 32 > " + path
                 + "), and copy it to all nodes");
  if ((found.st_mode & 077) != 0)
    fail(path, "can be read by others: chmod 600 " + path);
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  auto secret = text.str();
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r'))
    secret.pop_back();
  if (secret.size() < secret_bytes_min)
    fail(path, "has fewer than 32 bytes: openssl rand -hex 32 > " + path);
  return secret;
}

std::string for_node(std::string path, const std::string& name) {
  constexpr std::string_view mark = "{node}";
  for (auto at = path.find(mark); at != std::string::npos;
       at = path.find(mark, at + name.size()))
    path.replace(at, mark.size(), name);
  return path;
}

} // namespace

net::tunnel_settings tunnel_settings_of(const core::cluster_options& options,
                                        const core::node_options& me) {
  net::tunnel_settings out;
  out.me = me.name;
  out.address = me.peer;
  for (const auto& node : options.nodes)
    if (node.name != me.name)
      out.members.push_back(node.name);
  const auto& peers = options.peers;
  if (peers.has_tls()) {
    out.ca_file = for_node(peers.ca, me.name);
    out.certificate_file = for_node(peers.certificate, me.name);
    out.key_file = for_node(peers.key, me.name);
  } else {
    out.secret = read_secret(peers.secret_file);
  }
  return out;
}

} // namespace vartalap::runtime
