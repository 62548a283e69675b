#include "actors/rate_limits.hpp"

#include <algorithm>

namespace vartalap::actors {

core::microseconds user_rate::spend(double n, core::mono_time now) {
  const std::lock_guard lock(mutex_);
  bucket_.force(n, now);
  return bucket_.wait_for(0, now);
}

core::microseconds user_rate::try_spend(double n, core::mono_time now) {
  const std::lock_guard lock(mutex_);
  if (bucket_.take(n, now))
    return core::microseconds::zero();
  return std::max(bucket_.wait_for(n, now), core::microseconds{1000});
}

bool user_rate::is_full(core::mono_time now) {
  const std::lock_guard lock(mutex_);
  return bucket_.wait_for(burst_, now) <= core::microseconds::zero();
}

std::shared_ptr<user_rate> rate_limits::of(std::string_view user,
                                           core::mono_time now) {
  if (limits_.message_rate <= 0)
    return nullptr;
  const std::lock_guard lock(mutex_);
  if (users_.size() > sweep_at_) {
    std::erase_if(users_, [now](const auto& one) {
      return one.second.use_count() == 1 && one.second->is_full(now);
    });
    sweep_at_ = std::max<std::size_t>(1024, users_.size() * 2);
  }
  auto& rate = users_[std::string(user)];
  if (!rate)
    rate = std::make_shared<user_rate>(limits_.message_rate,
                                       limits_.message_burst, now);
  return rate;
}

} // namespace vartalap::actors
