// Whose the buckets are: takeover, yielding, hand-over.

#include "core/cluster_core.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace vartalap::core {

// The first in line that is live and serving.
node_index cluster_core::by_rank(bucket_id bucket) const {
  for (const auto node : where_->line(bucket)) {
    const auto phase = node == me_ ? phase_ : peers_[node].phase;
    if (peers_[node].live && phase == node_phase::serving)
      return node;
  }
  return no_node;
}

void cluster_core::claim(bucket_id bucket, instant now) {
  if (claims_[me_].empty())
    claims_[me_].assign(bucket_count, 0);
  last_epoch_ = std::max<std::uint64_t>(now.wall, last_epoch_ + 1);
  claims_[me_][bucket] = last_epoch_;
}

// A node that is cut off, or has just been frozen, must not take what the
// others serve: it could confirm nothing, and its claims would be newer.
bool cluster_core::may_take_over() const {
  return hears_until_ == mono_time::min()
         && std::count_if(peers_.begin(), peers_.end(), [](const auto& it) {
              return it.live;
            }) >= static_cast<std::ptrdiff_t>(rules_.live_min);
}

// A process that stood still (a frozen machine, a stopped process) wakes up
// with yesterday's view, link by link.
void cluster_core::look_at_clock(instant now) {
  if (now.mono - last_event_ >= rules_.stood_still)
    hears_until_ = now.mono + rules_.hear_first;
  last_event_ = now.mono;
}

void cluster_core::recompute(instant now) {
  say::claims news;
  const auto is_alone = !may_take_over();
  for (std::size_t b = 0; b < bucket_count; ++b) {
    const auto bucket = static_cast<bucket_id>(b);
    auto best = no_node;
    std::uint64_t epoch = 0;
    for (node_index node = 0; node < node_count(); ++node)
      if (peers_[node].live && !claims_[node].empty()
          && claims_[node][b] > epoch) {
        best = node;
        epoch = claims_[node][b];
      }
    // Ours is over where another's is newer; until then the two overlap.
    if (best != me_ && best != no_node && !claims_[me_].empty()
        && claims_[me_][b] != 0) {
      claims_[me_][b] = 0;
      releasing_.erase(bucket);
      news.released.push_back(bucket);
    }
    if (best == no_node) {
      best = by_rank(bucket);
      if (best == me_ && where_->line(bucket).front() != me_ && !is_alone) {
        claim(bucket, now);
        news.made.push_back({bucket, claims_[me_][b]});
      } else if (best == me_ && is_alone
                 && where_->line(bucket).front() != me_) {
        best = no_node;
      }
    }
    owners_[b] = best;
  }
  if (!news.made.empty() || !news.released.empty())
    tell_all(news);
  publish();
}

void cluster_core::publish() {
  auto next = std::make_shared<cluster_view>();
  next->where = where_;
  next->me = me_;
  next->owners = owners_;
  next->calm = am_in_step();
  for (node_index node = 0; node < node_count(); ++node) {
    const auto& it = peers_[node];
    next->live.push_back(it.live);
    next->counts.push_back(it.live && it.trusted);
    next->calm = next->calm
                 && (node == me_
                     || (is_in_step(node) && it.trusted && it.says_in_step
                         && it.phase == node_phase::serving));
  }
  if (view_ && view_->where == next->where && view_->owners == next->owners
      && view_->live == next->live && view_->counts == next->counts
      && view_->calm == next->calm)
    return;
  view_ = std::move(next);
  port_.publish(view_);
}

// To whom a bucket that we claim is to go; `no_node`: it stays.
node_index cluster_core::successor(bucket_id bucket) const {
  for (const auto node : where_->line(bucket)) {
    if (node == me_) {
      if (phase_ == node_phase::draining)
        continue;
      return no_node;
    }
    if (!peers_[node].live || peers_[node].phase != node_phase::serving)
      continue;
    for (node_index other = 0; other < node_count(); ++other) {
      const auto& it = peers_[other];
      if (other == me_ || other == node || !it.live)
        continue;
      if (std::find(it.reaches.begin(), it.reaches.end(), node)
          == it.reaches.end())
        return no_node; // Somebody would be cut off: it stays here.
    }
    return is_in_step(node) ? node : no_node;
  }
  return no_node;
}

void cluster_core::hand_over(instant now) {
  if (!releasing_.empty() || claims_[me_].empty())
    return;
  std::vector<bucket_id> some;
  say::claims news;
  for (std::size_t b = 0; b < bucket_count; ++b) {
    const auto bucket = static_cast<bucket_id>(b);
    if (claims_[me_][b] == 0)
      continue;
    if (where_->line(bucket).front() == me_ && phase_ == node_phase::serving) {
      // By rank it is ours anyway.
      claims_[me_][b] = 0;
      news.released.push_back(bucket);
    } else if (some.size() < rules_.release_at_once
               && successor(bucket) != no_node) {
      some.push_back(bucket);
    }
  }
  if (!news.released.empty()) {
    tell_all(news);
    recompute(now);
  }
  if (some.empty())
    return;
  releasing_.insert(some.begin(), some.end());
  port_.release(some);
}

void cluster_core::released(const std::vector<bucket_id>& buckets,
                            instant now) {
  say::claims news;
  for (const auto bucket : buckets)
    if (releasing_.erase(bucket) != 0 && !claims_[me_].empty()
        && claims_[me_][bucket] != 0) {
      claims_[me_][bucket] = 0;
      news.released.push_back(bucket);
    }
  tell_all(news);
  recompute(now);
  // Also where nothing has changed: the routers hold what came meanwhile.
  port_.publish(view_);
  hand_over(now);
}

void cluster_core::ask_for_takeovers(instant now) {
  std::map<node_index, std::vector<bucket_id>> wanted;
  for (std::size_t b = 0; b < bucket_count; ++b) {
    const auto owner = owners_[b];
    if (owner == no_node || owner == me_)
      continue;
    const auto bucket = static_cast<bucket_id>(b);
    const auto has_claim = !claims_[owner].empty() && claims_[owner][b] != 0;
    if (!has_claim && where_->line(bucket).front() != owner)
      wanted[owner].push_back(bucket);
  }
  for (node_index peer = 0; peer < node_count(); ++peer) {
    auto& it = peers_[peer];
    const auto found = wanted.find(peer);
    if (found == wanted.end()) {
      it.asked = {};
      continue;
    }
    if (it.asked == mono_time{}) {
      it.asked = now.mono;
    } else if (now.mono - it.asked >= rules_.ask_after) {
      it.asked = now.mono;
      port_.send(peer, say::please_take{std::move(found->second)});
    }
  }
}

} // namespace vartalap::core
