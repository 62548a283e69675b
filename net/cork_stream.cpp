#include "net/cork_stream.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace vartalap::net {

namespace {

boost::beast::error_code last_error() {
  return {errno, boost::system::system_category()};
}

/// Above this the output buffer is given back when it is empty: most
/// connections are idle most of the time.
constexpr std::size_t keep_capacity = 2048;

} // namespace

cork_stream::cork_stream(shard& home, int fd, tls_ptr tls)
  : home_(home), fd_(fd), tls_(std::move(tls)),
    // What TLS holds already is announced by no event.
    readable_(tls_ != nullptr), alive_(std::make_shared<cork_stream*>(this)) {
  if (!home_.watch(fd_, *this))
    error_ = last_error();
}

cork_stream::~cork_stream() {
  *alive_ = nullptr;
  if (dirty_)
    home_.forget_output(*this);
  if (fd_ >= 0) {
    home_.forget(fd_, *this);
    ::close(fd_);
  }
}

void cork_stream::append(std::string_view bytes) {
  out_.append(bytes);
  touched();
}

void cork_stream::touched() {
  if (!dirty_) {
    dirty_ = true;
    home_.flush_at_end(*this);
  }
}

void cork_stream::flush() {
  dirty_ = false;
  send_some();
}

ssize_t cork_stream::send_bytes() {
  const auto* from = out_.data() + out_at_;
  const auto size = out_.size() - out_at_;
  return tls_ ? tls_->send(from, size) : ::send(fd_, from, size, MSG_NOSIGNAL);
}

ssize_t cork_stream::receive_bytes() {
  return tls_ ? tls_->receive(home_.scratch(), shard::scratch_size)
              : ::recv(fd_, home_.scratch(), shard::scratch_size, 0);
}

void cork_stream::send_some() {
  if (fd_ < 0 || !writable_)
    return;
  const bool had_output = out_at_ < out_.size();
  while (out_at_ < out_.size()) {
    const auto n = send_bytes();
    if (n < 0) {
      if (errno == EINTR)
        continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        writable_ = false;
        break;
      }
      error_ = last_error();
      out_.clear();
      out_at_ = 0;
      if (waiting_)
        resume_soon();
      if (observer_ != nullptr)
        observer_->on_output(error_);
      return;
    }
    out_at_ += static_cast<std::size_t>(n);
    taken_ += static_cast<std::uint64_t>(n);
  }
  if (out_at_ == out_.size()) {
    out_.clear();
    out_at_ = 0;
    if (out_.capacity() > keep_capacity)
      std::string().swap(out_);
    if (shutdown_pending_) {
      if (tls_)
        tls_->finish();
      ::shutdown(fd_, SHUT_WR);
    }
  } else if (out_at_ > out_.size() / 2) {
    out_.erase(0, out_at_);
    out_at_ = 0;
  }
  if (had_output && observer_ != nullptr)
    observer_->on_output({});
}

void cork_stream::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && !writable_) {
    writable_ = true;
    touched();
  }
  // A handshake may wait for room, though it is a read that carries it on.
  if (tls_ && (events & EPOLLOUT) != 0)
    events |= EPOLLIN;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = true;
    hung_up_ = hung_up_ || (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
    if (waiting_)
      try_read();
  }
}

void cork_stream::on_shard_end() {
  close();
}

void cork_stream::resume_soon() {
  if (resuming_)
    return;
  resuming_ = true;
  home_.run_soon([alive = std::weak_ptr(alive_)] {
    const auto self = alive.lock();
    if (self && *self != nullptr) {
      (*self)->resuming_ = false;
      (*self)->try_read();
    }
  });
}

void cork_stream::try_read() {
  if (!waiting_)
    return;
  // Taken off first: the completion starts the next read, or destroys this.
  auto read = std::move(waiting_);
  const auto alive = alive_;
  if (read->try_finish(*this) || *alive == nullptr)
    return;
  if (error_)
    return read->fail(error_);
  waiting_ = std::move(read);
  // What looked readable was not: the run is over after all.
  if (observer_ != nullptr)
    observer_->on_input_end();
}

std::string_view cork_stream::take_input() {
  if (rest_at_ < rest_.size())
    return std::string_view(rest_).substr(rest_at_);
  if (fd_ < 0) {
    error_ = boost::asio::error::operation_aborted;
    return {};
  }
  if (error_ || !readable_)
    return {};
  for (;;) {
    const auto n = receive_bytes();
    if (n > 0) {
      // Less than asked for: the socket is empty, and epoll will tell when
      // that changes. No second call only to hear "would block"; but an end
      // that was announced already is not announced again. (Of TLS it is one
      // record, and says nothing.)
      if (static_cast<std::size_t>(n) < shard::scratch_size && !hung_up_
          && !tls_)
        readable_ = false;
      received_ += static_cast<std::uint64_t>(n);
      return {home_.scratch(), static_cast<std::size_t>(n)};
    }
    if (n == 0) {
      error_ = boost::asio::error::eof;
      return {};
    }
    if (errno == EINTR)
      continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      readable_ = false;
    else
      error_ = last_error();
    return {};
  }
}

void cork_stream::keep_input(std::string_view rest) {
  if (rest_at_ < rest_.size()) {
    rest_at_ = rest_.size() - rest.size();
    if (rest.empty()) {
      std::string().swap(rest_);
      rest_at_ = 0;
    }
    return;
  }
  rest_at_ = 0;
  rest_.assign(rest);
}

void cork_stream::close() {
  if (fd_ < 0)
    return;
  // Not `flush`: the shard's list may still name this stream.
  send_some();
  if (fd_ < 0)
    return;
  if (tls_)
    tls_->finish();
  home_.forget(fd_, *this);
  ::close(fd_);
  fd_ = -1;
  if (!error_)
    error_ = boost::asio::error::operation_aborted;
  rest_.clear();
  rest_at_ = 0;
  if (waiting_)
    resume_soon();
}

int cork_stream::release(tls_ptr& tls) noexcept {
  tls = std::move(tls_);
  if (fd_ >= 0)
    home_.forget(fd_, *this);
  return std::exchange(fd_, -1);
}

void cork_stream::shutdown_when_sent() {
  if (fd_ < 0)
    return;
  shutdown_pending_ = true;
  touched();
}

void beast_close_socket(cork_stream& stream) {
  stream.close();
}

void teardown(boost::beast::role_type, cork_stream& stream,
              boost::beast::error_code& ec) {
  ec = {};
  stream.close();
}

} // namespace vartalap::net
