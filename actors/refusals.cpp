#include "actors/refusals.hpp"

namespace vartalap::actors {

std::string_view explain(core::refusal code) noexcept {
  switch (code) {
    case core::refusal::id_reused:
      return "this id was used for other content: resend with the same "
             "content, or choose a new id";
    case core::refusal::mailbox_full:
      return "the recipient's mailbox is full: send it again later";
    case core::refusal::unavailable:
      return "it cannot be stored now: send it again later";
    case core::refusal::unknown_group:
      return "there is no such group";
    case core::refusal::forbidden:
      return "not allowed: the recipient is unknown here, or does not take it";
    case core::refusal::too_large:
      return "over the limit on content";
    case core::refusal::rate_limited:
      return "too many messages: slow down";
    case core::refusal::not_a_member:
      return "you are not a member of this group";
    case core::refusal::bad_frame:
    case core::refusal::none:
      break;
  }
  return "not understood";
}

net::codec_limits limits_of(const core::limit_options& limits) noexcept {
  net::codec_limits out;
  out.content_bytes = limits.max_content_bytes;
  return out;
}

} // namespace vartalap::actors
