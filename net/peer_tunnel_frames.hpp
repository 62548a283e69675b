#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vartalap::net {

/// Follows the frames of the middleman's protocol (BASP 3) in a stream of
/// bytes: a header of 32 bytes, whose bytes 4 to 7 are the length of the
/// payload (big endian), then the payload. The middleman reserves and fills
/// whatever a header announces, so nobody else may see a length too great.
class basp_frame_guard {
public:
  static constexpr std::size_t header_bytes = 32;

  explicit basp_frame_guard(std::size_t payload_bytes_max)
    : payload_max_(payload_bytes_max) {
  }

  /// Looks at what comes next, cut anywhere.
  /// @return False: these bytes end the length of a payload that is too long;
  ///         pass none of them on.
  bool feed(std::string_view bytes);

private:
  static constexpr std::size_t length_at = 4;

  std::size_t payload_max_;
  std::size_t in_header_ = 0;    ///< bytes of the header that have come
  std::size_t payload_left_ = 0; ///< bytes of the payload to come
  std::array<std::uint8_t, length_at> length_{};
};

} // namespace vartalap::net
