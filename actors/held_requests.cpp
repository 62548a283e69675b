#include "actors/held_requests.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::actors {

void held_requests::add(core::bucket_id bucket, core::mono_time until,
                        request what) {
  held_[bucket].push_back({std::min(until, kept_until_), std::move(what)});
  ++size_;
}

void held_requests::retry(core::mono_time now) {
  const auto all = std::exchange(held_, {});
  size_ = 0;
  for (const auto& [bucket, queue] : all)
    for (const auto& each : queue) {
      kept_until_ = each.until;
      each.what(each.until <= now);
    }
  kept_until_ = core::mono_time::max();
}

} // namespace vartalap::actors
