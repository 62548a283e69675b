#include "core/push.hpp"

#include <array>
#include <tuple>

namespace vartalap::core {

namespace {

constexpr std::array<std::string_view, push_platforms> platform_names{
  "none", "fcm", "apns", "webpush", "webhook"};

constexpr std::array<std::string_view, push_outcomes> outcome_names{
  "delivered", "retry", "dead", "rejected", "misconfigured"};

} // namespace

std::string_view to_string(push_platform platform) noexcept {
  // It may have come from another node.
  const auto index = static_cast<std::size_t>(platform);
  return platform_names[index < push_platforms ? index : 0];
}

bool is_newer(const push_target& a, const push_target& b) noexcept {
  return std::tie(a.since, a.platform, a.token)
         > std::tie(b.since, b.platform, b.token);
}

kept_push_target::kept_push_target(push_target target) {
  if (target != push_target{}) {
    target_ = std::make_unique<const push_target>(std::move(target));
  }
}

kept_push_target::kept_push_target(const kept_push_target& other)
  : kept_push_target(other.get()) {
}

kept_push_target& kept_push_target::operator=(const kept_push_target& other) {
  if (this != &other) {
    *this = kept_push_target(other);
  }
  return *this;
}

const push_target& kept_push_target::get() const noexcept {
  static const push_target none;
  return target_ ? *target_ : none;
}

push_platform device_platform(std::string_view name) noexcept {
  for (const auto each :
       {push_platform::fcm, push_platform::apns, push_platform::webpush}) {
    if (to_string(each) == name) {
      return each;
    }
  }
  return push_platform::none;
}

std::string_view to_string(push_outcome::kind what) noexcept {
  return outcome_names[static_cast<std::size_t>(what)];
}

} // namespace vartalap::core
