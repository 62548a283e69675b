#pragma once

#include "core/placement.hpp"
#include "core/units.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <unordered_map>

namespace vartalap::actors {

/// What a router holds while nobody can take it: in order for each bucket, each
/// with a time at which it is given up. Bounded by what its senders may have
/// unanswered. Belongs to the router's shard.
class held_requests {
public:
  /// Tries again, or (`give_up`) answers that it was in vain.
  using request = std::function<void(bool give_up)>;

  bool empty() const noexcept {
    return held_.empty();
  }
  bool holds(core::bucket_id bucket) const {
    return held_.contains(bucket);
  }
  std::size_t size() const noexcept {
    return size_;
  }

  void add(core::bucket_id bucket, core::mono_time until, request what);

  /// Tries everything again, oldest first; what is held again in the course
  /// of it keeps its order and its time.
  void retry(core::mono_time now);

private:
  struct one {
    core::mono_time until{};
    request what;
  };
  std::unordered_map<core::bucket_id, std::deque<one>> held_;
  std::size_t size_ = 0;
  core::mono_time kept_until_ = core::mono_time::max(); ///< of what is tried
};

} // namespace vartalap::actors
