#include "core/cluster_ownership.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

cluster_ownership::cluster_ownership(std::shared_ptr<const placement> where,
                                     node_index me)
  : where_(std::move(where)), me_(me), live_(where_->members().size()),
    serving_(where_->members().size()), epochs_(where_->members().size()),
    claims_(where_->members().size()), owners_(where_->buckets(), no_node) {
  live_[me_] = true;
}

cluster_ownership::cluster_ownership(std::shared_ptr<const placement> where,
                                     node_index me,
                                     const cluster_ownership& before)
  : cluster_ownership(std::move(where), me) {
  const auto& names = before.where_->members();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto node = where_->find(names[i]);
    if (node == no_node)
      continue;
    live_[node] = before.live_[i];
    serving_[node] = before.serving_[i];
    epochs_[node] = before.epochs_[i];
    claims_[node] = before.claims_[i];
  }
  last_epoch_ = before.last_epoch_;
  for (std::size_t i = 0; i < before.owners_.size(); ++i) {
    if (before.owners_[i] != before.me_)
      continue;
    owners_[i] = me_;
    take(static_cast<bucket_id>(i));
  }
}

void cluster_ownership::set_node(node_index node, bool live, bool serving) {
  if (live_[node] == live && serving_[node] == serving)
    return;
  live_[node] = live;
  serving_[node] = serving;
  all_touched_ = true;
}

void cluster_ownership::allow_takeovers(bool allowed) {
  if (std::exchange(takes_over_, allowed) != allowed)
    all_touched_ = true;
}

void cluster_ownership::abdicate() {
  if (claims_[me_] == 0)
    return;
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    const auto bucket = static_cast<bucket_id>(i);
    if (epoch(me_, bucket) == 0)
      continue;
    set_epoch(me_, bucket, 0);
    given_up_.push_back(bucket);
  }
  releasing_.clear();
}

void cluster_ownership::heard(node_index from, const say::claims& claims) {
  if (claims.full)
    lost(from);
  for (const auto& each : claims.made) {
    if (each.bucket >= where_->buckets())
      continue;
    set_epoch(from, each.bucket, each.epoch);
    last_epoch_ = std::max(last_epoch_, each.epoch);
  }
  for (const auto bucket : claims.released)
    if (bucket < where_->buckets())
      set_epoch(from, bucket, 0);
}

void cluster_ownership::lost(node_index node) {
  if (claims_[node] == 0)
    return;
  epochs_[node].clear();
  claims_[node] = 0;
  all_touched_ = true;
}

void cluster_ownership::take(bucket_id bucket) {
  if (takes_over_ && bucket < where_->buckets() && epoch(me_, bucket) == 0)
    taken_.push_back(bucket);
}

void cluster_ownership::claim_owned() {
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    const auto bucket = static_cast<bucket_id>(i);
    if (owners_[i] == me_ && epoch(me_, bucket) == 0)
      taken_.push_back(bucket);
  }
}

cluster_ownership::changes cluster_ownership::settle(wall_ms now) {
  changes out;
  if (!all_touched_ && touched_.empty() && taken_.empty())
    return out;
  epoch_now_ = next_epoch(now);
  out.claims.released = std::exchange(given_up_, {});
  for (const auto bucket : std::exchange(taken_, {})) {
    if (epoch(me_, bucket) != 0)
      continue;
    set_epoch(me_, bucket, epoch_now_);
    out.claims.made.push_back({bucket, epoch_now_});
  }
  if (std::exchange(all_touched_, false)) {
    touched_.clear();
    for (std::size_t i = 0; i < owners_.size(); ++i)
      update(static_cast<bucket_id>(i), out);
  }
  // Updating touches what it claims or gives up, without need for more.
  for (const auto bucket : std::exchange(touched_, {}))
    update(bucket, out);
  touched_.clear();
  if (!out.claims.made.empty())
    last_epoch_ = epoch_now_;
  return out;
}

void cluster_ownership::update(bucket_id bucket, changes& out) {
  const auto claimed_by = claimant(bucket);
  auto owner = claimed_by != no_node ? claimed_by : first_serving(bucket);
  if (owner == me_ && claimed_by == no_node && !takes_over_
      && where_->rank(bucket, me_) > 0)
    owner = no_node;
  if (owner == me_ && epoch(me_, bucket) == 0
      && where_->rank(bucket, me_) > 0) {
    set_epoch(me_, bucket, epoch_now_);
    out.claims.made.push_back({bucket, epoch_now_});
  } else if (epoch(me_, bucket) != 0
             && (owner != me_ || is_ours_anyway(bucket))) {
    // Somebody has claimed it after us, or it is ours without a claim.
    set_epoch(me_, bucket, 0);
    out.claims.released.push_back(bucket);
  }
  auto& known = owners_[bucket];
  if (known == owner)
    return;
  out.owners = true;
  out.yielded = out.yielded || known == me_;
  if (known == me_ && claimed_by != no_node)
    out.takers.insert(claimed_by);
  known = owner;
}

std::vector<bucket_id>
cluster_ownership::hand_over(const std::vector<bool>& ready, std::size_t most) {
  std::vector<bucket_id> out;
  if (claims_[me_] == 0)
    return out;
  for (std::size_t i = 0; i < owners_.size() && out.size() < most; ++i) {
    const auto bucket = static_cast<bucket_id>(i);
    if (owners_[i] == me_ && heir(bucket, ready) != no_node
        && releasing_.insert(bucket).second)
      out.push_back(bucket);
  }
  return out;
}

void cluster_ownership::released(const std::vector<bucket_id>& buckets,
                                 const std::vector<bool>& ready) {
  for (const auto bucket : buckets) {
    if (releasing_.erase(bucket) == 0 || heir(bucket, ready) == no_node)
      continue;
    set_epoch(me_, bucket, 0);
    given_up_.push_back(bucket);
  }
}

std::map<node_index, std::vector<bucket_id>>
cluster_ownership::unclaimed() const {
  std::map<node_index, std::vector<bucket_id>> out;
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    const auto bucket = static_cast<bucket_id>(i);
    const auto owner = owners_[i];
    if (owner == no_node || owner == me_ || claimant(bucket) != no_node)
      continue;
    for (const auto node : where_->line(bucket)) {
      if (node == owner)
        break;
      if (!live_[node]) {
        out[owner].push_back(bucket);
        break;
      }
    }
  }
  return out;
}

say::claims cluster_ownership::own_claims() const {
  say::claims out;
  out.full = true;
  if (claims_[me_] == 0)
    return out;
  for (std::size_t i = 0; i < owners_.size(); ++i) {
    const auto bucket = static_cast<bucket_id>(i);
    if (const auto made = epoch(me_, bucket); made != 0)
      out.made.push_back({bucket, made});
  }
  return out;
}

std::uint32_t cluster_ownership::own_claim_count() const noexcept {
  return claims_[me_];
}

std::uint64_t cluster_ownership::epoch(node_index node,
                                       bucket_id bucket) const noexcept {
  return claims_[node] == 0 ? 0 : epochs_[node][bucket];
}

void cluster_ownership::set_epoch(node_index node, bucket_id bucket,
                                  std::uint64_t epoch) {
  if (claims_[node] == 0)
    epochs_[node].assign(epoch == 0 ? 0 : where_->buckets(), 0);
  if (epochs_[node].empty())
    return;
  auto& known = epochs_[node][bucket];
  if (known == epoch)
    return;
  claims_[node] += (known == 0 ? 1U : 0U);
  claims_[node] -= (epoch == 0 ? 1U : 0U);
  known = epoch;
  touch(bucket);
}

void cluster_ownership::touch(bucket_id bucket) {
  if (!all_touched_)
    touched_.push_back(bucket);
}

/// Of the live nodes' claims the greatest epoch; of equal ones the first node.
node_index cluster_ownership::claimant(bucket_id bucket) const noexcept {
  node_index out = no_node;
  std::uint64_t greatest = 0;
  for (std::size_t i = 0; i < claims_.size(); ++i) {
    const auto node = static_cast<node_index>(i);
    if (const auto made = epoch(node, bucket); live_[i] && made > greatest) {
      greatest = made;
      out = node;
    }
  }
  return out;
}

node_index cluster_ownership::first_serving(bucket_id bucket) const noexcept {
  for (const auto node : where_->line(bucket))
    if (live_[node] && serving_[node])
      return node;
  return no_node;
}

/// First in line, and nobody else claims it.
bool cluster_ownership::is_ours_anyway(bucket_id bucket) const noexcept {
  if (!serving_[me_] || where_->rank(bucket, me_) != 0)
    return false;
  for (std::size_t i = 0; i < claims_.size(); ++i)
    if (i != me_ && live_[i] && epoch(static_cast<node_index>(i), bucket) != 0)
      return false;
  return true;
}

/// To whom a bucket that we claim may go now; `no_node`: to nobody.
node_index cluster_ownership::heir(bucket_id bucket,
                                   const std::vector<bool>& ready) const {
  if (epoch(me_, bucket) == 0)
    return no_node;
  const auto first = first_serving(bucket);
  return first == no_node || first == me_ || !ready[first] ? no_node : first;
}

std::uint64_t cluster_ownership::next_epoch(wall_ms now) {
  return std::max<std::uint64_t>(now, last_epoch_ + 1);
}

} // namespace vartalap::core
