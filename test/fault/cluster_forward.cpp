#include "test/fault/cluster_forward.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <list>
#include <stdexcept>
#include <vector>

namespace vartalap::fault {

namespace {

constexpr std::size_t buffer_bytes = 65536;

::sockaddr_in address_of(const std::string& address, std::uint16_t port) {
  ::sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &at.sin_addr);
  return at;
}

const ::sockaddr* generic(const ::sockaddr_in& at) {
  return static_cast<const ::sockaddr*>(static_cast<const void*>(&at));
}

int open_socket() {
  return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int listen_on(const std::string& address, std::uint16_t port) {
  const int fd = open_socket();
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto at = address_of(address, port);
  if (::bind(fd, generic(at), sizeof at) != 0 || ::listen(fd, SOMAXCONN) != 0) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    throw std::runtime_error("cannot listen on " + address + ": " + why);
  }
  return fd;
}

/// One way of a connection.
class pipe_half {
public:
  bool wants_input() const noexcept {
    return !ended_ && size_ == at_;
  }
  bool wants_output() const noexcept {
    return at_ < size_;
  }
  bool over() const noexcept {
    return ended_ && size_ == at_;
  }

  /// @returns False where the connection is broken.
  bool read(int from, int to) {
    const auto n = ::recv(from, bytes_.data(), bytes_.size(), 0);
    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    at_ = 0;
    size_ = static_cast<std::size_t>(n);
    ended_ = n == 0;
    if (ended_)
      ::shutdown(to, SHUT_WR);
    return ended_ || write(to);
  }

  bool write(int to) {
    const auto n = ::send(to, bytes_.data() + at_, size_ - at_, MSG_NOSIGNAL);
    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    at_ += static_cast<std::size_t>(n);
    return true;
  }

private:
  std::vector<char> bytes_ = std::vector<char>(buffer_bytes);
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  bool ended_ = false;
};

/// A client's connection and the one to the server.
class connection {
public:
  connection(int client, std::uint16_t to)
    : client_(client), server_(open_socket()) {
    const int on = 1;
    for (const int fd : {client_, server_})
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto at = address_of("127.0.0.1", to);
    broken_ = ::connect(server_, generic(at), sizeof at) != 0
              && errno != EINPROGRESS;
  }
  ~connection() {
    // Whoever lost the other end hears a reset, as without a forwarder.
    const ::linger at_once{1, 0};
    for (const int fd : {client_, server_}) {
      if (broken_)
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::close(fd);
    }
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void add_to(std::vector<::pollfd>& polled) const {
    add(polled, client_, events(up_, down_));
    add(polled, server_, events(down_, up_));
  }

  /// @returns False where it is over.
  bool handle(short client, short server) {
    const short broken = POLLERR | POLLNVAL;
    if (broken_ || ((client | server) & broken) != 0
        || !step(client, up_, down_, client_, server_)
        || !step(server, down_, up_, server_, client_)) {
      broken_ = true;
      return false;
    }
    return !(up_.over() && down_.over());
  }

private:
  /// A socket from which nothing is wanted is left out: its end would be
  /// reported again and again.
  static void add(std::vector<::pollfd>& polled, int fd, short wanted) {
    polled.push_back({wanted == 0 ? -1 : fd, wanted, 0});
  }

  static short events(const pipe_half& in, const pipe_half& out) {
    const int wanted = (in.wants_input() ? POLLIN : 0)
                       | (out.wants_output() ? POLLOUT : 0);
    return static_cast<short>(wanted);
  }

  static bool step(short ready, pipe_half& in, pipe_half& out, int here,
                   int there) {
    if ((ready & POLLOUT) != 0 && out.wants_output() && !out.write(here))
      return false;
    return (ready & (POLLIN | POLLHUP)) == 0 || !in.wants_input()
           || in.read(here, there);
  }

  int client_;
  int server_;
  pipe_half up_;   ///< client → server
  pipe_half down_; ///< server → client
  bool broken_ = false;
};

} // namespace

forwarder::forwarder(const std::function<void()>& enter,
                     const std::string& address, std::uint16_t port,
                     std::uint16_t to)
  : stop_(::eventfd(0, EFD_CLOEXEC)) {
  std::promise<void> listening;
  auto started = listening.get_future();
  thread_ = std::thread([&, port, to] {
    int fd = -1;
    try {
      enter();
      fd = listen_on(address, port);
      listening.set_value();
    } catch (...) {
      listening.set_exception(std::current_exception());
      return;
    }
    serve(fd, to); // From here on nothing of the constructor is used.
    ::close(fd);
  });
  try {
    started.get();
  } catch (...) {
    thread_.join();
    ::close(stop_);
    throw;
  }
}

forwarder::~forwarder() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(stop_);
}

void forwarder::serve(int listening, std::uint16_t to) const {
  std::list<connection> all;
  std::vector<::pollfd> polled;
  for (;;) {
    polled.clear();
    polled.push_back({stop_, POLLIN, 0});
    polled.push_back({listening, POLLIN, 0});
    for (const auto& one : all)
      one.add_to(polled);
    if (::poll(polled.data(), polled.size(), -1) < 0)
      continue;
    if (polled[0].revents != 0)
      return;
    std::size_t at = 2;
    for (auto one = all.begin(); one != all.end(); at += 2) {
      const bool goes_on
        = one->handle(polled[at].revents, polled[at + 1].revents);
      one = goes_on ? std::next(one) : all.erase(one);
    }
    if (polled[1].revents != 0) {
      const int client
        = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client >= 0)
        all.emplace_back(client, to);
    }
  }
}

} // namespace vartalap::fault
