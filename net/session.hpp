#pragma once

#include "net/client_info.hpp"
#include "net/cork_stream.hpp"
#include "net/http_message.hpp"
#include "net/timer_wheel.hpp"

#include <boost/beast/websocket/stream.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vartalap::net {

class listener;
class session;

/// What a WebSocket session tells whoever serves it. All on the shard's
/// thread. After `on_closed` nothing more comes.
class session_events {
public:
  /// One whole frame. `payload` is valid during the call only.
  virtual void on_frame(std::string_view payload, bool text) = 0;

  /// What one read of the socket brought has been handled.
  virtual void on_run_end() = 0;

  /// The answer to a ping with this payload.
  virtual void on_pong(std::string_view payload) = 0;

  /// Output went out; `session::output_empty` tells whether all of it.
  virtual void on_output() = 0;

  /// The connection is over: the close code received or sent, 0 for none.
  virtual void on_closed(unsigned code) = 0;

protected:
  ~session_events() = default;
};

/// Close codes of protocol.md, section 3.
namespace close_code {
inline constexpr unsigned normal = 1000;
inline constexpr unsigned going_away = 1001;
inline constexpr unsigned protocol_error = 1002;
inline constexpr unsigned wrong_kind = 1003;
inline constexpr unsigned bad_utf8 = 1007;
inline constexpr unsigned policy = 1008;
inline constexpr unsigned too_big = 1009;
inline constexpr unsigned try_later = 1013;
inline constexpr unsigned token_expired = 4001;
inline constexpr unsigned undelivered = 4008;
inline constexpr unsigned replaced = 4009;
inline constexpr unsigned flood = 4029;
} // namespace close_code

/// One TCP connection of a client: first an HTTP request, then, if that was
/// an upgrade, a WebSocket. Owns itself through pending operations and dies
/// when the last one completes.
///
///   request --plain HTTP--> answering --> closed
///      `----upgrade-------> open --close()/peer--> closing --> closed
///
/// Where the gateway wants the WebSocket on another shard, a new session
/// there takes over the socket between request and upgrade.
///
/// Belongs to its shard's thread. Limits and timeouts are those of
/// `limit_options`; nothing it holds grows beyond them.
class session final : public std::enable_shared_from_this<session>,
                      private timer_node,
                      private cork_stream::observer {
public:
  session(shard& home, listener& from, int fd, std::string remote, tls_ptr tls);
  ~session() override;

  /// Starts reading the request.
  void start();

  /// Who hears of frames; set when the gateway gets the open session. Null:
  /// nobody any more.
  void set_events(session_events* events) noexcept {
    events_ = events;
  }

  /// Queues a frame for the end of this turn. Closes the session (1013) if
  /// its output would be over `output_bytes`; a frame alone always fits.
  /// No-op unless open.
  void send(std::string_view payload, bool text);

  /// Sends a ping (at most 125 bytes of payload). Its pong does not count as a
  /// control frame.
  void ping(std::string_view payload);

  /// Sends a close frame and ends the connection once the peer has answered,
  /// two seconds at most. `on_closed` follows.
  /// @param retry_after_ms Goes into the reason where it is not negative.
  void close(unsigned code, std::string_view reason,
             std::int64_t retry_after_ms = -1);

  /// Stops taking frames off the socket, and goes on.
  void pause_reading();
  void resume_reading();

  bool is_open() const noexcept {
    return state_ == state::open;
  }
  /// Bytes that the socket has not taken yet.
  std::size_t output_size() const noexcept {
    return ws_.next_layer().output_size();
  }
  bool output_empty() const noexcept {
    return ws_.next_layer().output_size() == 0;
  }
  shard& home() noexcept {
    return home_;
  }
  const std::string& remote() const noexcept {
    return remote_;
  }

private:
  enum class state : std::uint8_t {
    request,
    answering,
    open,
    closing,
    closed,
  };
  struct http_phase;
  struct handover;

  // HTTP (session_http.cpp)
  void on_header(boost::beast::error_code ec);
  void on_body(boost::beast::error_code ec);
  void upgrade();
  void accept_upgrade(client_info client, const std::string& subprotocol);
  void move_to(shard& to, client_info client, const std::string& subprotocol);
  void take_over(handover& from);
  void serve_http();
  void answer(http_response response);
  std::shared_ptr<http_request> take_request();

  // WebSocket (session.cpp)
  void on_accepted(boost::beast::error_code ec, client_info client);
  void do_read();
  void on_read(boost::beast::error_code ec, std::size_t n);
  void on_control(boost::beast::websocket::frame_type kind,
                  std::string_view payload);
  void write_frame(unsigned opcode, std::string_view payload);
  void finish(unsigned code);
  unsigned code_of(boost::beast::error_code ec) const;

  void on_timer(core::mono_time now) override;
  void arm_next(core::mono_time now);
  void on_output(boost::beast::error_code ec) override;
  void on_input_end() override;

  shard& home_;
  listener& from_;
  std::string remote_;
  boost::beast::websocket::stream<cork_stream, false> ws_;
  std::unique_ptr<http_phase> http_;
  session_events* events_ = nullptr;
  std::string message_; ///< of a frame that did not come in one piece
  core::mono_time last_input_{};
  core::mono_time last_progress_{}; ///< output was empty or moved
  core::mono_time closing_by_{};
  std::uint64_t received_seen_ = 0;
  std::uint64_t taken_seen_ = 0;
  std::uint32_t control_frames_ = 0;
  std::uint32_t pongs_due_ = 0; ///< answers to pings of ours
  core::mono_time control_since_{};
  unsigned close_code_ = 0;
  state state_ = state::request;
  bool reading_ = false;
  bool paused_ = false;
  bool ping_sent_ = false;
  bool moved_ = false; ///< another session has the socket and is counted
};

} // namespace vartalap::net
