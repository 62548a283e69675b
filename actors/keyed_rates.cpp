#include "actors/keyed_rates.hpp"

#include <algorithm>

namespace vartalap::actors {

core::microseconds keyed_rates::try_spend(const std::string& key, double n,
                                          core::mono_time now) {
  if (rate_ <= 0)
    return core::microseconds::zero();
  const std::lock_guard lock(mutex_);
  if (buckets_.size() > sweep_at_) {
    std::erase_if(buckets_, [this, now](auto& one) {
      return one.second.wait_for(burst_, now) <= core::microseconds::zero();
    });
    sweep_at_ = std::max<std::size_t>(1024, buckets_.size() * 2);
  }
  auto& bucket
    = buckets_.try_emplace(key, core::token_bucket(rate_, burst_, now))
        .first->second;
  if (bucket.take(n, now))
    return core::microseconds::zero();
  refused_.fetch_add(1, std::memory_order_relaxed);
  return std::max(bucket.wait_for(n, now), core::microseconds{1000});
}

} // namespace vartalap::actors
