#include "net/peer_tunnel_link.hpp"

#include "net/peer_tunnel_tls.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace vartalap::net {

namespace asio = boost::asio;

peer_tunnel_link::peer_tunnel_link(asio::io_context& io,
                                   const tunnel_settings& settings,
                                   context_pointer context, observer& tunnel,
                                   tunnel_counters& counters)
  : settings_(settings), context_(std::move(context)), tunnel_(tunnel),
    counters_(counters), socket_(io), local_(io), timer_(io),
    in_(peer_handshake::header_bytes + peer_handshake::body_bytes_max),
    frames_(settings.frame_bytes_max) {
}

template <class Done>
auto peer_tunnel_link::guarded(const char* doing, Done then,
                               tunnel_fault fault) {
  return [self = shared_from_this(), doing, fault,
          then = std::move(then)](error_code ec, auto... results) {
    if (self->ended_)
      return;
    if (!ec)
      then(results...);
    else
      self->fail(fault, doing, ec);
  };
}

void peer_tunnel_link::fail(tunnel_fault fault, const char* doing,
                            error_code why) {
  std::string text;
  if (tls_ && why.category() == asio::error::get_ssl_category()) {
    fault = tunnel_fault::tls;
    text = certificate_problem(tls_->native_handle());
  }
  if (text.empty())
    text = why == asio::error::eof ? "closed by the other side" : why.message();
  end(fault, std::string(doing) + ": " + text);
}

void peer_tunnel_link::dial(const std::string& peer,
                            const socket_address& address) {
  dialed_ = true;
  peer_ = peer;
  limit_time(settings_.connect_timeout, tunnel_fault::unreachable,
             "nobody answers at that address");
  tcp::endpoint where;
  std::memcpy(where.data(), address.get(), address.size);
  socket_.async_connect(where, guarded(
                                 "cannot connect", [this] { secure(); },
                                 tunnel_fault::unreachable));
}

void peer_tunnel_link::accept(tcp::socket socket) {
  socket_ = std::move(socket);
  secure();
}

void peer_tunnel_link::end(tunnel_fault fault, const std::string& why) {
  if (std::exchange(ended_, true))
    return;
  // The pending operations keep this alive until each has been told.
  const auto self = shared_from_this();
  error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
  local_.close(ignored);
  tunnel_.link_ended(*this, fault, why);
}

void peer_tunnel_link::limit_time(core::milliseconds limit, tunnel_fault fault,
                                  std::string why) {
  timer_.expires_after(limit);
  timer_.async_wait(
    [self = shared_from_this(), fault, why = std::move(why)](error_code ec) {
      if (!ec && !self->authenticated_)
        self->end(fault, why);
    });
}

void peer_tunnel_link::prepare_socket() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  const auto limit
    = static_cast<unsigned>(settings_.unacknowledged_max.count());
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit,
               sizeof limit);
}

void peer_tunnel_link::secure() {
  prepare_socket();
  limit_time(settings_.handshake_timeout, tunnel_fault::timeout,
             "the handshake takes too long");
  if (!context_) {
    prove();
    return;
  }
  tls_.emplace(socket_, *context_);
  tls_->async_handshake(dialed_ ? asio::ssl::stream_base::client
                                : asio::ssl::stream_base::server,
                        guarded("TLS", [this] { prove(); }));
}

std::string peer_tunnel_link::check_name(const std::string& name) {
  if (!tls_)
    return {};
  const auto names = certified_names(tls_->native_handle());
  if (std::find(names.begin(), names.end(), name) != names.end())
    return {};
  std::string shown;
  for (const auto& each : names)
    shown += (shown.empty() ? "" : ", ") + each;
  return "its certificate is not for " + name + " but for "
         + (shown.empty() ? "nobody" : shown) + ": give it one made with "
         + "`vartalap certs node " + name + "`";
}

void peer_tunnel_link::prove() {
  if (dialed_)
    if (const auto problem = check_name(peer_); !problem.empty()) {
      end(tunnel_fault::name, problem);
      return;
    }
  auto key = tls_ ? session_key(tls_->native_handle()) : settings_.secret;
  if (key.empty()) {
    end(tunnel_fault::tls, "there is no key to prove anything with");
    return;
  }
  handshake_.emplace(
    dialed_ ? peer_handshake::role::dialer : peer_handshake::role::acceptor,
    settings_.me, peer_, std::move(key), [this](const std::string& name) {
      auto problem = tunnel_.refuses(name);
      return problem.empty() ? check_name(name) : problem;
    });
  if (!dialed_) {
    read_frame();
    return;
  }
  const auto hello = handshake_->begin();
  out_.assign(hello.begin(), hello.end());
  write_all(out_.data(), out_.size(), [this](std::size_t) { read_frame(); });
}

void peer_tunnel_link::read_frame() {
  read_exactly(peer_handshake::header_bytes, [this](std::size_t bytes) {
    const auto size = handshake_->on_header({in_.data(), bytes});
    if (!size) {
      end(tunnel_fault::protocol,
          "what it says is no handshake of a vartalap node");
      return;
    }
    read_exactly(*size, [this](std::size_t body) {
      on_frame({in_.data(), body});
    });
  });
}

void peer_tunnel_link::on_frame(std::string_view body) {
  auto next = handshake_->on_body(body);
  auto proceed = [this, done = next.done, fault = next.fault,
                  problem = next.problem](std::size_t) {
    if (!problem.empty())
      end(fault, problem);
    else if (done)
      splice();
    else
      read_frame();
  };
  if (next.send.empty()) {
    proceed(0);
    return;
  }
  out_.assign(next.send.begin(), next.send.end());
  write_all(out_.data(), out_.size(), std::move(proceed));
}

void peer_tunnel_link::splice() {
  peer_ = handshake_->peer();
  handshake_.reset();
  authenticated_ = true;
  timer_.cancel();
  const int fd = tunnel_.local_end_of(*this);
  if (ended_)
    return;
  if (fd < 0) {
    end(tunnel_fault::closed, "this node has no place for it now");
    return;
  }
  error_code ec;
  local_.assign(asio::local::stream_protocol(), fd, ec);
  if (ec) {
    ::close(fd);
    end(tunnel_fault::closed,
        "the local socket cannot be used: " + ec.message());
    return;
  }
  in_.resize(settings_.buffer_bytes);
  out_.resize(settings_.buffer_bytes);
  pump_in();
  pump_out();
}

void peer_tunnel_link::pump_in() {
  // One buffer, filled and emptied in turn: while the local side takes
  // nothing, nothing is read from the peer.
  read_some([this](std::size_t bytes) {
    counters_.bytes_in += bytes;
    if (!frames_.feed({in_.data(), bytes})) {
      ++counters_.oversize;
      end(tunnel_fault::protocol, "it sends a frame of more than "
                                    + std::to_string(settings_.frame_bytes_max)
                                    + " bytes");
      return;
    }
    asio::async_write(
      local_, asio::buffer(in_.data(), bytes),
      guarded("the local end is gone", [this](std::size_t) { pump_in(); }));
  });
}

void peer_tunnel_link::pump_out() {
  local_.async_read_some(
    asio::buffer(out_), guarded("the local end is gone", [this](std::size_t n) {
      counters_.bytes_out += n;
      write_all(out_.data(), n, [this](std::size_t) { pump_out(); });
    }));
}

void peer_tunnel_link::read_exactly(std::size_t bytes, continuation then) {
  const auto into = asio::buffer(in_.data(), bytes);
  if (tls_)
    asio::async_read(*tls_, into, guarded("reading", std::move(then)));
  else
    asio::async_read(socket_, into, guarded("reading", std::move(then)));
}

void peer_tunnel_link::read_some(continuation then) {
  if (tls_)
    tls_->async_read_some(asio::buffer(in_),
                          guarded("reading", std::move(then)));
  else
    socket_.async_read_some(asio::buffer(in_),
                            guarded("reading", std::move(then)));
}

void peer_tunnel_link::write_all(const char* data, std::size_t bytes,
                                 continuation then) {
  const auto from = asio::buffer(data, bytes);
  if (tls_)
    asio::async_write(*tls_, from, guarded("writing", std::move(then)));
  else
    asio::async_write(socket_, from, guarded("writing", std::move(then)));
}

} // namespace vartalap::net
