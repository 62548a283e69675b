#include "test/integration/rig/tcp_stream.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace vartalap::integration {

namespace {

::sockaddr_in loopback(std::uint16_t port) {
  ::sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(port);
  return at;
}

const ::sockaddr* generic(const ::sockaddr_in& at) {
  return static_cast<const ::sockaddr*>(static_cast<const void*>(&at));
}

bool wait_for(int fd, short events, clock::time_point until) {
  for (;;) {
    const auto left
      = std::chrono::duration_cast<milliseconds>(until - clock::now());
    ::pollfd one{fd, events, 0};
    const auto n
      = ::poll(&one, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    if (n > 0)
      return true;
    if (n == 0 || errno != EINTR)
      return false;
  }
}

} // namespace

tcp_stream::tcp_stream(std::uint16_t port, int receive_buffer)
  : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer != 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                 sizeof receive_buffer);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto at = loopback(port);
  if (fd_ < 0 || ::connect(fd_, generic(at), sizeof at) != 0) {
    const std::string why = std::strerror(errno);
    close();
    throw std::runtime_error("cannot connect to port " + std::to_string(port)
                             + ": " + why);
  }
}

tcp_stream::~tcp_stream() {
  close();
}

tcp_stream::tcp_stream(tcp_stream&& other) noexcept
  : fd_(std::exchange(other.fd_, -1)) {
}

bool tcp_stream::send(std::string_view bytes, milliseconds limit) {
  const auto until = clock::now() + limit;
  while (!bytes.empty()) {
    const auto n
      = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
      bytes.remove_prefix(static_cast<std::size_t>(n));
    else if ((errno != EAGAIN && errno != EINTR)
             || !wait_for(fd_, POLLOUT, until))
      return false;
  }
  return true;
}

tcp_stream::got tcp_stream::receive(std::string& into, milliseconds limit) {
  if (!wait_for(fd_, POLLIN, clock::now() + limit))
    return got::nothing;
  std::array<char, 65536> buffer;
  const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (n <= 0)
    return got::end;
  into.append(buffer.data(), static_cast<std::size_t>(n));
  return got::bytes;
}

void tcp_stream::finish_sending() noexcept {
  ::shutdown(fd_, SHUT_WR);
}

void tcp_stream::close() noexcept {
  if (fd_ >= 0)
    ::close(std::exchange(fd_, -1));
}

std::uint16_t free_port() {
  const auto fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto at = loopback(0);
  ::socklen_t size = sizeof at;
  void* const out = &at;
  if (fd < 0 || ::bind(fd, generic(at), size) != 0
      || ::getsockname(fd, static_cast<::sockaddr*>(out), &size) != 0)
    throw std::runtime_error("no free port");
  ::close(fd);
  return ntohs(at.sin_port);
}

} // namespace vartalap::integration
