#pragma once

#include "core/units.hpp"
#include "net/cork_stream.hpp"
#include "net/timer_wheel.hpp"

#include <boost/beast/websocket/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vartalap::net {

/// What a WebSocket client tells its owner. All on the shard's thread. After
/// `on_closed` or `on_failed` nothing more comes.
class ws_client_events {
public:
  /// The handshake is done: frames may be sent.
  virtual void on_open() = 0;

  /// One whole frame. `payload` is valid during the call only.
  virtual void on_frame(std::string_view payload, bool text) = 0;

  /// What one read of the socket brought has been handled. Send what it asks
  /// for here, in one piece; destroy nothing here.
  virtual void on_run_end() = 0;

  /// An open connection is over. `code` is the close code that was received
  /// or sent, 0 for none (connection lost); `reason` the peer's text.
  virtual void on_closed(unsigned code, std::string_view reason) = 0;

  /// The connection never opened. `http_status` is that of a refused upgrade,
  /// 0 where no answer came; `text` says why.
  virtual void on_failed(unsigned http_status, std::string_view text) = 0;

protected:
  ~ws_client_events() = default;
};

/// Where and how to connect.
struct ws_client_options {
  /// Numeric IPv4 or IPv6 address, or "localhost" for 127.0.0.1.
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  /// Numeric address to connect from; empty leaves the choice to the kernel.
  /// The port is chosen at connect, so that many clients may share it.
  std::string source;
  /// Path and query.
  std::string target = "/v1.0/wss/";
  /// Offered in Sec-WebSocket-Protocol; empty offers none. A server that
  /// does not agree fails the handshake.
  std::string subprotocol;
  std::vector<std::pair<std::string, std::string>> headers;
  core::milliseconds handshake_timeout{10'000};
  /// A connection this long without input is pinged, and is over after twice
  /// this. 0: never.
  core::milliseconds silence{0};
  /// Longest frame that is accepted, in bytes.
  std::size_t frame_bytes_max = 1024 * core::KiB;
};

/// The client's side of one WebSocket on a shard. Writes masked frames
/// straight into the corked output; Beast does the handshake, reads, and
/// answers pings.
///
///   connecting --handshake--> open --close()/peer--> closing --> closed
///        `------- refused, timeout, lost, abort() ----------------^
///
/// Owns itself through pending operations; hold a shared_ptr to use it.
/// Belongs to its shard's thread. Output is not limited here: ask
/// `output_size` before sending much.
class ws_client final : public std::enable_shared_from_this<ws_client>,
                        private timer_node,
                        private cork_stream::observer {
public:
  /// Starts to connect; does not block.
  /// @param events Must outlive the connection or be taken back by `detach`.
  /// @returns Null and sets `problem` where no socket could be had or an
  ///          address is not numeric; then no event comes.
  static std::shared_ptr<ws_client>
  connect(shard& home, const ws_client_options& options,
          ws_client_events& events, std::string& problem);

  ~ws_client() override;

  /// Queues a frame for the end of this turn. No-op unless open.
  void send(std::string_view payload, bool text);

  /// Sends a ping (at most 125 bytes of payload). No-op unless open.
  void ping(std::string_view payload);

  /// Sends a close frame; `on_closed` follows when the peer has answered, two
  /// seconds later at most. No-op unless open.
  void close(unsigned code, std::string_view reason);

  /// Ends the connection at once without a close frame, as a process that
  /// dies does. `reset`: with a TCP reset, dropping what is unsent. No event
  /// follows.
  void abort(bool reset);

  /// Stops taking frames off the socket (at most one more comes), and goes
  /// on. A paused client answers no pings either.
  void pause_reading();
  void resume_reading();

  /// Nobody listens any more. The connection lives until it ends by itself.
  void detach() noexcept {
    events_ = nullptr;
  }

  bool is_open() const noexcept {
    return state_ == state::open;
  }
  /// Bytes that the socket has not taken yet.
  std::size_t output_size() const noexcept {
    return ws_.next_layer().output_size();
  }

private:
  enum class state : std::uint8_t { connecting, open, closing, closed };
  struct handshake_phase;

  ws_client(shard& home, int fd, const ws_client_options& options,
            ws_client_events& events);
  void start(const ws_client_options& options);
  void on_handshake(boost::beast::error_code ec);
  void do_read();
  void on_read(boost::beast::error_code ec, std::size_t n);
  void write_frame(unsigned opcode, std::string_view payload);
  void finish(unsigned code);
  void fail(unsigned http_status, std::string_view text);
  void shut();
  void on_timer(core::mono_time now) override;
  void on_output(boost::beast::error_code ec) override;
  void on_input_end() override;

  shard& home_;
  ws_client_events* events_;
  boost::beast::websocket::stream<cork_stream, false> ws_;
  std::unique_ptr<handshake_phase> handshake_;
  std::string message_; ///< of a frame that did not come in one piece
  core::milliseconds silence_;
  core::mono_time last_input_{};
  unsigned close_code_ = 0;
  state state_ = state::connecting;
  bool reading_ = false;
  bool paused_ = false;
  bool pinged_ = false;
};

} // namespace vartalap::net
