#include "core/replicator.hpp"

#include <bit>
#include <cassert>
#include <utility>

namespace vartalap::core {

namespace {

using places = std::uint8_t;

constexpr places bit(std::size_t place) noexcept {
  return static_cast<places>(1U << place);
}

constexpr places both(places a, places b) noexcept {
  return static_cast<places>(a & b);
}

constexpr places without(places a, places b) noexcept {
  return static_cast<places>(a & ~b);
}

unsigned count(places x) noexcept {
  return static_cast<unsigned>(std::popcount(x));
}

} // namespace

replicator::replicator(const replication_rules& rules) : rules_(rules) {
}

void replicator::set_view(cluster_view_ptr view, mono_time now,
                          replicator_effects& out) {
  if (view_ && view_->where != view->where)
    move_to(*view_->where, *view->where);
  const auto before = std::exchange(view_, std::move(view));
  if (view_->calm)
    forget_hints(now);
  for (auto at = tickets_.begin(); at != tickets_.end();) {
    auto& [number, each] = *at;
    const bool settled = each.is_removal
                           ? !view_->calm // its tombstone stays
                           : follow_view(number, each, *before, now, out);
    at = settled ? tickets_.erase(at) : std::next(at);
  }
}

/// @returns True: the ticket is settled.
bool replicator::follow_view(std::uint64_t number, ticket& of,
                             const cluster_view& before, mono_time now,
                             replicator_effects& out) {
  const auto line = view_->where->line(of.bucket);
  const bool same_members = before.where == view_->where;
  places back = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto node = line[i];
    if (!view_->live[node])
      of.lost = static_cast<places>(of.lost
                                    | without(both(of.asked, bit(i)), of.done));
    else if (!view_->counts[node])
      of.done = without(of.done, bit(i)); // it has lost what it had
    if (view_->live[node] && (!same_members || !before.live[node]))
      back = static_cast<places>(back | bit(i));
  }
  // Holders that are there now get it too: a pass to them may read the store
  // before this is committed.
  const auto holders = live_holders(of.bucket);
  const auto whom = static_cast<places>(
    without(holders, of.asked) | both(holders, without(back, of.done)));
  of.lost = without(of.lost, whom);
  if (whom != 0)
    send(number, of, whom, now, out);
  return replace(number, of, now, out);
}

bool replicator::put(std::uint64_t number, bucket_id bucket, server_id,
                     mono_time now, replicator_effects& out) {
  assert(view_);
  ticket fresh;
  fresh.bucket = bucket;
  const auto at = tickets_.insert_or_assign(number, fresh).first;
  const auto effects_before = out.size();
  if (const auto holders = live_holders(bucket); holders != 0)
    send(number, at->second, holders, now, out);
  if (!ask_more(number, at->second, now, out) && !rules_.accept_when_short) {
    out.resize(effects_before);
    tickets_.erase(at);
    return false;
  }
  deadlines_.push_back({now + rules_.patience, number});
  return true;
}

void replicator::committed_here(std::uint64_t number, replicator_effects& out) {
  const auto at = tickets_.find(number);
  if (at == tickets_.end() || at->second.is_removal)
    return;
  at->second.committed_here = true;
  if (settle(number, at->second, false, out))
    tickets_.erase(at);
}

void replicator::committed(std::uint64_t number, node_index node,
                           replicator_effects& out) {
  const auto at = tickets_.find(number);
  if (at == tickets_.end() || node >= view_->live.size())
    return;
  auto& each = at->second;
  const auto place = view_->where->rank(each.bucket, node);
  if (place == placement::line_max)
    return;
  if (each.is_removal) {
    each.done = static_cast<places>(each.done | bit(place));
    if (without(each.asked, each.done) == 0) {
      out.emplace_back(replicate::forget{number});
      tickets_.erase(at);
    }
    return;
  }
  if (!view_->counts[node])
    return; // it may be gone again before it is repaired
  each.done = static_cast<places>(each.done | bit(place));
  if (settle(number, each, false, out))
    tickets_.erase(at);
}

void replicator::failed(std::uint64_t number, node_index node, mono_time now,
                        replicator_effects& out) {
  const auto at = tickets_.find(number);
  if (at == tickets_.end() || node >= view_->live.size())
    return;
  if (at->second.is_removal) {
    tickets_.erase(at); // its tombstone stays
    return;
  }
  const auto place = view_->where->rank(at->second.bucket, node);
  if (place == placement::line_max)
    return;
  at->second.lost = static_cast<places>(at->second.lost | bit(place));
  if (replace(number, at->second, now, out))
    tickets_.erase(at);
}

void replicator::drop(std::uint64_t number) {
  tickets_.erase(number);
}

std::vector<node_index> replicator::targets(bucket_id bucket) const {
  std::vector<node_index> out;
  auto whom = live_holders(bucket);
  if (const auto at = hints_.find(bucket); at != hints_.end())
    whom = static_cast<places>(whom | at->second.who);
  const auto line = view_->where->line(bucket);
  for (std::size_t i = 0; i < line.size(); ++i)
    if ((whom & bit(i)) != 0 && line[i] != view_->me && view_->live[line[i]])
      out.push_back(line[i]);
  return out;
}

std::vector<node_index> replicator::remove(std::uint64_t number,
                                           bucket_id bucket,
                                           replicator_effects& out) {
  auto whom = targets(bucket);
  if (!view_->calm)
    return whom;
  if (whom.empty()) {
    out.emplace_back(replicate::forget{number});
    return whom;
  }
  ticket fresh;
  fresh.bucket = bucket;
  fresh.is_removal = true;
  for (const auto node : whom)
    fresh.asked = static_cast<places>(fresh.asked
                                      | bit(view_->where->rank(bucket, node)));
  tickets_.insert_or_assign(number, fresh);
  return whom;
}

void replicator::tick(mono_time now, replicator_effects& out) {
  while (!deadlines_.empty() && deadlines_.front().at <= now) {
    const auto number = deadlines_.front().ticket;
    deadlines_.pop_front();
    const auto at = tickets_.find(number);
    if (at == tickets_.end())
      continue;
    auto& each = at->second;
    each.lost = static_cast<places>(each.lost | without(each.asked, each.done));
    if (replace(number, each, now, out))
      tickets_.erase(at);
    else
      deadlines_.push_back({now + rules_.patience, number});
  }
}

std::size_t replicator::waiting() const noexcept {
  return tickets_.size();
}

places replicator::live_holders(bucket_id bucket) const {
  places out = 0;
  const auto holders = view_->where->holders(bucket, rules_.replicas);
  for (std::size_t i = 0; i < holders.size(); ++i)
    if (holders[i] != view_->me && view_->live[holders[i]])
      out = static_cast<places>(out | bit(i));
  return out;
}

places replicator::counting(bucket_id bucket, places among) const {
  places out = 0;
  const auto line = view_->where->line(bucket);
  for (std::size_t i = 0; i < line.size(); ++i)
    if ((among & bit(i)) != 0 && view_->counts[line[i]])
      out = static_cast<places>(out | bit(i));
  return out;
}

void replicator::send(std::uint64_t number, ticket& to, places whom,
                      mono_time now, replicator_effects& out) {
  replicate::send effect{number, {}};
  const auto line = view_->where->line(to.bucket);
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((whom & bit(i)) == 0)
      continue;
    effect.to.push_back(line[i]);
    if (i > rules_.replicas) {
      auto& kept = hints_[to.bucket];
      kept.who = static_cast<places>(kept.who | bit(i));
      kept.at = now;
    }
  }
  to.asked = static_cast<places>(to.asked | whom);
  out.emplace_back(std::move(effect));
}

/// Sends to further nodes until enough may commit.
/// @returns False: there are not enough.
bool replicator::ask_more(std::uint64_t number, ticket& to, mono_time now,
                          replicator_effects& out) {
  const auto hopeful = static_cast<places>(
    to.done | counting(to.bucket, without(to.asked, to.lost)));
  auto have = 1 + count(hopeful);
  places more = 0;
  const auto line = view_->where->line(to.bucket);
  for (std::size_t i = 0; i < line.size() && have < rules_.min_copies; ++i) {
    if (line[i] == view_->me || (to.asked & bit(i)) != 0
        || !view_->live[line[i]] || !view_->counts[line[i]])
      continue;
    more = static_cast<places>(more | bit(i));
    ++have;
  }
  if (more != 0)
    send(number, to, more, now, out);
  return have >= rules_.min_copies;
}

/// @returns True: the ticket is settled.
bool replicator::settle(std::uint64_t number, ticket& of, bool short_of_nodes,
                        replicator_effects& out) {
  const auto copies = count(of.done);
  const bool hopeless
    = short_of_nodes
      || 1
             + count(static_cast<places>(
               of.done | counting(of.bucket, without(of.asked, of.lost))))
           < rules_.min_copies;
  if (1 + copies >= rules_.min_copies
      || (hopeless && rules_.accept_when_short)) {
    if (!of.committed_here)
      return false;
    out.emplace_back(replicate::confirmed{number, copies});
    return true;
  }
  if (!hopeless)
    return false;
  out.emplace_back(replicate::refused{number});
  return true;
}

/// Asks others in place of those that are lost.
/// @returns True: the ticket is settled.
bool replicator::replace(std::uint64_t number, ticket& of, mono_time now,
                         replicator_effects& out) {
  if (1 + count(of.done) >= rules_.min_copies)
    return settle(number, of, false, out);
  const bool enough = ask_more(number, of, now, out);
  return settle(number, of, !enough, out);
}

/// Another member list is in force: the places in line change.
void replicator::move_to(const placement& from, const placement& to) {
  const auto moved = [&](bucket_id bucket, places before) {
    places after = 0;
    const auto line = from.line(bucket);
    for (std::size_t i = 0; i < line.size(); ++i) {
      if ((before & bit(i)) == 0)
        continue;
      const auto node = to.find(from.members()[line[i]]);
      const auto place = node == no_node ? placement::line_max
                                         : to.rank(bucket, node);
      if (place != placement::line_max)
        after = static_cast<places>(after | bit(place));
    }
    return after;
  };
  for (auto& [number, each] : tickets_) {
    each.asked = moved(each.bucket, each.asked);
    each.done = moved(each.bucket, each.done);
    each.lost = moved(each.bucket, each.lost);
  }
  for (auto& [bucket, kept] : hints_)
    kept.who = moved(bucket, kept.who);
}

/// Nobody keeps hints any more, but for those that may be on their way.
void replicator::forget_hints(mono_time now) {
  std::erase_if(hints_, [&](const auto& each) {
    return each.second.at + rules_.patience < now;
  });
}

} // namespace vartalap::core
