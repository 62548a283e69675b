#include "core/recent_removals.hpp"

#include "core/cluster_answer.hpp"

#include <utility>

namespace vartalap::core {

void recent_removals::note(say::removal what, mono_time now) {
  if (what.device.empty())
    ++messages_[what.serverid];
  else
    ++devices_;
  order_.push_back({std::move(what), now});
}

bool recent_removals::has(server_id serverid) const noexcept {
  return messages_.contains(serverid);
}

const say::removal*
recent_removals::removal_of(const say::device_of& device) const noexcept {
  if (devices_ == 0)
    return nullptr; // as almost always
  for (const auto& each : order_)
    if (removes(each.what, device))
      return &each.what;
  return nullptr;
}

void recent_removals::expire(mono_time now) {
  for (; !order_.empty() && order_.front().at + keep_for < now;
       order_.pop_front()) {
    const auto& gone = order_.front().what;
    if (!gone.device.empty()) {
      --devices_;
      continue;
    }
    const auto at = messages_.find(gone.serverid);
    if (--at->second == 0)
      messages_.erase(at);
  }
}

std::vector<say::removal> recent_removals::all() const {
  std::vector<say::removal> out;
  out.reserve(order_.size());
  for (const auto& each : order_)
    out.push_back(each.what);
  return out;
}

} // namespace vartalap::core
