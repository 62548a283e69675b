#include "core/cluster_core.hpp"

#include "core/cluster_answer.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

cluster_core::cluster_core(const std::shared_ptr<const placement>& where,
                           node_index me, const cluster_rules& rules,
                           cluster_port& port, instant now)
  : with_{where, me, rules, &port, {}, cluster_ownership{where, me}, {}, 0},
    started_(now.mono), last_event_(now.mono),
    next_repair_(now.mono + rules.repair_interval),
    ask_at_(now.mono + rules.ask_after) {
  with_.peers.resize(where->members().size());
  for (std::size_t i = 0; i < with_.peers.size(); ++i)
    passes_.emplace_back(static_cast<node_index>(i));
  settle(now);
}

cluster_core::~cluster_core() = default;

void cluster_core::link_up(node_index node, bool trusted, instant now) {
  forget_peer(node);
  auto& each = peer(node);
  each.live = true;
  if (!trusted) {
    each.trusted = false;
    leftovers_.distrust(node);
  }
  passes_[node].offer_all();
  if (with_.all_live())
    need_survey(); // tombstones may go now
  must_publish_ = true;
  settle(now);
}

void cluster_core::link_down(node_index node, instant now) {
  forget_peer(node);
  hears_until_
    = std::max(hears_until_, now.mono + microseconds{with_.rules.look_round});
  must_publish_ = true;
  settle(now);
}

void cluster_core::received(node_index from, cluster_message message,
                            instant now) {
  if (from >= with_.peers.size() || !peer(from).live)
    return;
  std::visit([&](auto& what) { heard(from, what); }, message);
  settle(now);
}

void cluster_core::heard(node_index from, const say::status& what) {
  auto& each = peer(from);
  each.phase = what.phase;
  each.reaches = what.reaches;
  each.says_in_step = what.in_step;
  each.next_members = what.next_members;
  each.has_status = true;
  look_for_heirs_ = true; // it may have begun to serve
  must_publish_ = true;
}

void cluster_core::heard(node_index from, const say::claims& what) {
  with_.ownership.heard(from, what);
}

void cluster_core::heard(node_index, const say::please_take& what) {
  if (phase_ != node_phase::serving)
    return;
  for (const auto bucket : what.buckets)
    if (with_.where->rank(bucket, with_.me) != placement::line_max)
      with_.ownership.take(bucket);
}

void cluster_core::heard(node_index from, say::sums& what) {
  const auto request = with_.ask({asked_for::answer_sums, from, what.first});
  const auto first = what.first;
  const auto count = what.count;
  sums_.emplace(request, std::move(what));
  with_.port->read_sums(request, first, count);
}

void cluster_core::heard(node_index from, const say::differs& what) {
  passes_[from].differs(with_.rules.slice, what);
}

void cluster_core::heard(node_index from, say::listing& what) {
  const auto bucket = what.bucket;
  const auto request = with_.ask({asked_for::answer_bucket, from, bucket});
  listings_.emplace(request, std::move(what));
  with_.port->read_bucket(request, bucket);
}

void cluster_core::heard(node_index from, const say::wants& what) {
  passes_[from].wants(with_, what);
  confirm(from, passes_[from].finished(what.bucket));
}

void cluster_core::heard(node_index from, const say::pass_done&) {
  peer(from).heard = true;
}

void cluster_core::sums_read(std::uint64_t request,
                             const std::vector<say::bucket_sum>& sums,
                             const std::vector<bucket_id>& with_removals,
                             instant now) {
  cluster_request was;
  if (!take_request(request, was))
    return;
  if (was.what == asked_for::survey) {
    survey_read(was.bucket, sums, with_removals);
  } else if (was.what == asked_for::offer_sums) {
    passes_[was.peer].sums_read(with_, was.bucket, sums, with_removals);
  } else if (was.what == asked_for::answer_sums) {
    const auto theirs = sums_.extract(request);
    answer_sums(was.peer, theirs.mapped(), sums);
  }
  settle(now);
}

void cluster_core::bucket_read(std::uint64_t request, say::listing content,
                               instant now) {
  cluster_request was;
  if (!take_request(request, was))
    return;
  if (was.what == asked_for::check) {
    content.bucket = was.bucket;
    const auto why = checking_.extract(was.bucket);
    const bool forced = !why.empty() && why.mapped().forced;
    const auto found = leftovers_.checked(with_, was.bucket, content, forced);
    for (const auto node : found.offer_to)
      passes_[node].offer(was.bucket);
    if (found.again)
      suspects_[was.bucket].blocks = true;
  } else if (was.what == asked_for::offer_bucket) {
    if (content.messages.empty() && content.devices.empty()
        && leftovers_.is_foreign(was.bucket))
      suspects_[was.bucket].blocks = true; // it became empty meanwhile
    passes_[was.peer].bucket_read(with_, was.bucket, std::move(content));
  } else if (was.what == asked_for::answer_bucket) {
    const auto theirs = listings_.extract(request);
    answer_listing(was.peer, theirs.mapped(), content);
  }
  settle(now);
}

void cluster_core::copied(std::uint64_t request, bool ok, instant now) {
  cluster_request was;
  if (!take_request(request, was))
    return;
  if (!ok)
    peer(was.peer).offered = false;
  confirm(was.peer, passes_[was.peer].done(was.bucket, ok));
  settle(now);
}

void cluster_core::applied(std::uint64_t request, instant now) {
  cluster_request was;
  if (!take_request(request, was))
    return;
  if (was.what == asked_for::offer_apply) {
    confirm(was.peer, passes_[was.peer].done(was.bucket, true));
  } else if (was.what == asked_for::answer_apply) {
    auto answer = wants_.extract(request);
    with_.port->send(was.peer, std::move(answer.mapped()));
  }
  settle(now);
}

void cluster_core::released(const std::vector<bucket_id>& buckets,
                            instant now) {
  with_.ownership.released(buckets, heirs());
  need_survey(); // what was owned may be held for others now
  must_publish_ = true;
  held_ = true;
  look_for_heirs_ = true;
  settle(now);
}

void cluster_core::out_of_step(node_index node, instant now) {
  if (!peer(node).live)
    return;
  peer(node).offered = false;
  passes_[node].offer_all();
  settle(now);
}

void cluster_core::keeps(bucket_id bucket, instant now) {
  suspects_[bucket] = {true, true};
  settle(now);
}

void cluster_core::drain(instant now) {
  if (phase_ == node_phase::draining)
    return;
  with_.ownership.claim_owned();
  phase_ = node_phase::draining;
  look_for_heirs_ = true;
  settle(now);
}

bool cluster_core::is_empty() const {
  if (phase_ != node_phase::draining)
    return false;
  const bool alone = std::none_of(with_.peers.begin(), with_.peers.end(),
                                  [](const auto& each) { return each.live; });
  return alone
         || (with_.ownership.own_claim_count() == 0 && surveyed_
             && suspects_.empty() && checking_.empty()
             && std::all_of(passes_.begin(), passes_.end(),
                            [](const auto& each) { return each.is_idle(); }));
}

void cluster_core::propose(std::uint64_t next, instant now) {
  next_members_ = next;
  agreed_ = false;
  settle(now);
}

void cluster_core::set_members(const std::shared_ptr<const placement>& where,
                               node_index me, instant now) {
  const auto before = std::exchange(with_.where, where);
  std::vector<cluster_peer> peers(where->members().size());
  for (std::size_t i = 0; i < with_.peers.size(); ++i)
    if (const auto node = where->find(before->members()[i]); node != no_node) {
      const auto& old = with_.peers[i];
      // Its state is told anew, in the numbers of the new list.
      peers[node].live = old.live;
      peers[node].trusted = old.trusted;
      peers[node].phase = old.phase;
      peers[node].met = old.met;
    }
  next_members_ = 0;
  agreed_ = false;
  if (phase_ == node_phase::joining) { // anew, with other nodes
    started_ = now.mono;
    met_ = mono_time::max();
  }
  with_.me = me;
  with_.peers = std::move(peers);
  with_.ownership = cluster_ownership{where, me, with_.ownership};
  with_.requests.clear();
  leftovers_.clear();
  sums_.clear();
  listings_.clear();
  wants_.clear();
  suspects_.clear();
  checking_.clear();
  survey_running_ = false;
  passes_.clear();
  for (std::size_t i = 0; i < with_.peers.size(); ++i) {
    passes_.emplace_back(static_cast<node_index>(i));
    if (with_.peers[i].live)
      passes_.back().offer_all();
  }
  need_survey();
  must_publish_ = true;
  look_for_heirs_ = true;
  settle(now);
}

void cluster_core::tick(instant now) {
  if (now.mono >= next_repair_) {
    next_repair_ = now.mono + with_.rules.repair_interval;
    for (std::size_t i = 0; i < passes_.size(); ++i)
      if (with_.peers[i].live)
        passes_[i].offer_all();
  }
  ask_owners(now);
  settle(now);
}

cluster_core::report cluster_core::look() const {
  report out;
  for (std::size_t i = 0; i < with_.peers.size(); ++i) {
    const auto& each = with_.peers[i];
    const bool self = i == with_.me;
    report::peer shown;
    shown.live = self || each.live;
    shown.phase = self ? phase_ : each.phase;
    shown.trusted = each.trusted;
    shown.in_step = self || each.is_in_step();
    shown.agrees = self || each.next_members == next_members_
                   || next_members_ == 0 || !each.live;
    shown.to_copy = passes_[i].to_copy();
    out.under_replicated += shown.to_copy;
    out.peers.push_back(shown);
  }
  for (const auto owner : with_.ownership.owners())
    if (owner == no_node)
      ++out.ownerless;
    else
      ++out.peers[owner].owns;
  out.phase = phase_;
  out.calm = view_->calm;
  out.is_changing = next_members_ != 0;
  out.claims = with_.ownership.own_claim_count();
  out.foreign = leftovers_.foreign_messages();
  return out;
}

bool cluster_core::take_request(std::uint64_t request, cluster_request& out) {
  const auto at = with_.requests.find(request);
  if (at == with_.requests.end())
    return false; // of a link that was lost since, or of other members
  out = at->second;
  with_.requests.erase(at);
  return true;
}

/// What was known and under way with a peer ends with its link.
void cluster_core::forget_peer(node_index node) {
  auto& each = peer(node);
  cluster_peer fresh;
  fresh.trusted = each.trusted; // what it has lost a new link does not repair
  fresh.met = each.met;
  each = std::move(fresh);
  with_.ownership.lost(node);
  passes_[node].cut();
  std::erase_if(with_.requests, [&](const auto& entry) {
    if (entry.second.peer != node)
      return false;
    sums_.erase(entry.first);
    listings_.erase(entry.first);
    wants_.erase(entry.first);
    return true;
  });
}

void cluster_core::confirm(node_index node, const say::listing* content) {
  if (content == nullptr)
    return;
  if (leftovers_.confirmed(with_, node, *content, passes_[node].was_clean()))
    suspects_[content->bucket].blocks |= leftovers_.has_foreign();
}

void cluster_core::answer_sums(node_index node, const say::sums& theirs,
                               const std::vector<say::bucket_sum>& ours) {
  say::differs out{theirs.pass, theirs.first, {}};
  auto at = ours.begin(); // both ascend
  for (const auto& each : theirs.buckets) {
    while (at != ours.end() && at->bucket < each.bucket)
      ++at;
    if (at == ours.end() || !(*at == each))
      out.buckets.push_back(each.bucket);
  }
  with_.port->send(node, std::move(out));
}

void cluster_core::answer_listing(node_index node, const say::listing& theirs,
                                  const say::listing& ours) {
  auto out = answer_to(theirs, ours);
  if (out.removals.empty() && out.devices.empty()) {
    with_.port->send(node, std::move(out.wants));
    return;
  }
  const auto request
    = with_.ask({asked_for::answer_apply, node, theirs.bucket});
  wants_.emplace(request, std::move(out.wants));
  with_.port->apply(request, out.removals, out.devices);
}

} // namespace vartalap::core
