#include "core/error.hpp"

namespace vartalap::core {

std::string_view to_string(refusal code) noexcept {
  switch (code) {
    case refusal::none:
      return "none";
    case refusal::bad_frame:
      return "bad_frame";
    case refusal::too_large:
      return "too_large";
    case refusal::id_reused:
      return "id_reused";
    case refusal::unknown_group:
      return "unknown_group";
    case refusal::not_a_member:
      return "not_a_member";
    case refusal::mailbox_full:
      return "mailbox_full";
    case refusal::forbidden:
      return "forbidden";
    case refusal::unavailable:
      return "unavailable";
    case refusal::rate_limited:
      return "rate_limited";
  }
  return "unknown";
}

} // namespace vartalap::core
