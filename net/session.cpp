#include "net/session.hpp"

#include "net/listener.hpp"
#include "net/session_http_phase.hpp"

#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace vartalap::net {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

namespace {

/// How long a peer may take to answer a close frame, and an answered HTTP
/// client to close its side.
constexpr core::milliseconds close_wait{2000};

/// Room for a frame's own bytes beside its content.
constexpr std::size_t frame_overhead = 16 * core::KiB;

/// A socket that takes nothing is looked at this often.
constexpr core::milliseconds write_check{1000};

} // namespace

session::session(shard& home, listener& from, int fd, std::string remote,
                 tls_ptr tls)
  : home_(home), from_(from), remote_(std::move(remote)),
    ws_(home, fd, std::move(tls)) {
  ws_.next_layer().observe(this);
}

session::~session() {
  ws_.next_layer().observe(nullptr);
  if (moved_)
    return;
  from_.counters().connections.fetch_sub(1, std::memory_order_relaxed);
  from_.released(remote_);
}

void session::on_accepted(beast::error_code ec, client_info client) {
  if (ec || state_ != state::answering)
    return finish(0);
  http_.reset();
  state_ = state::open;
  last_input_ = last_progress_ = control_since_ = home_.now();
  const auto content = from_.limits().max_content_bytes;
  ws_.read_message_max(content == 0 ? 0 : content + frame_overhead);
  ws_.auto_fragment(false);
  ws_.control_callback(
    [this](websocket::frame_type kind, beast::string_view payload) {
      on_control(kind, {payload.data(), payload.size()});
    });
  from_.counters().upgraded.fetch_add(1, std::memory_order_relaxed);
  from_.to().websocket_opened(shared_from_this(), std::move(client));
  arm_next(home_.now());
  do_read();
}

void session::do_read() {
  if (reading_ || state_ == state::closed)
    return;
  if (paused_)
    // The run ends here, with what it has gathered: whoever paused waits for
    // answers to just that.
    return on_input_end();
  reading_ = true;
  ws_.async_read_some(
    boost::asio::buffer(home_.payload_scratch(), shard::scratch_size),
    [self = shared_from_this()](beast::error_code ec, std::size_t n) {
      self->on_read(ec, n);
    });
}

void session::on_read(beast::error_code ec, std::size_t n) {
  reading_ = false;
  if (ec)
    return finish(code_of(ec));
  last_input_ = home_.now();
  ping_sent_ = false;
  const std::string_view part(home_.payload_scratch(), n);
  if (!ws_.is_message_done()) {
    message_.append(part);
    return do_read();
  }
  if (events_ != nullptr && state_ == state::open) {
    from_.counters().frames_in.fetch_add(1, std::memory_order_relaxed);
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

void session::on_input_end() {
  if (events_ != nullptr)
    events_->on_run_end();
}

void session::on_control(websocket::frame_type kind, std::string_view payload) {
  last_input_ = home_.now();
  ping_sent_ = false;
  if (kind == websocket::frame_type::pong && events_ != nullptr)
    events_->on_pong(payload);
  const auto limit = from_.limits().control_frames_per_second;
  if (kind == websocket::frame_type::close || limit == 0)
    return;
  if (kind == websocket::frame_type::pong && pongs_due_ > 0) {
    --pongs_due_;
    return;
  }
  if (home_.now() - control_since_ > core::milliseconds{1000}) {
    control_since_ = home_.now();
    control_frames_ = 0;
  }
  if (++control_frames_ > limit && state_ == state::open) {
    from_.counters().floods.fetch_add(1, std::memory_order_relaxed);
    // Not from inside Beast's read.
    home_.run_soon([self = shared_from_this()] {
      self->close(close_code::flood, "too many control frames", 5000);
    });
  }
}

void session::write_frame(unsigned opcode, std::string_view payload) {
  // Whole frames, unmasked and unfragmented, straight into the corked
  // buffer. Beast appends its control frames there too, each in one piece.
  auto& out = ws_.next_layer().output();
  std::array<char, 10> header{};
  header[0] = static_cast<char>(0x80U | opcode);
  std::size_t size = 2;
  if (payload.size() < 126) {
    header[1] = static_cast<char>(payload.size());
  } else if (payload.size() < 65536) {
    header[1] = 126;
    header[2] = static_cast<char>(payload.size() >> 8);
    header[3] = static_cast<char>(payload.size() & 0xff);
    size = 4;
  } else {
    header[1] = 127;
    for (unsigned i = 0; i < 8; ++i)
      header[2 + i] = static_cast<char>(payload.size() >> (8 * (7 - i)) & 0xff);
    size = 10;
  }
  out.append(header.data(), size);
  out.append(payload);
  ws_.next_layer().touched();
}

void session::send(std::string_view payload, bool text) {
  if (state_ != state::open)
    return;
  const auto limit = from_.limits().output_bytes;
  if (limit != 0 && !output_empty() && output_size() + payload.size() > limit) {
    from_.counters().slow_consumers.fetch_add(1, std::memory_order_relaxed);
    return close(close_code::try_later, "output queue full", 1000);
  }
  from_.counters().frames_out.fetch_add(1, std::memory_order_relaxed);
  write_frame(text ? 1 : 2, payload);
}

void session::ping(std::string_view payload) {
  if (state_ != state::open)
    return;
  ++pongs_due_;
  write_frame(9, payload.substr(0, 125));
}

void session::close(unsigned code, std::string_view reason,
                    std::int64_t retry_after_ms) {
  if (state_ != state::open)
    return;
  state_ = state::closing;
  close_code_ = code;
  websocket::close_reason why;
  why.code = static_cast<std::uint16_t>(code);
  std::string text(reason.substr(0, 80));
  if (retry_after_ms >= 0)
    text += (text.empty() ? "retry_after_ms=" : " retry_after_ms=")
            + std::to_string(retry_after_ms);
  // Not assign(pointer, size): in Boost 1.74 that leaves it empty.
  why.reason = beast::string_view(text.data(), text.size());
  closing_by_ = home_.now() + close_wait;
  home_.timers().arm(*this, closing_by_);
  ws_.async_close(why, [self = shared_from_this()](beast::error_code) {
    self->finish(self->close_code_);
  });
}

void session::pause_reading() {
  paused_ = true;
}

void session::resume_reading() {
  if (!paused_)
    return;
  paused_ = false;
  last_input_ = home_.now();
  // In a task of its own: Beast fills the shard's scratch memory at once but
  // completes later, and the reads of two sessions must not meet there.
  home_.post([self = shared_from_this()] {
    if (self->state_ == state::open)
      self->do_read();
  });
}

unsigned session::code_of(beast::error_code ec) const {
  if (ec == websocket::error::closed) {
    const auto code = static_cast<unsigned>(ws_.reason().code);
    return close_code_ != 0 ? close_code_ : code;
  }
  if (ec == websocket::error::message_too_big
      || ec == websocket::error::buffer_overflow)
    return close_code::too_big;
  if (ec == websocket::error::bad_frame_payload)
    return close_code::bad_utf8;
  if (ec.category() == make_error_code(websocket::error::closed).category())
    return close_code::protocol_error;
  return close_code_;
}

void session::finish(unsigned code) {
  if (state_ == state::closed)
    return;
  if (state_ == state::open || (state_ == state::closing && !http_))
    from_.counters().count_closed(code);
  state_ = state::closed;
  home_.timers().cancel(*this);
  // Beast has written its close frame into the buffer where there is one;
  // closing sends what the socket still takes.
  // `http_` stays: a read that is pending writes into its buffer.
  ws_.next_layer().close();
  if (auto* events = std::exchange(events_, nullptr); events != nullptr)
    events->on_closed(code);
}

void session::on_output(beast::error_code ec) {
  auto& stream = ws_.next_layer();
  if (stream.taken_total() != taken_seen_ || stream.output_size() == 0) {
    taken_seen_ = stream.taken_total();
    last_progress_ = home_.now();
  }
  if (ec)
    return; // The pending read ends with it, and the session with that.
  if (stream.output_size() != 0 && state_ == state::open
      && (!armed() || deadline() > home_.now() + write_check))
    home_.timers().arm(*this, home_.now() + write_check);
  if (events_ != nullptr)
    events_->on_output();
}

void session::arm_next(core::mono_time now) {
  const auto& limits = from_.limits();
  auto next = core::mono_time::max();
  if (limits.ping_interval.count() > 0)
    next = std::max(last_input_ + limits.ping_interval * (ping_sent_ ? 2 : 1),
                    now + core::milliseconds{10});
  if (!output_empty())
    next = std::min(next, now + write_check);
  if (next != core::mono_time::max())
    home_.timers().arm(*this, next);
}

void session::on_timer(core::mono_time now) {
  const auto self = weak_from_this().lock();
  if (!self)
    return;
  auto& counters = from_.counters();
  const auto& limits = from_.limits();
  if (state_ != state::open) {
    if (state_ == state::request || state_ == state::answering)
      counters.timeouts.fetch_add(1, std::memory_order_relaxed);
    return finish(close_code_);
  }
  if (!output_empty() && limits.write_timeout.count() > 0
      && now - last_progress_ > limits.write_timeout) {
    counters.slow_consumers.fetch_add(1, std::memory_order_relaxed);
    close(close_code::try_later, "write timeout", 1000);
    // It does not read: its close frame would never leave.
    return finish(close_code::try_later);
  }
  // Whatever the socket brought is a sign of life; a paused one reads
  // nothing, so its silence says nothing.
  if (ws_.next_layer().received_total() != received_seen_ || paused_) {
    received_seen_ = ws_.next_layer().received_total();
    if (paused_)
      last_input_ = now;
  }
  const auto silent = now - last_input_;
  if (limits.ping_interval.count() > 0) {
    if (silent >= 2 * limits.ping_interval) {
      counters.timeouts.fetch_add(1, std::memory_order_relaxed);
      close_code_ = 0;
      return finish(0);
    }
    if (silent >= limits.ping_interval && !ping_sent_) {
      ping_sent_ = true;
      ping({});
    }
  }
  arm_next(now);
}

} // namespace vartalap::net
