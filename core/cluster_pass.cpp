#include "core/cluster_pass.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

namespace {

constexpr milliseconds wait_min{1000};
constexpr milliseconds wait_max{60'000};

} // namespace

void cluster_pass::offer_all() {
  due_ = true;
}

void cluster_pass::offer(bucket_id bucket) {
  if (const auto at = under_way_.find(bucket); at != under_way_.end())
    at->second.again = true;
  else if (queued_.insert(bucket).second)
    queue_.push_back(bucket);
}

void cluster_pass::cut() {
  const auto number = number_;
  *this = cluster_pass{peer_};
  number_ = number;
}

bool cluster_pass::step(cluster_context& with, mono_time now) {
  if (due_ && !scanning_ && now >= not_before_) {
    due_ = false;
    scanning_ = true;
    failed_ = false;
    next_ = 0;
    ++number_;
  }
  while (!queue_.empty() && under_way_.size() < with.rules.buckets_at_once) {
    const auto bucket = queue_.front();
    queue_.pop_front();
    queued_.erase(bucket);
    under_way_[bucket];
    with.port->read_bucket(with.ask({asked_for::offer_bucket, peer_, bucket}),
                           bucket);
  }
  const auto buckets = static_cast<std::uint32_t>(with.where->buckets());
  if (scanning_ && !slice_busy_ && next_ < buckets && queue_.empty()) {
    slice_busy_ = true;
    const auto first = static_cast<bucket_id>(next_);
    with.port->read_sums(with.ask({asked_for::offer_sums, peer_, first}), first,
                         std::min(with.rules.slice, buckets - next_));
  }
  return end_scan(with, now);
}

bool cluster_pass::end_scan(cluster_context& with, mono_time now) {
  if (!queue_.empty() || !under_way_.empty() || slice_busy_)
    return false;
  const bool whole = scanning_ && next_ >= with.where->buckets();
  if (failed_) {
    scanning_ = scanning_ && !whole;
    failed_ = false;
    due_ = true;
    wait_ = std::clamp(wait_ * 2, wait_min, wait_max);
    not_before_ = now + wait_;
    return false;
  }
  if (!whole)
    return false;
  scanning_ = false;
  wait_ = milliseconds{0};
  with.port->send(peer_, say::pass_done{number_});
  return !due_;
}

void cluster_pass::sums_read(cluster_context& with, bucket_id first,
                             const std::vector<say::bucket_sum>& sums,
                             const std::vector<bucket_id>& with_removals) {
  if (!slice_busy_ || first != next_)
    return;
  say::sums out{
    number_,
    first,
    std::min(with.rules.slice,
             static_cast<std::uint32_t>(with.where->buckets()) - next_),
    {}};
  for (const auto bucket : with_removals)
    offer(bucket);
  for (const auto& each : sums) {
    if (each.entries == 0 || !with.concerns(peer_, each.bucket)
        || queued_.contains(each.bucket))
      continue;
    if (with.concerns(with.me, each.bucket))
      out.buckets.push_back(each);
    else
      offer(each.bucket);
  }
  if (out.buckets.empty()) {
    slice_busy_ = false;
    next_ += with.rules.slice;
    return;
  }
  with.port->send(peer_, std::move(out));
}

void cluster_pass::differs(std::uint32_t slice, const say::differs& answer) {
  if (!slice_busy_ || answer.pass != number_ || answer.first != next_)
    return;
  for (const auto bucket : answer.buckets)
    offer(bucket);
  slice_busy_ = false;
  next_ += slice;
}

void cluster_pass::bucket_read(cluster_context& with, bucket_id bucket,
                               say::listing content) {
  const auto at = under_way_.find(bucket);
  if (at == under_way_.end())
    return;
  content.pass = number_;
  content.bucket = bucket;
  if (!with.concerns(peer_, bucket)) {
    content.messages.clear();
    content.devices.clear();
  }
  if (content.messages.empty() && content.devices.empty()
      && content.removals.empty()) {
    const bool again = at->second.again;
    under_way_.erase(at);
    if (again)
      offer(bucket);
    return;
  }
  at->second.content = content;
  with.port->send(peer_, std::move(content));
}

void cluster_pass::wants(cluster_context& with, const say::wants& answer) {
  const auto at = under_way_.find(answer.bucket);
  if (at == under_way_.end() || at->second.told)
    return;
  auto& each = at->second;
  each.told = true;
  const std::set<say::removal, removal_order> ours{
    each.content.removals.begin(), each.content.removals.end()};
  std::vector<say::removal> news;
  for (const auto& removal : answer.removed)
    if (ours.contains(removal))
      each.clean = false;
    else
      news.push_back(removal);
  each.missing = answer.missing.size();
  to_copy_ += each.missing;
  // Both questions are counted before either is asked.
  each.answers = (answer.missing.empty() ? 0U : 1U) + (news.empty() ? 0U : 1U);
  const auto bucket = answer.bucket;
  if (!answer.missing.empty())
    with.port->copy(with.ask({asked_for::offer_copy, peer_, bucket}), peer_,
                    bucket, answer.missing);
  if (!news.empty())
    with.port->apply(with.ask({asked_for::offer_apply, peer_, bucket}), news,
                     {});
}

const say::listing* cluster_pass::done(bucket_id bucket, bool ok) {
  const auto at = under_way_.find(bucket);
  if (at == under_way_.end() || at->second.answers == 0)
    return nullptr;
  at->second.ok = at->second.ok && ok;
  --at->second.answers;
  return finished(bucket);
}

const say::listing* cluster_pass::finished(bucket_id bucket) {
  const auto at = under_way_.find(bucket);
  if (at == under_way_.end() || !at->second.told || at->second.answers != 0)
    return nullptr;
  last_ = std::move(at->second);
  under_way_.erase(at);
  to_copy_ -= last_.missing;
  if (last_.again)
    offer(bucket);
  if (!last_.ok) {
    failed_ = true;
    return nullptr;
  }
  return &last_.content;
}

} // namespace vartalap::core
