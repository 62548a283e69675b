#include "net/peer_tunnel_frames.hpp"

#include <algorithm>

namespace vartalap::net {

bool basp_frame_guard::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (payload_left_ != 0) {
      const auto skip = std::min(payload_left_, bytes.size());
      payload_left_ -= skip;
      bytes.remove_prefix(skip);
      continue;
    }
    if (in_header_ >= length_at && in_header_ < length_at + length_.size())
      length_[in_header_ - length_at] = static_cast<std::uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
    ++in_header_;
    if (in_header_ == length_at + length_.size()) {
      std::size_t length = 0;
      for (const auto byte : length_)
        length = (length << 8) | byte;
      if (length > payload_max_)
        return false;
    }
    if (in_header_ == header_bytes) {
      in_header_ = 0;
      for (const auto byte : length_)
        payload_left_ = (payload_left_ << 8) | byte;
    }
  }
  return true;
}

} // namespace vartalap::net
