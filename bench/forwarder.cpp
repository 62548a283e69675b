#include "bench/forwarder.hpp"

#include "bench/msgpack_view.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <system_error>

namespace vartalap::bench {

namespace {

constexpr std::size_t request_bytes_max = 8192;
constexpr std::size_t frame_bytes_max = 80 * 1024;
constexpr std::size_t output_bytes_max = 16 * 1024 * 1024;
constexpr std::size_t unacknowledged_max = std::size_t{1} << 18;
constexpr std::size_t message_elements = 8;
constexpr std::size_t message_id_bytes_max = 64;

int checked(int result, const char* what) {
  if (result < 0)
    throw std::system_error(errno, std::generic_category(), what);
  return result;
}

std::string accept_key(std::string_view client_key) {
  std::string text(client_key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  std::array<unsigned char, 32> base64{};
  std::vector<unsigned char> bytes(text.begin(), text.end());
  SHA1(bytes.data(), bytes.size(), digest.data());
  const int size
    = EVP_EncodeBlock(base64.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {base64.begin(), base64.begin() + size};
}

/// The user of `GET /v1.0/wss/?user=u12&…`, or of the header `user`. User names
/// of the load testers need no percent encoding.
std::string_view user_of(std::string_view head) {
  const auto line = head.substr(0, head.find("\r\n"));
  const auto target = line.substr(0, line.rfind(' '));
  std::size_t found = target.find("?user=");
  if (found == std::string_view::npos)
    found = target.find("&user=");
  if (found == std::string_view::npos)
    return http_header(head, "user");
  const auto value = target.substr(found + 6);
  return value.substr(0, value.find('&'));
}

std::string hex_id(std::uint64_t number) {
  std::string text(32, '0');
  for (std::size_t i = 31; number != 0; --i, number >>= 4)
    text[i] = "0123456789abcdef"[number & 0xFU];
  return text;
}

std::uint64_t wall_clock_ms() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
    duration_cast<milliseconds>(system_clock::now().time_since_epoch())
      .count());
}

void append_ws_frame(std::string& out, ws_opcode opcode,
                     std::string_view payload) {
  append_frame_header(out, opcode, payload.size(), ws_side::server);
  out.append(payload);
}

} // namespace

forwarder::forwarder(std::uint16_t port) : origins_(unacknowledged_max) {
  epoll_ = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  listener_ = checked(
    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  checked(bind(listener_, generic, sizeof address), "bind");
  checked(listen(listener_, SOMAXCONN), "listen");
  socklen_t size = sizeof address;
  checked(getsockname(listener_, generic, &size), "getsockname");
  port_ = ntohs(address.sin_port);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_;
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event), "epoll_ctl");
}

forwarder::~forwarder() {
  for (const auto& c : connections_) {
    if (c)
      ::close(c->fd);
  }
  ::close(listener_);
  ::close(epoll_);
}

void forwarder::run() {
  std::array<epoll_event, 512> events{};
  for (;;) {
    const int count
      = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR)
      checked(count, "epoll_wait");
    now_ms_ = wall_clock_ms();
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == listener_)
        accept_all();
      else
        on_event(event.data.fd, event.events);
    }
    flush_all();
  }
}

void forwarder::accept_all() {
  for (;;) {
    const int fd
      = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
      return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) < 0) {
      ::close(fd);
      continue;
    }
    const auto slot = static_cast<std::size_t>(fd);
    if (slot >= connections_.size())
      connections_.resize(slot + 1);
    connections_[slot] = std::make_unique<connection>();
    connections_[slot]->fd = fd;
    connections_[slot]->serial = ++serials_;
  }
}

void forwarder::on_event(int fd, std::uint32_t events) {
  connection* c = find(fd);
  if (c == nullptr)
    return;
  const bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
  if (readable && !read_some(*c)) {
    close(*c);
    return;
  }
  if ((events & EPOLLOUT) != 0)
    mark_dirty(*c);
}

/// One read of what the socket has; false: close the connection.
bool forwarder::read_some(connection& c) {
  const ssize_t got
    = recv(c.fd, read_buffer_.data(), read_buffer_.size(), MSG_DONTWAIT);
  if (got < 0)
    return errno == EAGAIN || errno == EINTR;
  if (got == 0 || c.closing)
    return false;
  std::span<char> bytes(read_buffer_.data(), static_cast<std::size_t>(got));
  std::size_t used = 0;
  if (c.in.empty()) {
    if (!consume(c, bytes, used))
      return false;
    c.in.assign(bytes.begin() + static_cast<std::ptrdiff_t>(used), bytes.end());
    return true;
  }
  c.in.append(bytes.data(), bytes.size());
  if (!consume(c, c.in, used))
    return false;
  c.in.erase(0, used);
  return true;
}

/// Handles whole requests and frames, `used` counts their bytes; false: close.
bool forwarder::consume(connection& c, std::span<char> bytes,
                        std::size_t& used) {
  if (!c.upgraded) {
    const std::string_view text(bytes.data(), bytes.size());
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos)
      return text.size() <= request_bytes_max;
    used = end + 4;
    if (!answer_http(c, text.substr(0, end + 2)))
      return false;
    if (!c.upgraded)
      return true;
  }
  ws_frame frame;
  for (;;) {
    switch (parse_frame(bytes, used, frame, frame_bytes_max)) {
      case ws_parse::incomplete:
        return true;
      case ws_parse::broken:
        return false;
      case ws_parse::frame:
        if (!on_frame(c, frame))
          return false;
    }
  }
}

bool forwarder::answer_http(connection& c, std::string_view head) {
  mark_dirty(c);
  const auto key = http_header(head, "Sec-WebSocket-Key");
  if (key.empty()) {
    const bool health = head.starts_with("GET /healthz ");
    c.out += health ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                    : "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    return true;
  }
  const auto user = user_of(head);
  if (user.empty()) {
    c.out += "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    c.closing = true;
    return true;
  }
  c.upgraded = true;
  c.user = user;
  fd_of_user_[c.user] = c.fd;
  c.out += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Accept: "
           + accept_key(key) + "\r\n";
  const auto offered = http_header(head, "Sec-WebSocket-Protocol");
  if (offered.find("vartalap.msgpack") != std::string_view::npos)
    c.out += "Sec-WebSocket-Protocol: vartalap.msgpack\r\n";
  c.out += "\r\n";
  return true;
}

bool forwarder::on_frame(connection& c, const ws_frame& frame) {
  if (!frame.final)
    return false;
  switch (frame.opcode) {
    case ws_opcode::binary:
      break;
    case ws_opcode::text:
      if (frame.payload == "ping") {
        append_ws_frame(c.out, ws_opcode::text, "pong");
        mark_dirty(c);
      }
      return true;
    case ws_opcode::ping:
      append_ws_frame(c.out, ws_opcode::pong, frame.payload);
      mark_dirty(c);
      return true;
    case ws_opcode::close:
      append_ws_frame(c.out, ws_opcode::close, frame.payload);
      c.closing = true;
      mark_dirty(c);
      return true;
    default:
      return frame.opcode == ws_opcode::pong;
  }
  auto body = frame.payload;
  const auto elements = msgpack_view::read_array(body);
  const auto type = msgpack_view::read_unsigned(body);
  if (!elements || !type)
    return false;
  if (*type == 2)
    return on_message(c, frame.payload);
  return *type != 1 || on_client_ack(body);
}

/// [2, id, to, channel, flags, content, timestamp, meta] becomes a delivery:
/// the same eight values, then from, serverId, serverTimestamp.
bool forwarder::on_message(connection& sender, std::string_view body) {
  const auto elements = msgpack_view::read_array(body);
  auto fields = body;
  msgpack_view::read_unsigned(fields);
  const auto id = msgpack_view::read_string(fields);
  const auto to = msgpack_view::read_string(fields);
  if (!elements || *elements < 3 || !id || !to
      || id->size() > message_id_bytes_max)
    return false;
  const auto known = fd_of_user_.find(std::string(*to));
  connection* recipient = known == fd_of_user_.end() ? nullptr
                                                     : find(known->second);
  scratch_.clear();
  if (recipient == nullptr) {
    msgpack_view::append_array(scratch_, 4);
    msgpack_view::append_unsigned(scratch_, 9);
    msgpack_view::append_string(scratch_, *id);
    msgpack_view::append_string(scratch_, "unavailable");
    msgpack_view::append_string(scratch_, "the recipient is not connected");
    append_ws_frame(sender.out, ws_opcode::binary, scratch_);
    mark_dirty(sender);
    return true;
  }
  const std::size_t copied = std::min<std::size_t>(*elements, message_elements);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < copied; ++i) {
    const auto size = msgpack_view::value_size(body.substr(bytes));
    if (!size)
      return false;
    bytes += *size;
  }
  const std::uint64_t number = ++messages_;
  msgpack_view::append_array(scratch_, message_elements + 3);
  scratch_.append(body.substr(0, bytes));
  for (std::size_t i = copied; i < message_elements; ++i)
    msgpack_view::append_nil(scratch_);
  msgpack_view::append_string(scratch_, sender.user);
  msgpack_view::append_string(scratch_, hex_id(number));
  msgpack_view::append_unsigned(scratch_, now_ms_);
  append_ws_frame(recipient->out, ws_opcode::binary, scratch_);
  mark_dirty(*recipient);
  auto& from = origins_[number % origins_.size()];
  from.number = number;
  from.sender_serial = sender.serial;
  from.sender_fd = sender.fd;
  from.message_id = *id;
  return true;
}

bool forwarder::on_client_ack(std::string_view body) {
  const auto count = msgpack_view::read_array(body);
  if (!count)
    return false;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto server_id = msgpack_view::read_string(body);
    if (!server_id)
      return false;
    confirm(*server_id);
  }
  return true;
}

/// [0, id, 1 (delivered), serverId, serverTimestamp, 0 (memory)]
void forwarder::confirm(std::string_view server_id) {
  std::uint64_t number = 0;
  const auto digits = server_id.substr(server_id.size() / 2);
  std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  auto& from = origins_[number % origins_.size()];
  if (number == 0 || from.number != number)
    return;
  from.number = 0;
  connection* sender = find(from.sender_fd);
  if (sender == nullptr || sender->serial != from.sender_serial)
    return;
  scratch_.clear();
  msgpack_view::append_array(scratch_, 6);
  msgpack_view::append_unsigned(scratch_, 0);
  msgpack_view::append_string(scratch_, from.message_id);
  msgpack_view::append_unsigned(scratch_, 1);
  msgpack_view::append_string(scratch_, server_id);
  msgpack_view::append_unsigned(scratch_, now_ms_);
  msgpack_view::append_unsigned(scratch_, 0);
  append_ws_frame(sender->out, ws_opcode::binary, scratch_);
  mark_dirty(*sender);
}

forwarder::connection* forwarder::find(int fd) noexcept {
  const auto slot = static_cast<std::size_t>(fd);
  return slot < connections_.size() ? connections_[slot].get() : nullptr;
}

void forwarder::mark_dirty(connection& c) {
  if (c.dirty)
    return;
  c.dirty = true;
  dirty_.push_back(c.fd);
}

void forwarder::flush_all() {
  for (const int fd : dirty_) {
    connection* c = find(fd);
    if (c == nullptr)
      continue;
    c->dirty = false;
    if (!flush(*c))
      close(*c);
  }
  dirty_.clear();
}

/// Sends what is gathered; false: close the connection.
bool forwarder::flush(connection& c) {
  if (!c.out.empty()) {
    const ssize_t sent
      = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
      return false;
    c.out.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  }
  if (c.out.empty() && c.closing)
    return false;
  if (c.out.size() > output_bytes_max)
    return false;
  const bool blocked = !c.out.empty();
  if (blocked != c.blocked) {
    c.blocked = blocked;
    epoll_event event{};
    event.events = EPOLLIN;
    if (blocked)
      event.events |= EPOLLOUT;
    event.data.fd = c.fd;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
  }
  return true;
}

void forwarder::close(connection& c) {
  const auto known = fd_of_user_.find(c.user);
  if (known != fd_of_user_.end() && known->second == c.fd)
    fd_of_user_.erase(known);
  ::close(c.fd);
  connections_[static_cast<std::size_t>(c.fd)].reset();
}

} // namespace vartalap::bench
