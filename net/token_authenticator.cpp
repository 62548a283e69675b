#include "net/token_authenticator.hpp"

#include <chrono>

namespace vartalap::net {

void token_authenticator::check(const credentials& shown, shard&,
                                std::function<void(proof)> answer) {
  const auto now = std::chrono::duration_cast<core::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
  auto found = tokens_.verify(shown.secret(), static_cast<core::wall_ms>(now));
  auto* owner = std::get_if<token_owner>(&found);
  if (owner == nullptr || (!shown.user.empty() && shown.user != owner->user))
    return answer(std::nullopt);
  answer(proven{std::move(owner->user), owner->expires});
}

} // namespace vartalap::net
