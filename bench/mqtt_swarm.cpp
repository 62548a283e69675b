#include "bench/mqtt_swarm.hpp"

#include "bench/websocket_frame.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <system_error>

namespace vartalap::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t pending_max = 200; // handshakes under way at once
constexpr std::size_t users_per_address = 4000;
constexpr std::size_t frame_bytes_max = 1024 * 1024;
constexpr auto connect_timeout = 60s; // without any progress
constexpr std::uint16_t keep_alive_s = 600;

int checked(int result, const char* what) {
  if (result < 0)
    throw std::system_error(errno, std::generic_category(), what);
  return result;
}

std::string topic_of(std::size_t user) {
  return "u/" + std::to_string(user);
}

/// A socket connected from 127.0.0.2 or later: one source address has too few
/// ports for everybody.
int connect_from_own_address(std::size_t user, std::uint16_t port) {
  const int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         "socket (is the file limit too low?)");
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(
    INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(user / users_per_address));
  checked(bind(fd, reinterpret_cast<sockaddr*>(&source), sizeof source),
          "bind");
  sockaddr_in target = source;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons(port);
  checked(connect(fd, reinterpret_cast<sockaddr*>(&target), sizeof target),
          "connect");
  return fd;
}

} // namespace

mqtt_swarm::mqtt_swarm(std::uint16_t port, std::size_t users,
                       mqtt_events& events)
  : port_(port), events_(events), clients_(users) {
  epoll_ = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
}

mqtt_swarm::~mqtt_swarm() {
  for (const auto& c : clients_) {
    if (c.fd >= 0)
      ::close(c.fd);
  }
  ::close(epoll_);
}

void mqtt_swarm::connect(std::size_t first, std::size_t last,
                         subscription topic) {
  auto deadline = std::chrono::steady_clock::now() + connect_timeout;
  std::size_t next = first;
  while (next < last || pending_ > 0) {
    const std::size_t before = pending_;
    while (next < last && pending_ < pending_max)
      open(next++, topic);
    poll(deadline);
    if (pending_ != before)
      deadline = std::chrono::steady_clock::now() + connect_timeout;
    else if (std::chrono::steady_clock::now() >= deadline)
      throw std::runtime_error("the server does not take connections");
  }
}

void mqtt_swarm::open(std::size_t user, subscription topic) {
  auto& c = clients_[user];
  c.fd = connect_from_own_address(user, port_);
  c.now = state::handshake;
  c.topic = topic;
  ++pending_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = user;
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event), "epoll_ctl");
  c.out += "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
  mark_dirty(user);
}

void mqtt_swarm::disconnect(std::size_t first, std::size_t last) {
  for (std::size_t user = first; user < last; ++user) {
    if (clients_[user].now != state::ready)
      continue;
    write(user, [](std::string& out) { mqtt::append_disconnect(out); });
    clients_[user].now = state::leaving;
    ++pending_;
  }
  const auto deadline = std::chrono::steady_clock::now() + connect_timeout;
  while (pending_ > 0) {
    if (std::chrono::steady_clock::now() >= deadline)
      throw std::runtime_error("the server does not close connections");
    poll(deadline);
  }
}

void mqtt_swarm::publish(std::size_t sender, std::size_t recipient,
                         std::uint16_t packet_id, std::string_view payload) {
  write(sender, [&](std::string& out) {
    mqtt::append_publish(out, packet_id, topic_of(recipient), payload);
  });
}

void mqtt_swarm::poll(steady_time until) {
  flush();
  const auto left = std::max<std::chrono::nanoseconds>(
    until - std::chrono::steady_clock::now(), 0ns);
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(left / 1s);
  timeout.tv_nsec = static_cast<long>((left % 1s).count());
  std::array<epoll_event, 512> events{};
  const int count = epoll_pwait2(
    epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR)
    checked(count, "epoll_pwait2");
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const auto user = static_cast<std::size_t>(event.data.u64);
    if ((event.events & EPOLLOUT) != 0)
      mark_dirty(user);
    if ((event.events & ~EPOLLOUT) != 0)
      on_input(user);
  }
  flush();
}

void mqtt_swarm::on_input(std::size_t user) {
  auto& c = clients_[user];
  const ssize_t got
    = recv(c.fd, read_buffer_.data(), read_buffer_.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (got <= 0) {
    if (c.now != state::leaving)
      fail(user, "the server closed the connection");
    close(user);
    return;
  }
  const std::span<char> bytes(read_buffer_.data(),
                              static_cast<std::size_t>(got));
  if (c.in.empty()) {
    const auto used = static_cast<std::ptrdiff_t>(consume(user, bytes));
    c.in.assign(bytes.begin() + used, bytes.end());
  } else {
    c.in.append(bytes.data(), bytes.size());
    c.in.erase(0, consume(user, c.in));
  }
}

/// Handles whole frames of `bytes` and returns how many bytes those are.
std::size_t mqtt_swarm::consume(std::size_t user, std::span<char> bytes) {
  auto& c = clients_[user];
  std::size_t used = 0;
  if (c.now == state::handshake) {
    const std::string_view text(bytes.data(), bytes.size());
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos)
      return 0;
    if (!text.starts_with("HTTP/1.1 101 "))
      fail(user, "no WebSocket: " + std::string(text.substr(0, 60)));
    used = end + 4;
    c.now = state::connecting;
    write(user, [&](std::string& out) {
      mqtt::append_connect(out, "u" + std::to_string(user), keep_alive_s);
    });
  }
  ws_frame frame;
  for (;;) {
    switch (parse_frame(bytes, used, frame, frame_bytes_max)) {
      case ws_parse::incomplete:
        return used;
      case ws_parse::broken:
        fail(user, "broken frame");
      case ws_parse::frame:
        break;
    }
    if (frame.opcode == ws_opcode::binary
        || frame.opcode == ws_opcode::continuation)
      on_payload(user, frame.payload);
    else if (frame.opcode == ws_opcode::close && c.now != state::leaving)
      fail(user, "the server sent a close frame");
  }
}

/// MQTT packets need not begin where frames do.
void mqtt_swarm::on_payload(std::size_t user, std::string_view payload) {
  auto& c = clients_[user];
  if (c.packets.empty()) {
    c.packets = payload.substr(consume_packets(user, payload));
  } else {
    c.packets += payload;
    c.packets.erase(0, consume_packets(user, c.packets));
  }
}

std::size_t mqtt_swarm::consume_packets(std::size_t user,
                                        std::string_view bytes) {
  std::size_t used = 0;
  mqtt::packet packet;
  for (;;) {
    switch (mqtt::read_packet(bytes, used, packet)) {
      case mqtt::read_result::incomplete:
        return used;
      case mqtt::read_result::broken:
        fail(user, "unexpected MQTT packet");
      case mqtt::read_result::packet:
        on_packet(user, packet);
    }
  }
}

void mqtt_swarm::on_packet(std::size_t user, const mqtt::packet& packet) {
  auto& c = clients_[user];
  const auto become_ready = [&] {
    c.now = state::ready;
    --pending_;
  };
  switch (packet.type) {
    case mqtt::packet_type::puback:
      events_.on_puback(user, packet.packet_id);
      return;
    case mqtt::packet_type::publish:
      write(user, [&](std::string& out) {
        mqtt::append_puback(out, packet.packet_id);
      });
      events_.on_publish(user, packet);
      return;
    case mqtt::packet_type::connack:
      if (packet.code != 0 || c.now != state::connecting)
        fail(user, "connection refused");
      if (c.topic == subscription::known) {
        become_ready();
        return;
      }
      c.now = state::subscribing;
      write(user, [&](std::string& out) {
        mqtt::append_subscribe(out, 1, topic_of(user));
      });
      return;
    case mqtt::packet_type::suback:
      if (packet.code > 2 || c.now != state::subscribing)
        fail(user, "subscription refused");
      become_ready();
      return;
    default:
      fail(user, "unexpected MQTT packet");
  }
}

void mqtt_swarm::close(std::size_t user) {
  auto& c = clients_[user];
  ::close(c.fd);
  const bool dirty = c.dirty;
  c = client{};
  c.dirty = dirty; // it is still in the list
  --pending_;
}

/// Appends what `append(std::string&)` builds as one binary frame.
template <class Append>
void mqtt_swarm::write(std::size_t user, Append append) {
  scratch_.clear();
  append(scratch_);
  auto& c = clients_[user];
  append_frame_header(c.out, ws_opcode::binary, scratch_.size(),
                      ws_side::client);
  c.out += scratch_;
  mark_dirty(user);
}

void mqtt_swarm::mark_dirty(std::size_t user) {
  if (clients_[user].dirty)
    return;
  clients_[user].dirty = true;
  dirty_.push_back(user);
}

void mqtt_swarm::flush() {
  for (const std::size_t user : dirty_) {
    clients_[user].dirty = false;
    if (clients_[user].fd >= 0)
      flush(user);
  }
  dirty_.clear();
}

void mqtt_swarm::flush(std::size_t user) {
  auto& c = clients_[user];
  if (!c.out.empty()) {
    const ssize_t sent
      = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
      if (c.now == state::leaving)
        return;
      fail(user, "the server closed the connection");
    }
    c.out.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  }
  const bool blocked = !c.out.empty();
  if (blocked == c.blocked)
    return;
  c.blocked = blocked;
  epoll_event event{};
  event.events = EPOLLIN;
  if (blocked)
    event.events |= EPOLLOUT;
  event.data.u64 = user;
  checked(epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event), "epoll_ctl");
}

void mqtt_swarm::fail(std::size_t user, const std::string& what) const {
  throw std::runtime_error("user " + std::to_string(user) + ": " + what);
}

} // namespace vartalap::bench
