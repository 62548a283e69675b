#include "core/cluster_core.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace vartalap::core {

cluster_core::cluster_core(std::shared_ptr<const placement> where,
                           node_index me, const cluster_rules& rules,
                           cluster_port& port, instant now)
  : where_(std::move(where)), me_(me), rules_(rules), port_(port),
    started_(now.mono), last_event_(now.mono), peers_(where_->members().size()),
    claims_(where_->members().size()), owners_(bucket_count, no_node) {
  peers_[me_].live = true;
  if (peers_.size() == 1)
    phase_ = node_phase::serving;
  recompute(now);
}

cluster_core::~cluster_core() = default;

std::uint64_t cluster_core::ask(request what) {
  requests_.emplace(++last_request_, std::move(what));
  return last_request_;
}

void cluster_core::tell_all(const cluster_message& message) {
  for (node_index peer = 0; peer < node_count(); ++peer)
    if (peer != me_ && peers_[peer].live)
      port_.send(peer, message);
}

say::status cluster_core::status() const {
  say::status out;
  out.phase = phase_;
  for (node_index peer = 0; peer < node_count(); ++peer)
    if (peer != me_ && peers_[peer].live)
      out.reaches.push_back(peer);
  out.in_step = am_in_step();
  return out;
}

void cluster_core::tell_status() {
  told_in_step_ = am_in_step();
  tell_all(status());
}

void cluster_core::link_up(node_index peer, bool trusted, instant now) {
  look_at_clock(now);
  if (peer == me_)
    return;
  if (peers_[peer].live)
    link_down(peer, now);
  auto& it = peers_[peer];
  it.live = true;
  it.trusted = it.trusted && trusted;
  it.wants_pass = true;
  say::claims mine;
  mine.full = true;
  if (!claims_[me_].empty())
    for (std::size_t b = 0; b < bucket_count; ++b)
      if (claims_[me_][b] != 0)
        mine.made.push_back({static_cast<bucket_id>(b), claims_[me_][b]});
  port_.send(peer, mine);
  tell_status();
  recompute(now);
  run_passes(now);
}

void cluster_core::link_down(node_index peer, instant now) {
  look_at_clock(now);
  if (peer == me_ || !peers_[peer].live)
    return;
  abort_pass(peer);
  const auto trusted = peers_[peer].trusted;
  peers_[peer] = {};
  peers_[peer].trusted = trusted;
  claims_[peer].clear();
  // What it had of our foreign messages is not known any more.
  for (auto& [bucket, kept] : foreign_)
    kept.have.erase(peer);
  tell_status();
  recompute(now);
  look_at_phase(now);
}

void cluster_core::received(node_index peer, cluster_message message,
                            instant now) {
  look_at_clock(now);
  if (peer >= peers_.size() || !peers_[peer].live)
    return;
  std::visit([&](auto& what) { handle(peer, what, now); }, message);
}

void cluster_core::handle(node_index peer, say::status& what, instant now) {
  auto& it = peers_[peer];
  const auto is_news = it.phase != what.phase || it.reaches != what.reaches
                       || it.says_in_step != what.in_step || !it.heard;
  it.heard = true;
  it.phase = what.phase;
  it.reaches = std::move(what.reaches);
  it.says_in_step = what.in_step;
  if (is_news)
    recompute(now);
  hand_over(now);
}

void cluster_core::handle(node_index peer, say::claims& what, instant now) {
  auto& theirs = claims_[peer];
  if (what.full || theirs.empty())
    theirs.assign(what.made.empty() ? 0 : bucket_count, 0);
  if (theirs.empty() && !what.made.empty())
    theirs.assign(bucket_count, 0);
  for (const auto& one : what.made) {
    theirs[one.bucket] = one.epoch;
    last_epoch_ = std::max(last_epoch_, one.epoch);
  }
  if (!theirs.empty())
    for (const auto bucket : what.released)
      theirs[bucket] = 0;
  recompute(now);
}

void cluster_core::handle(node_index peer, say::please_take& what,
                          instant now) {
  (void)peer;
  say::claims made;
  if (phase_ != node_phase::serving || !may_take_over())
    return;
  for (const auto bucket : what.buckets)
    if (owners_[bucket] != me_) {
      claim(bucket, now);
      made.made.push_back({bucket, claims_[me_][bucket]});
    }
  if (made.made.empty())
    return;
  tell_all(made);
  recompute(now);
}

bool cluster_core::is_in_step(node_index peer) const {
  const auto& it = peers_[peer];
  return it.live && it.pass_out && it.pass_in;
}

bool cluster_core::am_in_step() const {
  for (node_index peer = 0; peer < node_count(); ++peer) {
    const auto& it = peers_[peer];
    if (peer != me_
        && (!it.live || !it.pass_out || it.wants_pass || !it.urgent.empty()))
      return false;
  }
  return foreign_.empty() && stored_for_others_.empty();
}

void cluster_core::look_at_phase(instant now) {
  if (phase_ != node_phase::joining)
    return;
  const auto waited = now.mono - started_;
  auto all_live = true;
  auto in_step = true;
  for (node_index peer = 0; peer < node_count(); ++peer) {
    if (peer == me_)
      continue;
    all_live = all_live && peers_[peer].live;
    in_step = in_step && (!peers_[peer].live || is_in_step(peer));
  }
  const auto is_ready
    = (in_step && (all_live || waited >= rules_.wait_for_peers))
      || waited >= rules_.wait_for_peers + rules_.wait_for_step;
  if (!is_ready)
    return;
  phase_ = node_phase::serving;
  tell_status();
  recompute(now);
}

void cluster_core::out_of_step(node_index peer, instant now) {
  if (peer == me_ || !peers_[peer].live)
    return;
  peers_[peer].wants_pass = true;
  // Not at once: whatever refused it needs time, too.
  peers_[peer].last_pass = now.mono;
}

void cluster_core::stored_foreign(bucket_id bucket, instant now) {
  stored_for_others_.insert(bucket);
  if (urgent_since_ == mono_time::max())
    urgent_since_ = now.mono;
}

void cluster_core::drain(instant now) {
  if (phase_ == node_phase::draining)
    return;
  phase_ = node_phase::draining;
  say::claims made;
  for (std::size_t b = 0; b < bucket_count; ++b) {
    const auto bucket = static_cast<bucket_id>(b);
    if (owners_[b] == me_ && (claims_[me_].empty() || claims_[me_][b] == 0)) {
      claim(bucket, now);
      made.made.push_back({bucket, claims_[me_][b]});
    }
  }
  if (!made.made.empty())
    tell_all(made);
  tell_status();
  recompute(now);
  hand_over(now);
}

bool cluster_core::is_empty() const {
  if (phase_ != node_phase::draining || !releasing_.empty())
    return false;
  auto any_other = false;
  for (node_index peer = 0; peer < node_count(); ++peer)
    any_other = any_other
                || (peer != me_ && peers_[peer].live
                    && peers_[peer].phase == node_phase::serving);
  return !any_other
         || std::all_of(claims_[me_].begin(), claims_[me_].end(),
                        [](auto epoch) { return epoch == 0; });
}

void cluster_core::set_members(std::shared_ptr<const placement> where,
                               node_index me, instant now) {
  const auto before = std::move(owners_);
  auto mine = std::move(claims_[me_]);
  const auto old_me = me_;
  where_ = std::move(where);
  me_ = me;
  peers_.assign(where_->members().size(), {});
  peers_[me_].live = true;
  claims_.assign(where_->members().size(), {});
  claims_[me_] = std::move(mine);
  owners_.assign(bucket_count, no_node);
  releasing_.clear();
  requests_.clear();
  foreign_.clear();
  confirmed_.clear();
  // What was ours stays ours until it is handed over.
  for (std::size_t b = 0; b < bucket_count; ++b)
    if (before[b] == old_me && (claims_[me_].empty() || claims_[me_][b] == 0))
      claim(static_cast<bucket_id>(b), now);
  recompute(now);
}

void cluster_core::tick(instant now) {
  look_at_clock(now);
  if (hears_until_ != mono_time::min() && now.mono >= hears_until_) {
    hears_until_ = mono_time::min();
    recompute(now);
  }
  if (now.mono - urgent_since_ >= milliseconds{500}
      && urgent_since_ != mono_time::max()) {
    urgent_since_ = mono_time::max();
    for (const auto bucket : std::exchange(stored_for_others_, {}))
      for (node_index peer = 0; peer < node_count(); ++peer)
        if (peer != me_ && peers_[peer].live && concerns(bucket, peer))
          peers_[peer].urgent.insert(bucket);
  }
  for (auto& it : peers_)
    if (it.live && it.pass_out
        && now.mono - it.last_pass >= rules_.repair_interval)
      it.wants_pass = true;
  run_passes(now);
  look_at_phase(now);
  hand_over(now);
  ask_for_takeovers(now);
  if (told_in_step_ != am_in_step()) {
    tell_status();
    recompute(now);
  }
}

cluster_core::report cluster_core::look() const {
  report out;
  out.peers.resize(peers_.size());
  out.phase = phase_;
  out.calm = view_->calm;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    auto& to = out.peers[i];
    const auto& from = peers_[i];
    to.live = from.live;
    to.phase = i == me_ ? phase_ : from.phase;
    to.trusted = from.trusted;
    to.in_step = i == me_ ? am_in_step()
                          : is_in_step(static_cast<node_index>(i));
    to.to_copy = from.to_copy;
    out.under_replicated += from.to_copy;
  }
  for (const auto owner : owners_) {
    if (owner == no_node)
      ++out.ownerless;
    else
      ++out.peers[owner].owns;
  }
  for (const auto epoch : claims_[me_])
    out.claims += epoch != 0 ? 1U : 0U;
  for (const auto& [bucket, kept] : foreign_)
    out.foreign += kept.marks.size();
  return out;
}

cluster_view_ptr cluster_core::view() const {
  return view_;
}

} // namespace vartalap::core
