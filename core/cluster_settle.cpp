// What follows from what has happened: the second half of cluster_core.
#include "core/cluster_core.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

namespace {

constexpr milliseconds check_interval{1000};
constexpr std::size_t checks_at_once = 64;

} // namespace

void cluster_core::settle(instant now) {
  look_at_clock(now.mono);
  do {
    again_ = false;
    advance_phase(now);
    for (auto& each : with_.peers)
      if (each.is_in_step() && (!each.trusted || !each.met)) {
        each.trusted = true; // repaired
        each.met = true;
        must_publish_ = true;
      }
    settle_ownership(now);
    if (must_publish_)
      publish();
    step_passes(now);
    step_survey(now);
    step_checks(now);
  } while (again_);
  settle_members();
}

bool cluster_core::finds_nobody() const {
  return met_ != mono_time::max()
         && std::none_of(with_.peers.begin(), with_.peers.end(),
                         [](const auto& each) { return each.live; });
}

/// Who is away finds the list in force when it comes back: so a node that
/// starts looks for the others first, and follows by itself only where it finds
/// none, since they link up under another list by then, or are down.
void cluster_core::settle_members() {
  if (next_members_ == 0 || agreed_
      || (phase_ == node_phase::joining && !finds_nobody())
      || !std::all_of(
        with_.peers.begin(), with_.peers.end(), [&](const auto& each) {
          return !each.live
                 || (each.greeted && each.next_members == next_members_);
        }))
    return;
  // It goes on saying so: others may have to hear it yet.
  agreed_ = true;
  with_.port->agreed();
}

// A process that stood still wakes up with yesterday's view, link by link.
void cluster_core::look_at_clock(mono_time now) {
  if (now - last_event_ >= with_.rules.stood_still)
    hears_until_ = now + with_.rules.hear_first;
  last_event_ = now;
}

void cluster_core::advance_phase(instant now) {
  if (phase_ != node_phase::joining)
    return;
  if (met_ == mono_time::max()
      && (with_.all_live()
          || now.mono >= started_ + with_.rules.wait_for_peers))
    met_ = now.mono;
  if (met_ == mono_time::max())
    return;
  bool in_step = true;
  for (const auto& each : with_.peers)
    in_step = in_step && (!each.live || each.is_in_step());
  if (!in_step && now.mono < met_ + with_.rules.wait_for_step)
    return;
  if (next_members_ != 0 && finds_nobody())
    return; // it joins under the other list
  phase_ = node_phase::serving;
  must_publish_ = true;
}

void cluster_core::settle_ownership(instant now) {
  auto& ownership = with_.ownership;
  for (std::size_t i = 0; i < with_.peers.size(); ++i) {
    const auto& each = with_.peers[i];
    const bool self = i == with_.me;
    const auto phase = self ? phase_ : each.phase;
    ownership.set_node(static_cast<node_index>(i), self || each.live,
                       (self || each.live) && phase == node_phase::serving);
  }
  look_at_company(now.mono);
  ownership.allow_takeovers(gathers_until_ == mono_time::min()
                            && now.mono >= hears_until_);
  if (is_alone())
    ownership.abdicate();
  const auto changed = ownership.settle(now.wall);
  if (changed.yielded)
    need_survey(); // what was owned may be held for others now
  for (const auto node : changed.takers) {
    // It took them unasked, and may know nothing of what waits here.
    peer(node).offered = false;
    passes_[node].offer_all();
  }
  if (changed.owners) {
    must_publish_ = true;
    look_for_heirs_ = true;
    ask_at_ = now.mono + with_.rules.ask_after;
    for (const auto bucket : leftovers_.foreign())
      suspects_[bucket].blocks = true; // others are to have it now
  }
  tell(changed.claims);
  if (auto ready = heirs(); ready != heirs_) {
    heirs_ = std::move(ready);
    look_for_heirs_ = true;
  }
  if (ownership.is_releasing() || !std::exchange(look_for_heirs_, false))
    return;
  if (const auto due = ownership.hand_over(heirs_, with_.rules.release_at_once);
      !due.empty())
    with_.port->release(due);
}

/// Tells the peers what they do not know yet of our claims and our state.
void cluster_core::tell(const say::claims& news) {
  say::status status{phase_, {}, is_in_step(), next_members_};
  for (std::size_t i = 0; i < with_.peers.size(); ++i)
    if (with_.peers[i].live)
      status.reaches.push_back(static_cast<node_index>(i));
  const bool changed = status.phase != told_.phase
                       || status.reaches != told_.reaches
                       || status.in_step != told_.in_step
                       || status.next_members != told_.next_members;
  if (changed)
    must_publish_ = true;
  for (std::size_t i = 0; i < with_.peers.size(); ++i) {
    auto& each = with_.peers[i];
    const auto node = static_cast<node_index>(i);
    if (!each.live)
      continue;
    if (!each.greeted)
      with_.port->send(node, with_.ownership.own_claims());
    else if (!news.made.empty() || !news.released.empty())
      with_.port->send(node, news);
    if (!each.greeted || changed)
      with_.port->send(node, status);
    each.greeted = true;
  }
  told_ = std::move(status);
}

void cluster_core::publish() {
  must_publish_ = false;
  auto out = std::make_shared<cluster_view>();
  out->where = with_.where;
  out->me = with_.me;
  out->replicas = with_.rules.replicas;
  out->owners = with_.ownership.owners();
  for (std::size_t i = 0; i < with_.peers.size(); ++i) {
    const auto& each = with_.peers[i];
    const bool self = i == with_.me;
    out->live.push_back(self || each.live);
    out->counts.push_back(self || (each.live && each.trusted));
    out->met.push_back(each.met);
  }
  out->calm = is_calm();
  out->split = is_split();
  out->may_confirm = gathers_until_ == mono_time::min();
  if (out->calm && (!view_ || !view_->calm)) {
    // Removals that met the old view on their way left tombstones behind.
    survey_wait_ = check_interval;
    survey_due_ = true;
  }
  const bool same = view_ && view_->where == out->where
                    && view_->live == out->live && view_->counts == out->counts
                    && view_->calm == out->calm && view_->split == out->split
                    && view_->may_confirm == out->may_confirm
                    && view_->met == out->met && view_->owners == out->owners;
  if (same && !std::exchange(held_, false))
    return;
  held_ = false;
  view_ = out;
  with_.port->publish(std::move(out));
}

void cluster_core::step_passes(instant now) {
  for (std::size_t i = 0; i < passes_.size(); ++i) {
    auto& each = with_.peers[i];
    if (!each.live || !passes_[i].step(with_, now.mono) || each.offered)
      continue;
    each.offered = true;
    again_ = true;
  }
}

void cluster_core::step_survey(instant now) {
  if (survey_due_ && !survey_running_ && now.mono >= survey_at_) {
    survey_due_ = false;
    survey_running_ = true;
    survey_next_ = 0;
    survey_asked_ = false;
  }
  if (!survey_running_ || survey_asked_)
    return;
  const auto buckets = static_cast<std::uint32_t>(with_.where->buckets());
  if (survey_next_ < buckets) {
    survey_asked_ = true;
    const auto first = static_cast<bucket_id>(survey_next_);
    with_.port->read_sums(with_.ask({asked_for::survey, no_node, first}), first,
                          std::min(with_.rules.slice, buckets - survey_next_));
    return;
  }
  survey_running_ = false;
  last_survey_ = now.mono;
  if (!survey_due_ && !surveyed_) {
    surveyed_ = true;
    again_ = true;
  }
  survey_at_ = now.mono + check_interval;
  if (view_->calm && !survey_due_) {
    survey_wait_ = std::min(survey_wait_ * 2, with_.rules.repair_interval);
    survey_at_ = now.mono + survey_wait_;
    survey_due_ = true;
  }
}

void cluster_core::survey_read(bucket_id first,
                               const std::vector<say::bucket_sum>& sums,
                               const std::vector<bucket_id>& with_removals) {
  if (!survey_running_ || first != survey_next_)
    return;
  survey_asked_ = false;
  survey_next_ += with_.rules.slice;
  for (const auto& each : sums)
    if (each.entries != 0 && !with_.concerns(with_.me, each.bucket))
      suspects_[each.bucket].blocks = true;
  if (with_.all_live())
    for (const auto bucket : with_removals)
      suspects_.try_emplace(bucket);
}

void cluster_core::need_survey() {
  survey_due_ = true;
  surveyed_ = false;
  // A calm time may have put it off.
  survey_at_ = std::min(survey_at_, last_survey_ + check_interval);
}

void cluster_core::step_checks(instant now) {
  if (suspects_.empty() || !checking_.empty() || now.mono < next_check_)
    return;
  while (!suspects_.empty() && checking_.size() < checks_at_once)
    checking_.insert(suspects_.extract(suspects_.begin()));
  if (suspects_.empty())
    next_check_ = now.mono + check_interval;
  for (const auto& [bucket, why] : checking_)
    with_.port->read_bucket(with_.ask({asked_for::check, no_node, bucket}),
                            bucket);
}

/// Where an owner by rank does not know that somebody before it is away (it
/// still reaches him), it is asked to claim.
void cluster_core::ask_owners(instant now) {
  if (now.mono < ask_at_)
    return;
  ask_at_ = now.mono + with_.rules.ask_after;
  if (with_.all_live())
    return;
  for (auto& [owner, buckets] : with_.ownership.unclaimed())
    with_.port->send(owner, say::please_take{std::move(buckets)});
}

bool cluster_core::is_in_step() const {
  if (phase_ != node_phase::serving || !surveyed_ || leftovers_.has_foreign()
      || with_.ownership.own_claim_count() != 0)
    return false;
  const auto blocks = [](const auto& entry) { return entry.second.blocks; };
  if (std::any_of(suspects_.begin(), suspects_.end(), blocks)
      || std::any_of(checking_.begin(), checking_.end(), blocks))
    return false;
  for (std::size_t i = 0; i < with_.peers.size(); ++i)
    if (i != with_.me && !with_.peers[i].is_in_step())
      return false;
  return true;
}

bool cluster_core::is_calm() const {
  if (!is_in_step())
    return false;
  for (std::size_t i = 0; i < with_.peers.size(); ++i)
    if (i != with_.me && !with_.peers[i].says_in_step)
      return false;
  return true;
}

/// Too few nodes are live for a message to be confirmed.
bool cluster_core::is_alone() const {
  const auto live = std::count_if(with_.peers.begin(), with_.peers.end(),
                                  [](const auto& each) { return each.live; });
  return live + 1 < static_cast<std::ptrdiff_t>(with_.rules.live_min);
}

/// Every node that a live peer reaches has told us its claims.
bool cluster_core::knows_what_peers_know() const {
  return std::all_of(
    with_.peers.begin(), with_.peers.end(), [&](const auto& each) {
      return !each.live
             || (each.has_status
                 && std::all_of(
                   each.reaches.begin(), each.reaches.end(), [&](auto node) {
                     return node == with_.me || with_.peers[node].live;
                   }));
    });
}

/// Who was alone takes nothing until it knows who has taken its buckets.
void cluster_core::look_at_company(mono_time now) {
  const auto before = gathers_until_;
  if (is_alone())
    gathers_until_ = mono_time::max();
  else if (gathers_until_ == mono_time::max())
    gathers_until_ = now + with_.rules.hear_first;
  if (!is_alone() && (now >= gathers_until_ || knows_what_peers_know()))
    gathers_until_ = mono_time::min();
  must_publish_ = must_publish_ || gathers_until_ != before;
}

bool cluster_core::is_split() const {
  for (std::size_t i = 0; i < with_.peers.size(); ++i) {
    const auto& each = with_.peers[i];
    if (!each.live || !each.has_status)
      continue;
    for (std::size_t j = 0; j < with_.peers.size(); ++j)
      if (j != i && j != with_.me && with_.peers[j].live
          && std::find(each.reaches.begin(), each.reaches.end(), j)
               == each.reaches.end())
        return true;
  }
  return false;
}

/// By node: a bucket of its may be handed over to it.
std::vector<bool> cluster_core::heirs() const {
  std::vector<bool> out(with_.peers.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto& heir = with_.peers[i];
    out[i] = i != with_.me && heir.is_in_step() && heir.trusted;
    for (std::size_t j = 0; j < out.size() && out[i]; ++j) {
      const auto& other = with_.peers[j];
      out[i] = j == i || j == with_.me || !other.live
               || std::find(other.reaches.begin(), other.reaches.end(), i)
                    != other.reaches.end();
    }
  }
  return out;
}

} // namespace vartalap::core
