// Are the node's addresses free, or its own?

#include "runtime/doctor_checks.hpp"
#include "runtime/units_text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace vartalap::runtime {

namespace {

namespace files = std::filesystem;

/// Tries to have the address, and gives it back.
/// @return 0, or the error.
int try_address(const socket_address& at) {
  ::sockaddr_in6 six{};
  ::sockaddr_in four{};
  const auto host = at.host == "localhost" ? std::string("127.0.0.1") : at.host;
  const bool is_four = ::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1;
  if (!is_four && ::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1)
    return EADDRNOTAVAIL;
  four.sin_family = AF_INET;
  four.sin_port = htons(at.port);
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(at.port);
  const auto fd
    = ::socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return errno;
  // Connections of the node's last life are in nobody's way.
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const auto* address = is_four ? static_cast<const void*>(&four) : &six;
  const auto size = is_four ? sizeof four : sizeof six;
  const auto result = ::bind(fd, static_cast<const ::sockaddr*>(address),
                             static_cast<::socklen_t>(size));
  const auto error = result == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

/// Inodes of the sockets that listen on a port.
std::set<std::string> listeners(std::uint16_t port) {
  std::set<std::string> out;
  for (const auto* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    std::string line;
    std::getline(in, line); // names of the columns
    while (std::getline(in, line)) {
      std::istringstream fields(line);
      std::string local;
      std::string state;
      std::string inode;
      std::string other;
      fields >> other >> local >> other >> state;
      for (int i = 0; i < 5; ++i)
        fields >> other;
      fields >> inode;
      constexpr const char* listening = "0A";
      const auto colon = local.rfind(':');
      if (state == listening && colon != std::string::npos
          && std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port)
        out.insert("socket:[" + inode + "]");
    }
  }
  return out;
}

bool has_one_of(const files::path& process,
                const std::set<std::string>& sockets) {
  std::error_code failed;
  for (files::directory_iterator each(process / "fd", failed), end;
       !failed && each != end; each.increment(failed)) {
    std::error_code gone;
    if (sockets.contains(files::read_symlink(each->path(), gone).string()))
      return true;
  }
  return false;
}

/// The process that listens on a port, or -1 where this user cannot see it.
::pid_t listening_process(std::uint16_t port) {
  const auto sockets = listeners(port);
  std::error_code failed;
  for (files::directory_iterator each("/proc", failed), end;
       !failed && each != end; each.increment(failed)) {
    const auto name = each->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos
        && has_one_of(each->path(), sockets))
      return static_cast<::pid_t>(std::stol(name));
  }
  return -1;
}

std::string name_of(::pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/comm");
  std::string out;
  std::getline(in, out);
  return out;
}

finding told_of_owner(const patient& who, const std::string& key,
                      const socket_address& at, const std::string& text) {
  const auto pid = listening_process(at.port);
  if (pid > 0 && pid == who.running)
    return {true, text + " is held by the running node, process "
                    + std::to_string(pid)};
  if (pid < 0 && who.running > 0)
    return {true, text + " is held; the node runs as process "
                    + std::to_string(who.running)
                    + " (as root this says whether it is the same)"};
  const auto port = std::to_string(at.port);
  if (pid < 0)
    return {false, text
                     + " is taken by a process of another user: sudo ss "
                       "-ltnp 'sport = :"
                     + port + "' names it; end it, or change " + key};
  const auto number = std::to_string(pid);
  return {false, text + " is taken by process " + number + " (" + name_of(pid)
                   + "): kill " + number + ", or change " + key};
}

finding look_at(const patient& who, const std::string& key,
                const std::string& text) {
  const auto what = key + " " + text;
  std::string problem;
  const auto at = parse_address(text, problem);
  if (!at)
    return {false, what + ": " + problem};
  switch (const auto error = try_address(*at)) {
    case 0:
      if (who.running > 0 && at->port != 0)
        return {false, what + " is free though the node runs as process "
                         + std::to_string(who.running)
                         + ", so it was started with another configuration: "
                           "sudo systemctl restart vartalap"};
      return {true, what + " is free"};
    case EADDRINUSE:
      return told_of_owner(who, key, *at, what);
    case EADDRNOTAVAIL:
      return {false, what
                       + " is no address of this machine: `ip address` "
                         "lists them; change "
                       + key + ", or name another node with --node"};
    case EACCES:
      return {false, what
                       + " is for root alone: sudo sysctl -w "
                         "net.ipv4.ip_unprivileged_port_start="
                       + std::to_string(at->port) + ", or change " + key};
    default:
      return {false, what + " cannot be had (" + std::strerror(error)
                       + "): change " + key};
  }
}

} // namespace

findings look_at_ports(const patient& who) {
  findings out{look_at(who, "node.client", who.node.client),
               look_at(who, "node.admin", who.node.admin)};
  if (who.options.nodes.size() > 1)
    out.push_back(look_at(who, "node.peer", who.node.peer));
  return out;
}

} // namespace vartalap::runtime
