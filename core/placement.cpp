#include "core/placement.hpp"

#include "core/hash.hpp"
#include "core/ids.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace vartalap::core {

placement::placement(std::vector<std::string> members, std::size_t buckets)
  : members_(std::move(members)), buckets_(buckets) {
  std::sort(members_.begin(), members_.end());
  width_ = std::min(members_.size(), line_max);
  std::vector<std::uint64_t> seeds;
  field_hasher all{0};
  for (const auto& name : members_) {
    seeds.push_back(stable_hash(name));
    all.add(name);
  }
  hash_ = all.finish().a;
  lines_.reserve(width_ * buckets_);
  std::vector<std::pair<std::uint64_t, node_index>> scores(members_.size());
  for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
    for (std::size_t i = 0; i < seeds.size(); ++i)
      scores[i]
        = {mix64(seeds[i] ^ mix64(bucket + 1)), static_cast<node_index>(i)};
    // Equal scores do not happen twice in the age of the universe; the index
    // makes even them the same everywhere.
    std::partial_sort(scores.begin(),
                      scores.begin() + static_cast<std::ptrdiff_t>(width_),
                      scores.end(), std::greater<>{});
    for (std::size_t i = 0; i < width_; ++i)
      lines_.push_back(scores[i].second);
  }
}

node_index placement::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(members_.begin(), members_.end(), name);
  if (at == members_.end() || *at != name)
    return no_node;
  return static_cast<node_index>(at - members_.begin());
}

std::span<const node_index> placement::line(bucket_id bucket) const noexcept {
  return {lines_.data() + bucket * width_, width_};
}

std::span<const node_index>
placement::holders(bucket_id bucket, unsigned replicas) const noexcept {
  return line(bucket).first(std::min<std::size_t>(replicas + 1, width_));
}

std::size_t placement::rank(bucket_id bucket, node_index node) const noexcept {
  const auto all = line(bucket);
  const auto at = std::find(all.begin(), all.end(), node);
  return at == all.end() ? line_max
                         : static_cast<std::size_t>(at - all.begin());
}

} // namespace vartalap::core
