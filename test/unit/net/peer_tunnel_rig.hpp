#pragma once

#include "net/address.hpp"
#include "net/peer_tunnel.hpp"

#include <catch2/catch.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

/// What the tests of the tunnel share.
namespace vartalap::test {

constexpr std::chrono::seconds soon{10};

/// Counts what it is told.
struct silent_log final : core::log_port {
  bool enabled(core::log_level) const noexcept override {
    return false;
  }
  void write(core::log_level level, std::string_view,
             std::string_view) override {
    if (level == core::log_level::warning)
      ++warnings;
  }

  std::atomic<std::size_t> warnings{0};
};

/// What comes from the tunnel's thread, in order.
template <class T>
class inbox {
public:
  void put(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }

  T take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, soon, [&] { return !values_.empty(); }))
      throw std::runtime_error("nothing came");
    auto value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

  bool empty() {
    const std::lock_guard lock(mutex_);
    return values_.empty();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
};

/// Closes a descriptor at the end; reads and writes with a time limit.
class end_of_pipe {
public:
  explicit end_of_pipe(int fd = -1) : fd_(fd) {
  }
  end_of_pipe(end_of_pipe&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {
  }
  end_of_pipe& operator=(end_of_pipe&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~end_of_pipe() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  bool ready(short what, std::chrono::milliseconds within) const {
    ::pollfd one{fd_, what, 0};
    return ::poll(&one, 1, static_cast<int>(within.count())) > 0;
  }

  /// Sends all; false: the connection ended or nobody took it in time.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      if (!ready(POLLOUT, soon))
        return false;
      const auto n
        = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0)
        return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Sends until nothing has been taken for `quiet`.
  /// @return How many bytes were taken.
  std::size_t send_all_it_takes(std::chrono::milliseconds quiet,
                                std::size_t most) const {
    const std::string block(64 * 1024, '\0');
    std::size_t sum = 0;
    while (sum < most && ready(POLLOUT, quiet)) {
      const auto n
        = ::send(fd_, block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0)
        break;
      sum += static_cast<std::size_t>(n);
    }
    return sum;
  }

  /// Reads `bytes` bytes; fewer where the connection ends before.
  std::string read(std::size_t bytes) const {
    std::string out;
    std::array<char, 64 * 1024> block{};
    while (out.size() < bytes) {
      if (!ready(POLLIN, soon))
        throw std::runtime_error("nothing to read");
      const auto n = ::recv(fd_, block.data(),
                            std::min(block.size(), bytes - out.size()), 0);
      if (n <= 0)
        break;
      out.append(block.data(), static_cast<std::size_t>(n));
    }
    return out;
  }

  /// All until the end.
  std::string read_all() const {
    return read(std::string::npos);
  }

private:
  int fd_;
};

/// A plain connection to a tunnel.
inline end_of_pipe connect_to(const std::string& address) {
  auto where = net::parse_address(address);
  REQUIRE(where);
  const int fd = ::socket(where->get()->sa_family, SOCK_STREAM, 0);
  REQUIRE(::connect(fd, where->get(), where->size) == 0);
  return end_of_pipe(fd);
}

inline net::tunnel_settings secret_settings(const std::string& name) {
  net::tunnel_settings settings;
  settings.me = name;
  settings.address = "127.0.0.1:0";
  settings.secret = "0123456789abcdef0123456789abcdef";
  settings.members = {"n1", "n2", "n3"};
  return settings;
}

/// A tunnel that listens, and what it tells.
class tunnel_end {
public:
  explicit tunnel_end(net::tunnel_settings settings)
    : tunnel(std::move(settings), log) {
    tunnel.on_ended([this](const std::string& peer, const std::string& why) {
      ended.put(peer + ": " + why);
    });
    tunnel.listen([this](const std::string& peer) {
      std::array<int, 2> pair{};
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data())
          != 0)
        return -1;
      joined.put({peer, end_of_pipe(pair[1])});
      return pair[0];
    });
    tunnel.start();
  }

  /// Dials; returns the local end, and sets `problem` if there is none.
  end_of_pipe dial(const std::string& peer, const std::string& address) {
    auto answer = std::make_shared<inbox<std::pair<int, std::string>>>();
    tunnel.dial(peer, address, [answer](int fd, std::string why) {
      answer->put({fd, std::move(why)});
    });
    auto [fd, why] = answer->take();
    problem = why;
    return end_of_pipe(fd);
  }

  bool reaches(const std::string& peer, const tunnel_end& other) {
    dial(peer, other.tunnel.address());
    return problem.empty();
  }

  silent_log log;
  inbox<std::pair<std::string, end_of_pipe>> joined;
  inbox<std::string> ended;
  std::string problem;
  net::peer_tunnel tunnel;
};

/// Waits until so many connections have been refused, which has no event.
/// @return True if they were for that reason.
inline bool refused_some(const net::peer_tunnel& by, net::tunnel_fault why,
                         std::size_t count) {
  const auto& refused = by.counters().refused;
  const auto until = std::chrono::steady_clock::now() + soon;
  while (refused.sum() < count && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  return refused.sum() == count && refused.of(why) == count;
}

inline bool refused_one(const net::peer_tunnel& by, net::tunnel_fault why) {
  return refused_some(by, why, 1);
}

/// A BASP header that announces so many bytes.
inline std::string basp_header(std::uint32_t payload) {
  std::string out(32, '\0');
  for (std::size_t i = 0; i < 4; ++i)
    out[4 + i] = static_cast<char>((payload >> (24 - 8 * i)) & 0xFF);
  return out;
}

} // namespace vartalap::test
