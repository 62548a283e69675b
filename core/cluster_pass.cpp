// Passes: what is held here is offered to the peers whom it concerns.

#include "core/cluster_core.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

namespace {

/// Between two passes to one peer, whatever happens.
constexpr milliseconds pass_pause{1000};

/// Until tombstones that a pass has found are offered again: the nodes that
/// were away may all be back by then.
constexpr milliseconds removals_pause{5000};

} // namespace

bool cluster_core::concerns(bucket_id bucket, node_index peer) const {
  return where_->rank(bucket, peer) <= rules_.replicas
         || owners_[bucket] == peer;
}

bool cluster_core::is_mine_to_keep(bucket_id bucket) const {
  return concerns(bucket, me_);
}

void cluster_core::run_passes(instant now) {
  for (node_index peer = 0; peer < node_count(); ++peer) {
    auto& it = peers_[peer];
    if (peer == me_ || !it.live || !it.now.is_idle())
      continue;
    const auto is_first = it.last_pass == mono_time{};
    const auto is_wanted = it.wants_pass || now.mono >= it.removals_due;
    if (is_wanted && (is_first || now.mono - it.last_pass >= pass_pause))
      start_pass(peer, true, now);
    else if (!it.urgent.empty())
      start_pass(peer, false, now);
  }
}

void cluster_core::start_pass(node_index peer, bool full, instant now) {
  auto& it = peers_[peer];
  it.now = {};
  it.now.number = ++last_pass_;
  it.now.is_full = full;
  if (full) {
    it.wants_pass = false;
    it.removals_due = mono_time::max();
  }
  it.now.todo.assign(it.urgent.begin(), it.urgent.end());
  it.urgent.clear();
  advance(peer, now);
}

void cluster_core::advance(node_index peer, instant now) {
  auto& it = peers_[peer].now;
  if (it.is_idle())
    return;
  while (!it.todo.empty()
         && it.reading + it.listed.size() + it.copying
              < rules_.buckets_at_once) {
    const auto bucket = it.todo.back();
    it.todo.pop_back();
    ++it.reading;
    request what{request::offer, peer, it.number, bucket, {}, {}, {}};
    port_.read_bucket(ask(std::move(what)), bucket);
  }
  if (!it.todo.empty() || it.reading + it.listed.size() + it.copying > 0
      || it.waits_for_sums || it.waits_for_differs)
    return;
  if (!it.is_full || it.next >= bucket_count)
    return finish_pass(peer, now);
  it.waits_for_sums = true;
  request what{request::sums, peer, it.number, 0, {}, {}, {}};
  const auto count = std::min<std::uint32_t>(
    rules_.slice, static_cast<std::uint32_t>(bucket_count) - it.next);
  port_.read_sums(ask(std::move(what)), static_cast<bucket_id>(it.next), count);
}

void cluster_core::sums_read(std::uint64_t number,
                             const std::vector<say::bucket_sum>& sums,
                             std::vector<bucket_id> with_removals, instant) {
  const auto found = requests_.find(number);
  if (found == requests_.end())
    return;
  auto asked = std::move(found->second);
  requests_.erase(found);
  if (asked.what == request::compare)
    return compare_sums(asked, sums);
  auto& it = peers_[asked.peer].now;
  if (it.number != asked.pass || !it.waits_for_sums)
    return;
  it.waits_for_sums = false;
  it.waits_for_differs = true;
  it.saw_removals = it.saw_removals || !with_removals.empty();
  it.with_removals = std::move(with_removals);
  say::sums out;
  out.pass = it.number;
  out.first = static_cast<bucket_id>(it.next);
  out.count = std::min<std::uint32_t>(
    rules_.slice, static_cast<std::uint32_t>(bucket_count) - it.next);
  for (const auto& one : sums) {
    if (!concerns(one.bucket, asked.peer))
      continue;
    if (is_mine_to_keep(one.bucket))
      out.buckets.push_back(one);
    else
      // It is to be known exactly what may be dropped here.
      it.with_removals.push_back(one.bucket);
  }
  port_.send(asked.peer, std::move(out));
}

void cluster_core::handle(node_index peer, say::differs& what, instant now) {
  auto& it = peers_[peer].now;
  if (it.number != what.pass || !it.waits_for_differs)
    return;
  it.waits_for_differs = false;
  it.next += rules_.slice;
  it.todo = std::move(what.buckets);
  it.todo.insert(it.todo.end(), it.with_removals.begin(),
                 it.with_removals.end());
  std::sort(it.todo.begin(), it.todo.end());
  it.todo.erase(std::unique(it.todo.begin(), it.todo.end()), it.todo.end());
  it.with_removals.clear();
  advance(peer, now);
}

void cluster_core::bucket_read(std::uint64_t number, say::listing content,
                               instant now) {
  const auto found = requests_.find(number);
  if (found == requests_.end())
    return;
  auto asked = std::move(found->second);
  requests_.erase(found);
  if (asked.what == request::answer)
    return answer_listing(asked, content);
  auto& it = peers_[asked.peer].now;
  if (it.number != asked.pass)
    return;
  --it.reading;
  content.pass = it.number;
  content.bucket = asked.bucket;
  offer(asked.peer, content);
  advance(asked.peer, now);
}

void cluster_core::offer(node_index peer, say::listing& content) {
  const auto bucket = content.bucket;
  if (!is_mine_to_keep(bucket)) {
    if (content.messages.empty())
      foreign_.erase(bucket);
    else if (!foreign_.contains(bucket))
      foreign_[bucket].marks = content.messages;
  }
  if (!concerns(bucket, peer)) {
    content.messages.clear();
    content.devices.clear();
  }
  if (content.messages.empty() && content.devices.empty()
      && content.removals.empty())
    return;
  port_.send(peer, content);
  peers_[peer].now.listed.emplace(bucket, std::move(content));
}

void cluster_core::handle(node_index peer, say::wants& what, instant now) {
  auto& it = peers_[peer].now;
  const auto listed = it.listed.find(what.bucket);
  if (it.number != what.pass || listed == it.listed.end())
    return;
  note_confirmed(peer, listed->second);
  it.listed.erase(listed);
  if (!what.removed.empty()) {
    request removal{request::apply, peer, 0, what.bucket, {}, {}, {}};
    port_.apply(ask(std::move(removal)), what.removed, {});
  }
  if (what.missing.empty()) {
    bucket_offered(peer, what.bucket, now);
  } else {
    ++it.copying;
    peers_[peer].to_copy += what.missing.size();
    request copy{request::copy, peer, it.number, what.bucket, {}, {}, {}};
    port_.copy(ask(std::move(copy)), peer, what.bucket, what.missing);
  }
  advance(peer, now);
}

void cluster_core::copied(std::uint64_t number, bool ok, instant now) {
  const auto found = requests_.find(number);
  if (found == requests_.end())
    return;
  const auto asked = std::move(found->second);
  requests_.erase(found);
  auto& it = peers_[asked.peer].now;
  if (it.number != asked.pass)
    return;
  --it.copying;
  if (ok)
    bucket_offered(asked.peer, asked.bucket, now);
  else
    it.failed = true;
  advance(asked.peer, now);
}

// The peer has all that was listed of this bucket.
void cluster_core::bucket_offered(node_index peer, bucket_id bucket, instant) {
  const auto kept = foreign_.find(bucket);
  if (kept == foreign_.end() || is_mine_to_keep(bucket))
    return;
  auto& have = kept->second.have;
  have.insert(peer);
  for (const auto holder : where_->holders(bucket, rules_.replicas))
    if (!have.contains(holder))
      return;
  port_.drop(kept->second.marks);
  foreign_.erase(kept);
}

void cluster_core::note_confirmed(node_index peer,
                                  const say::listing& content) {
  std::vector<say::removal> known;
  for (const auto& one : content.removals) {
    const removal_key key{one.user, one.serverid, one.device};
    auto& by = confirmed_[key];
    by.insert(peer);
    if (by.size() + 1 == peers_.size()) {
      known.push_back(one);
      confirmed_.erase(key);
    }
  }
  if (!known.empty())
    port_.forget(known);
}

void cluster_core::finish_pass(node_index peer, instant now) {
  auto& it = peers_[peer];
  const auto was = std::exchange(it.now, {});
  it.last_pass = now.mono;
  it.to_copy = 0;
  if (was.saw_removals)
    it.removals_due = now.mono + removals_pause;
  if (was.failed) {
    it.wants_pass = true;
  } else if (was.is_full) {
    it.pass_out = true;
    port_.send(peer, say::pass_done{was.number});
  }
  if (it.pass_out && it.pass_in)
    it.trusted = true;
  look_at_phase(now);
  if (told_in_step_ != am_in_step())
    tell_status();
  recompute(now);
  hand_over(now);
}

void cluster_core::handle(node_index peer, say::pass_done&, instant now) {
  auto& it = peers_[peer];
  it.pass_in = true;
  if (it.pass_out)
    it.trusted = true;
  look_at_phase(now);
  recompute(now);
  hand_over(now);
}

void cluster_core::abort_pass(node_index peer) {
  peers_[peer].now = {};
}

} // namespace vartalap::core
