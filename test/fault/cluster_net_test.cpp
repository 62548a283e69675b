#include "test/fault/cluster_net.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

using namespace vartalap::fault;

namespace {

constexpr int reach_ms = 500;
constexpr std::uint16_t server_port = 8081;
constexpr std::uint16_t peer_port = 7080;

/// A socket that closes with its object.
struct socket_fd {
  int fd = -1;
  explicit socket_fd(int number) : fd(number) {
  }
  ~socket_fd() {
    ::close(fd);
  }
  socket_fd(const socket_fd&) = delete;
  socket_fd& operator=(const socket_fd&) = delete;
};

::sockaddr_in at(const std::string& address, std::uint16_t port) {
  ::sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &out.sin_addr);
  return out;
}

const ::sockaddr* generic(const ::sockaddr_in& address) {
  return static_cast<const ::sockaddr*>(static_cast<const void*>(&address));
}

int listen_at(net_space& space, const std::string& address,
              std::uint16_t port) {
  int fd = -1;
  space.run([&] {
    fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto where = at(address, port);
    ::bind(fd, generic(where), sizeof where);
    ::listen(fd, 16);
  });
  return fd;
}

int connect_from(net_space& space, const std::string& address,
                 std::uint16_t port) {
  int fd = -1;
  space.run([&] {
    fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto where = at(address, port);
    if (::connect(fd, generic(where), sizeof where) != 0
        && errno != EINPROGRESS) {
      ::close(fd); // No way there.
      fd = -1;
    }
  });
  return fd;
}

/// True where a TCP connection comes about within `reach_ms`.
bool reaches(net_space& from, const std::string& address, std::uint16_t port) {
  const socket_fd one(connect_from(from, address, port));
  ::pollfd polled{one.fd, POLLOUT, 0};
  int error = 0;
  ::socklen_t size = sizeof error;
  return one.fd >= 0 && ::poll(&polled, 1, reach_ms) == 1
         && ::getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0
         && error == 0;
}

/// What comes within a moment; "" for nothing, "end" for an end.
std::string receive(int fd) {
  ::pollfd polled{fd, POLLIN, 0};
  if (::poll(&polled, 1, reach_ms) != 1)
    return {};
  std::string bytes(100, '\0');
  const auto n = ::recv(fd, bytes.data(), bytes.size(), 0);
  if (n <= 0)
    return "end";
  bytes.resize(static_cast<std::size_t>(n));
  return bytes;
}

struct three_nodes {
  cluster_net net{{server_port, server_port, server_port}};
  socket_fd a{listen_at(net.node(0), cluster_net::address(0), peer_port)};
  socket_fd b{listen_at(net.node(1), cluster_net::address(1), peer_port)};
  socket_fd c{listen_at(net.node(2), cluster_net::address(2), peer_port)};

  bool reach(std::size_t from, std::size_t to) {
    return reaches(net.node(from), cluster_net::address(to), peer_port);
  }
};

} // namespace

TEST_CASE("a cluster's namespaces see each other and nothing of the machine") {
  three_nodes three;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < 3; ++k)
      CHECK(three.reach(i, k));
  CHECK_FALSE(reaches(three.net.node(0), "10.98.0.1", peer_port));
  struct stat outside {};
  struct stat inside {};
  REQUIRE(::stat("/proc/thread-self/ns/net", &outside) == 0);
  three.net.hub().run([&] { ::stat("/proc/thread-self/ns/net", &inside); });
  CHECK(inside.st_ino != outside.st_ino);
}

TEST_CASE("a cluster's faults cut what they say and the hub stays connected") {
  three_nodes three;
  const socket_fd server(
    listen_at(three.net.node(0), "127.0.0.1", server_port));
  SECTION("both ways") {
    three.net.isolate(0, cut::both);
    CHECK_FALSE(three.reach(0, 1));
    CHECK_FALSE(three.reach(2, 0));
    CHECK(three.reach(1, 2));
  }
  SECTION("one way: its packets get out, no answer comes back") {
    three.net.isolate(0, cut::to_it);
    CHECK_FALSE(three.reach(0, 1));
    CHECK_FALSE(three.reach(1, 0));
    CHECK(three.reach(2, 1));
  }
  SECTION("between two only") {
    three.net.drop(0, {1}, cut::both);
    CHECK_FALSE(three.reach(0, 1));
    CHECK_FALSE(three.reach(1, 0));
    CHECK(three.reach(0, 2));
    CHECK(three.reach(2, 0));
    CHECK(three.reach(1, 2));
  }
  SECTION("again and again") {
    for (int i = 0; i < 3; ++i) {
      three.net.isolate(0, cut::both);
      CHECK_FALSE(three.reach(0, 1));
      three.net.heal();
      CHECK(three.reach(0, 1));
    }
    three.net.isolate(0, cut::from_it);
    CHECK_FALSE(three.reach(1, 0));
  }
  CHECK(reaches(three.net.hub(), cluster_net::address(0), 8080));
  three.net.heal();
  CHECK(three.reach(0, 1));
  CHECK(three.reach(1, 0));
}

TEST_CASE("a cluster's one-way cut drops only that way") {
  three_nodes three;
  const socket_fd client(
    connect_from(three.net.node(1), cluster_net::address(0), peer_port));
  const socket_fd server(::accept4(three.a.fd, nullptr, nullptr, SOCK_CLOEXEC));
  three.net.isolate(0, cut::from_it);
  REQUIRE(::send(client.fd, "in", 2, MSG_NOSIGNAL) == 2);
  CHECK(receive(server.fd) == "in");
  REQUIRE(::send(server.fd, "out", 3, MSG_NOSIGNAL) == 3);
  CHECK(receive(client.fd).empty());
  three.net.heal();
  CHECK(receive(client.fd) == "out");
}

TEST_CASE("a cluster's forwarder passes on bytes, ends and resets") {
  cluster_net net({server_port});
  auto& node = net.node(0);
  {
    // Nobody listens inside yet.
    const socket_fd client(
      connect_from(net.hub(), cluster_net::address(0), 8080));
    CHECK(receive(client.fd) == "end");
  }
  const socket_fd listening(listen_at(node, "127.0.0.1", server_port));
  const socket_fd client(
    connect_from(net.hub(), cluster_net::address(0), 8080));
  const socket_fd server(
    ::accept4(listening.fd, nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(::send(server.fd, "hello", 5, MSG_NOSIGNAL) == 5);
  CHECK(receive(client.fd) == "hello");
  REQUIRE(::send(client.fd, "answer", 6, MSG_NOSIGNAL) == 6);
  CHECK(receive(server.fd) == "answer");
  ::shutdown(client.fd, SHUT_WR);
  CHECK(receive(server.fd) == "end");
  REQUIRE(::send(server.fd, "bye", 3, MSG_NOSIGNAL) == 3);
  CHECK(receive(client.fd) == "bye");
  ::shutdown(server.fd, SHUT_WR);
  CHECK(receive(client.fd) == "end");
}

TEST_CASE("a cluster's forwarder holds a writer whose reader does not read") {
  cluster_net net({server_port});
  const socket_fd listening(listen_at(net.node(0), "127.0.0.1", server_port));
  const socket_fd client(
    connect_from(net.hub(), cluster_net::address(0), 8080));
  const socket_fd server(
    ::accept4(listening.fd, nullptr, nullptr, SOCK_CLOEXEC));
  const std::string block(65536, 'x');
  std::size_t sent = 0;
  constexpr std::size_t far_too_much = 64U << 20;
  for (;;) {
    ::pollfd polled{server.fd, POLLOUT, 0};
    if (sent > far_too_much || ::poll(&polled, 1, reach_ms) != 1)
      break;
    const auto n = ::send(server.fd, block.data(), block.size(),
                          MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
      sent += static_cast<std::size_t>(n);
  }
  CHECK(sent < far_too_much);
}
