#include "net/ws_client.hpp"

#include "net/address.hpp"

#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <random>

namespace vartalap::net {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

namespace {

/// How long a peer may take to answer a close frame.
constexpr core::milliseconds close_wait{2000};

std::optional<socket_address> address_of(const std::string& host,
                                         std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return parse_address((v6 ? "[" + host + "]:" : host + ":")
                       + std::to_string(port));
}

/// A descriptor that is connecting, or -1.
int open_socket(const ws_client_options& options, std::string& problem) {
  const auto target = address_of(options.address, options.port);
  if (!target) {
    problem = "not a numeric address: " + options.address;
    return -1;
  }
  const int fd = ::socket(target->storage.ss_family,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    problem = std::string("socket: ") + std::strerror(errno);
    return -1;
  }
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const auto give_up = [&](const std::string& what) {
    problem = what + std::strerror(errno);
    ::close(fd);
    return -1;
  };
  if (!options.source.empty()) {
    const auto source = address_of(options.source, 0);
    if (!source) {
      ::close(fd);
      problem = "not a numeric address: " + options.source;
      return -1;
    }
    // Without this a bind takes a port that no other target may use.
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (::bind(fd, source->get(), source->size) != 0)
      return give_up("bind to " + options.source + ": ");
  }
  if (::connect(fd, target->get(), target->size) != 0 && errno != EINPROGRESS)
    return give_up("connect: ");
  return fd;
}

/// Masks hide frames from what sits between client and server; they need to
/// be hard to guess for a web page, not for a cryptographer.
std::uint32_t next_mask() {
  thread_local std::uint64_t state = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32 | device()) | 1U;
  }();
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<std::uint32_t>(state >> 16);
}

void apply_mask(char* bytes, std::size_t size, std::uint32_t mask) {
  const auto wide = std::uint64_t{mask} << 32 | mask;
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, 8);
    word ^= wide;
    std::memcpy(bytes + i, &word, 8);
  }
  std::array<char, 4> key{};
  std::memcpy(key.data(), &mask, 4);
  for (; i < size; ++i)
    bytes[i] = static_cast<char>(bytes[i] ^ key[i % 4]);
}

} // namespace

/// What is needed only until the connection is open.
struct ws_client::handshake_phase {
  websocket::response_type response;
  std::string host;
  std::string target;
  std::string subprotocol;
  std::vector<std::pair<std::string, std::string>> headers;
};

std::shared_ptr<ws_client>
ws_client::connect(shard& home, const ws_client_options& options,
                   ws_client_events& events, std::string& problem) {
  const int fd = open_socket(options, problem);
  if (fd < 0)
    return nullptr;
  std::shared_ptr<ws_client> result(new ws_client(home, fd, options, events));
  result->start(options);
  return result;
}

ws_client::ws_client(shard& home, int fd, const ws_client_options& options,
                     ws_client_events& events)
  : home_(home), events_(&events), ws_(home, fd), silence_(options.silence) {
  ws_.next_layer().observe(this);
}

ws_client::~ws_client() {
  ws_.next_layer().observe(nullptr);
}

void ws_client::start(const ws_client_options& options) {
  handshake_ = std::make_unique<handshake_phase>();
  auto& phase = *handshake_;
  const bool v6 = options.address.find(':') != std::string::npos;
  phase.host = (v6 ? "[" + options.address + "]" : options.address) + ":"
               + std::to_string(options.port);
  phase.target = options.target;
  phase.subprotocol = options.subprotocol;
  phase.headers = options.headers;
  ws_.read_message_max(options.frame_bytes_max);
  ws_.auto_fragment(false);
  ws_.set_option(websocket::stream_base::decorator(
    [&phase](websocket::request_type& request) {
      for (const auto& [name, value] : phase.headers)
        request.set(name, value);
      if (!phase.subprotocol.empty())
        request.set(beast::http::field::sec_websocket_protocol,
                    phase.subprotocol);
    }));
  home_.timers().arm(*this, home_.now() + options.handshake_timeout);
  // A send before the connection stands "would block", and the cork keeps it.
  ws_.async_handshake(phase.response, phase.host, phase.target,
                      [self = shared_from_this()](beast::error_code ec) {
                        self->on_handshake(ec);
                      });
}

void ws_client::on_handshake(beast::error_code ec) {
  if (state_ != state::connecting)
    return;
  if (ec) {
    const auto status = ec == websocket::error::upgrade_declined
                          ? handshake_->response.result_int()
                          : 0U;
    return fail(status, status != 0
                          ? "refused with HTTP status " + std::to_string(status)
                          : ec.message());
  }
  const auto agreed
    = handshake_->response[beast::http::field::sec_websocket_protocol];
  if (std::string_view(agreed.data(), agreed.size()) != handshake_->subprotocol)
    return fail(0, "the server did not agree to the subprotocol");
  ws_.set_option(
    websocket::stream_base::decorator([](websocket::request_type&) {}));
  handshake_.reset();
  state_ = state::open;
  last_input_ = home_.now();
  if (silence_.count() > 0)
    home_.timers().arm(*this, last_input_ + silence_);
  else
    home_.timers().cancel(*this);
  ws_.control_callback([this](websocket::frame_type, beast::string_view) {
    last_input_ = home_.now();
  });
  if (events_ != nullptr)
    events_->on_open();
  do_read();
}

void ws_client::do_read() {
  if (reading_ || paused_ || state_ == state::closed)
    return;
  reading_ = true;
  ws_.async_read_some(
    boost::asio::buffer(home_.payload_scratch(), shard::scratch_size),
    [self = shared_from_this()](beast::error_code ec, std::size_t n) {
      self->on_read(ec, n);
    });
}

void ws_client::on_read(beast::error_code ec, std::size_t n) {
  reading_ = false;
  if (ec)
    return finish(close_code_ != 0 || ec != websocket::error::closed
                    ? close_code_
                    : static_cast<unsigned>(ws_.reason().code));
  last_input_ = home_.now();
  pinged_ = false;
  const std::string_view part(home_.payload_scratch(), n);
  if (!ws_.is_message_done()) {
    message_.append(part);
    return do_read();
  }
  if (events_ != nullptr && state_ == state::open) {
    if (message_.empty()) {
      events_->on_frame(part, ws_.got_text());
    } else {
      message_.append(part);
      events_->on_frame(message_, ws_.got_text());
    }
  }
  if (!message_.empty())
    std::string().swap(message_);
  do_read();
}

void ws_client::on_input_end() {
  if (events_ != nullptr && state_ == state::open)
    events_->on_run_end();
}

void ws_client::write_frame(unsigned opcode, std::string_view payload) {
  auto& out = ws_.next_layer().output();
  std::array<char, 14> header{};
  header[0] = static_cast<char>(0x80U | opcode);
  std::size_t size = 2;
  const auto length = payload.size();
  if (length < 126) {
    header[1] = static_cast<char>(0x80U | length);
  } else if (length < 65536) {
    header[1] = static_cast<char>(0x80U | 126U);
    header[2] = static_cast<char>(length >> 8);
    header[3] = static_cast<char>(length & 0xff);
    size = 4;
  } else {
    header[1] = static_cast<char>(0x80U | 127U);
    for (unsigned i = 0; i < 8; ++i)
      header[2 + i] = static_cast<char>(length >> (8 * (7 - i)) & 0xff);
    size = 10;
  }
  const auto mask = next_mask();
  std::memcpy(header.data() + size, &mask, 4);
  out.append(header.data(), size + 4);
  out.append(payload);
  apply_mask(out.data() + out.size() - length, length, mask);
  ws_.next_layer().touched();
}

void ws_client::send(std::string_view payload, bool text) {
  if (state_ == state::open)
    write_frame(text ? 1 : 2, payload);
}

void ws_client::ping(std::string_view payload) {
  if (state_ == state::open)
    write_frame(9, payload.substr(0, 125));
}

void ws_client::close(unsigned code, std::string_view reason) {
  if (state_ != state::open)
    return;
  state_ = state::closing;
  close_code_ = code;
  websocket::close_reason why;
  why.code = static_cast<std::uint16_t>(code);
  // Not assign(pointer, size): in Boost 1.74 that leaves it empty.
  why.reason = beast::string_view(reason.data(),
                                  std::min<std::size_t>(reason.size(), 120));
  home_.timers().arm(*this, home_.now() + close_wait);
  ws_.async_close(why, [self = shared_from_this()](beast::error_code) {
    self->finish(self->close_code_);
  });
}

void ws_client::abort(bool reset) {
  events_ = nullptr;
  if (state_ == state::closed)
    return;
  if (reset && ws_.next_layer().is_open()) {
    ::linger hard{1, 0};
    ::setsockopt(ws_.next_layer().native_handle(), SOL_SOCKET, SO_LINGER, &hard,
                 sizeof hard);
  }
  shut();
}

void ws_client::pause_reading() {
  paused_ = true;
}

void ws_client::resume_reading() {
  if (!paused_)
    return;
  paused_ = false;
  last_input_ = home_.now();
  // In a task of its own: Beast fills the shard's scratch memory at once but
  // completes later, and the reads of two clients must not meet there.
  home_.post([self = shared_from_this()] {
    if (self->state_ == state::open)
      self->do_read();
  });
}

void ws_client::shut() {
  state_ = state::closed;
  home_.timers().cancel(*this);
  ws_.next_layer().close();
}

void ws_client::finish(unsigned code) {
  if (state_ == state::closed)
    return;
  shut();
  const auto& why = ws_.reason();
  if (auto* events = std::exchange(events_, nullptr); events != nullptr)
    events->on_closed(code, {why.reason.data(), why.reason.size()});
}

void ws_client::fail(unsigned http_status, std::string_view text) {
  // The text may live in what is about to go.
  const std::string kept(text);
  shut();
  if (auto* events = std::exchange(events_, nullptr); events != nullptr)
    events->on_failed(http_status, kept);
}

void ws_client::on_output(beast::error_code) {
  // A broken socket ends the pending read, and the connection with that.
}

void ws_client::on_timer(core::mono_time now) {
  const auto self = weak_from_this().lock();
  if (!self)
    return;
  if (state_ == state::connecting)
    return fail(0, "no answer to the handshake in time");
  if (state_ == state::closing)
    return finish(close_code_);
  const auto silent = now - last_input_;
  if (!paused_ && silent >= 2 * silence_)
    return finish(0);
  if (!paused_ && silent >= silence_ && !pinged_) {
    pinged_ = true;
    ping({});
  }
  home_.timers().arm(*this, last_input_ + silence_ * (pinged_ ? 2 : 1) > now
                              ? last_input_ + silence_ * (pinged_ ? 2 : 1)
                              : now + silence_);
}

} // namespace vartalap::net
