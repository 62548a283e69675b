#pragma once

#include "test/integration/rig/tcp_stream.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::integration {

/// Opcodes of RFC 6455.
namespace opcode {
inline constexpr unsigned continuation = 0;
inline constexpr unsigned text = 1;
inline constexpr unsigned binary = 2;
inline constexpr unsigned close = 8;
inline constexpr unsigned ping = 9;
inline constexpr unsigned pong = 10;
} // namespace opcode

struct ws_frame {
  unsigned opcode = 0;
  std::string payload;
};

/// How a connection ended: code 0 where no close frame came.
struct ws_end {
  unsigned code = 0;
  std::string reason;
};

struct ws_options {
  std::string user{};
  std::string query{};                ///< without the question mark
  std::string subprotocol{};          ///< empty: none
  std::vector<std::string> headers{}; ///< whole lines
  std::string path = "/v1.0/wss/";
  int receive_buffer = 0;
};

/// The bytes of an upgrade request.
std::string upgrade_request(std::uint16_t port, const ws_options& options);

/// One frame as a client sends it.
struct frame_form {
  bool last = true;
  bool masked = true;
};
std::string make_frame(unsigned opcode, std::string_view payload,
                       frame_form form = {});

/// A WebSocket client that does exactly what it is told: it answers pings
/// (while something is received), and nothing else.
class ws_peer {
public:
  /// Connects and upgrades.
  /// @throws std::runtime_error where the answer is not 101.
  ws_peer(std::uint16_t port, const ws_options& options);

  bool send(std::string_view payload, unsigned kind = opcode::text);
  bool send_raw(std::string_view bytes);

  /// The next frame of any kind.
  /// @returns Nothing where none came in time or the connection has ended.
  std::optional<ws_frame> next(milliseconds limit = patience);

  /// The next text or binary frame.
  /// @throws std::runtime_error where none came.
  std::string next_message(milliseconds limit = patience);

  /// True if no message comes within `limit`: for proving an absence.
  bool is_silent(milliseconds limit);

  /// Reads until the connection ends; what comes before is dropped.
  /// @throws std::runtime_error where it does not end in time.
  ws_end wait_end(milliseconds limit = patience);

  /// Ends the connection without a close frame.
  void drop() noexcept {
    stream_.close();
  }

  tcp_stream& stream() noexcept {
    return stream_;
  }

  bool answers_pings = true;

private:
  bool take_frame(ws_frame& out);

  tcp_stream stream_;
  std::string input_;
  bool ended_ = false;
};

} // namespace vartalap::integration
