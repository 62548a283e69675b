#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vartalap::bench {

/// WebSocket opcodes (RFC 6455, section 5.2).
enum class ws_opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

/// One frame; `payload` points into the buffer it was parsed from.
struct ws_frame {
  ws_opcode opcode = ws_opcode::binary;
  bool final = true;
  std::string_view payload;
};

/// What parse_frame() found.
enum class ws_parse {
  frame,      ///< A whole frame.
  incomplete, ///< Not yet all bytes of it.
  broken,     ///< Longer than allowed, or reserved bits set: give up.
};

/// Reads the frame that starts at `offset` of `input`. On ws_parse::frame a
/// masked payload has been unmasked in place, `frame` is set and `offset` is
/// behind it; otherwise nothing has changed.
/// @param payload_bytes_max Longer frames are broken.
ws_parse parse_frame(std::span<char> input, std::size_t& offset,
                     ws_frame& frame, std::size_t payload_bytes_max);

/// Who writes a frame: clients have to mask theirs.
enum class ws_side { client, server };

/// Appends the header of a final frame of `payload_bytes` to `out`; the caller
/// appends the payload itself, unchanged. A client's masking key is zero: it
/// costs the server the same work, and loopback has no proxy to protect.
void append_frame_header(std::string& out, ws_opcode opcode,
                         std::size_t payload_bytes, ws_side side);

/// Value of the HTTP header `name` (any case) in `head`, the bytes up to the
/// blank line; empty when it is not there.
std::string_view http_header(std::string_view head, std::string_view name);

} // namespace vartalap::bench
