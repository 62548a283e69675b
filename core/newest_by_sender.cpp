#include "core/newest_by_sender.hpp"

#include <algorithm>

namespace vartalap::core {

void newest_by_sender::note(std::uint64_t sender_hash, std::uint64_t time) {
  const auto newest = std::max(of(sender_hash), time);
  std::erase_if(kept_,
                [&](const auto& each) { return each.first == sender_hash; });
  if (kept_.size() == kept_max) {
    floor_ = std::max(floor_, kept_.front().second);
    kept_.erase(kept_.begin());
  }
  kept_.emplace_back(sender_hash, newest);
}

std::uint64_t newest_by_sender::of(std::uint64_t sender_hash) const noexcept {
  for (const auto& [sender, time] : kept_)
    if (sender == sender_hash)
      return time;
  return floor_;
}

} // namespace vartalap::core
