#include "net/listener.hpp"

#include "net/address.hpp"
#include "net/session.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace vartalap::net {

namespace {

/// Connections taken in one turn, so that a storm leaves room for traffic.
constexpr int accepts_per_turn = 64;

/// How long to wait before another try when files have run out.
constexpr core::milliseconds out_of_files_wait{100};

/// Files that the process needs beside client connections: storage, admin,
/// logs, shards, other nodes.
constexpr std::size_t reserved_files = 256;

std::size_t connections_by_file_limit() {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0
      || limit.rlim_cur == RLIM_INFINITY)
    return 1'000'000;
  const auto files = static_cast<std::size_t>(limit.rlim_cur);
  return files > 2 * reserved_files ? files - reserved_files : files / 2;
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

[[noreturn]] void fail(const std::string& address, const char* what) {
  std::string text = "cannot listen on " + address + ": " + what + " ("
                     + std::strerror(errno) + ")";
  if (errno == EADDRINUSE)
    text += "; another process uses that port: end it, or change the "
            "address in cluster.toml";
  throw std::runtime_error(text);
}

} // namespace

listener::listener(std::vector<shard*> shards, const std::string& address,
                   const core::limit_options& limits,
                   const core::auth_options& auth, authenticator& who,
                   gateway& to, core::log_port& log, tls_context* tls)
  : shards_(std::move(shards)), limits_(limits), auth_(auth), who_(who),
    to_(to), log_(log), tls_(tls), proxies_(limits.trusted_proxies) {
  auto at = parse_address(address);
  if (!at)
    throw std::runtime_error("cannot listen on " + address
                             + ": not a numeric address with a port");
  connections_max_ = connections_by_file_limit();
  if (limits_.max_connections != 0)
    connections_max_ = std::min(connections_max_, limits_.max_connections);
  fd_ = ::socket(at->storage.ss_family,
                 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0)
    fail(address, "no socket");
  set_option(fd_, SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(fd_, at->get(), at->size) != 0) {
    const auto error = errno;
    ::close(fd_);
    errno = error;
    fail(address, "cannot bind");
  }
  if (::listen(fd_, 4096) != 0)
    fail(address, "cannot listen");
  ::getsockname(fd_, at->get(), &at->size);
  host_ = at->host();
  port_ = at->port();
  reserve_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

listener::~listener() {
  if (fd_ >= 0)
    ::close(fd_);
  if (reserve_fd_ >= 0)
    ::close(reserve_fd_);
}

std::string listener::address() const {
  const auto v6 = host_.find(':') != std::string::npos;
  return (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(port_);
}

void listener::start() {
  shards_.front()->post([this] { shards_.front()->watch(fd_, *this); });
}

void listener::stop() {
  shards_.front()->post([this] {
    if (fd_ < 0)
      return;
    shards_.front()->timers().cancel(*this);
    shards_.front()->forget(fd_, *this);
    ::close(fd_);
    fd_ = -1;
  });
}

void listener::on_ready(std::uint32_t) {
  accept_some();
}

void listener::on_timer(core::mono_time) {
  accept_some();
}

void listener::accept_some() {
  auto& home = *shards_.front();
  for (int i = 0; i < accepts_per_turn; ++i) {
    socket_address peer;
    peer.size = sizeof peer.storage;
    const auto fd
      = ::accept4(fd_, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take(fd, peer.host());
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED)
      continue;
    if (errno == EMFILE || errno == ENFILE) {
      // Give up the reserve to take one connection and end it: its client
      // learns at once, and the queue does not fill with the dead.
      counters_.out_of_files.fetch_add(1, std::memory_order_relaxed);
      ::close(reserve_fd_);
      const auto refused = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (refused >= 0)
        ::close(refused);
      reserve_fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      home.timers().arm(*this, home.now() + out_of_files_wait);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
      home.timers().arm(*this, home.now() + out_of_files_wait);
    }
    return;
  }
  // More may wait, and the edge has been used up.
  home.timers().arm(*this, home.now());
}

void listener::take(int fd, std::string remote) {
  if (counters_.connections.load(std::memory_order_relaxed)
      >= connections_max_) {
    counters_.refused_total.fetch_add(1, std::memory_order_relaxed);
    ::close(fd);
    return;
  }
  if (!admit(remote)) {
    ::close(fd);
    return;
  }
  counters_.accepted.fetch_add(1, std::memory_order_relaxed);
  counters_.connections.fetch_add(1, std::memory_order_relaxed);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (const auto ms = limits_.write_timeout.count(); ms > 0)
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(2 * ms));
  auto& home = *shards_[next_shard_++ % shards_.size()];
  home.post([this, &home, fd, remote = std::move(remote)] {
    auto tls = tls_ != nullptr ? tls_->accept(fd) : nullptr;
    // Never in the clear instead: without memory for TLS it ends here.
    if (tls_ != nullptr && !tls)
      ::shutdown(fd, SHUT_RDWR);
    std::make_shared<session>(home, *this, fd, remote, std::move(tls))->start();
  });
}

void listener_counters::count_closed(unsigned code) noexcept {
  const auto& known = counted_close_codes;
  const auto at = std::find(known.begin(), known.end(), code);
  const auto i = at == known.end() ? 0 : at - known.begin();
  closed[static_cast<std::size_t>(i)].fetch_add(1, std::memory_order_relaxed);
}

bool listener::admit(const std::string& remote) {
  const auto limit = limits_.max_connections_per_address;
  if (limit == 0)
    return true;
  const std::lock_guard lock(addresses_mutex_);
  auto& n = addresses_[remote];
  if (n >= limit && !is_trusted_proxy(remote)) {
    counters_.refused_address.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  ++n;
  return true;
}

void listener::released(const std::string& remote) {
  if (limits_.max_connections_per_address == 0)
    return;
  const std::lock_guard lock(addresses_mutex_);
  const auto i = addresses_.find(remote);
  if (i != addresses_.end() && --i->second == 0)
    addresses_.erase(i);
}

} // namespace vartalap::net
