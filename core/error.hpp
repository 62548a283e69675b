#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vartalap::core {

/// Why a frame or message was refused. Names are the protocol's codes
/// (`to_string`); values are internal. The connection stays open.
enum class refusal : std::uint8_t {
  none = 0,
  bad_frame,     ///< Client error: cannot be understood; do not resend as is.
  too_large,     ///< Client error: content or meta over the limit.
  id_reused,     ///< Client error: other content under a known id.
  unknown_group, ///< Client error: no such group.
  not_a_member,  ///< Client error: the sender is not in the group.
  mailbox_full,  ///< Retryable later: the recipient's quota is used up.
  forbidden,     ///< Not allowed (blocked, too many devices).
  unavailable,   ///< Retryable: nobody can accept it now, or no room.
  rate_limited,  ///< HTTP only: 429.
};

/// How many values `refusal` has.
inline constexpr std::size_t refusal_count = 10;

/// The code as it stands in ERROR frames, e.g. "bad_frame".
std::string_view to_string(refusal code) noexcept;

/// True if the same request may succeed later without being changed.
constexpr bool is_retryable(refusal code) noexcept {
  return code == refusal::mailbox_full || code == refusal::unavailable
         || code == refusal::rate_limited;
}

} // namespace vartalap::core
