#include "core/replicator.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

namespace {

bool contains(std::span<const node_index> all, node_index one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

} // namespace

void replicator::set_view(cluster_view_ptr view, mono_time now,
                          replicator_effects& out) {
  view_ = std::move(view);
  if (view_->calm)
    hinted_.clear();
  std::vector<std::uint64_t> shaken;
  for (auto& [ticket, one] : pending_) {
    auto is_shaken = one.is_removal && !view_->calm;
    for (auto& each : one.copies)
      if (each.where == holder::asked && !view_->live[each.node]) {
        each.where = holder::lost;
        is_shaken = true;
      }
    if (is_shaken)
      shaken.push_back(ticket);
  }
  std::sort(shaken.begin(), shaken.end());
  for (const auto ticket : shaken)
    look_at(ticket, now, out);
}

unsigned replicator::promised(const pending& one) const noexcept {
  unsigned n = 0;
  for (const auto& each : one.copies)
    n += each.where != holder::lost && view_->counts[each.node] ? 1U : 0U;
  return n;
}

unsigned replicator::committed_copies(const pending& one) const noexcept {
  unsigned n = 0;
  for (const auto& each : one.copies)
    n += each.where == holder::done && view_->counts[each.node] ? 1U : 0U;
  return n;
}

// Asks the next nodes in line until enough have been asked.
// False where there are not enough.
bool replicator::ask_more(pending& one, std::uint64_t ticket, mono_time now,
                          replicator_effects& out) {
  const auto need = rules_.min_copies - 1;
  const auto line = view_->where->line(one.bucket);
  replicate::send more{ticket, {}};
  for (const auto node : line) {
    if (promised(one) >= need)
      break;
    const auto is_known
      = node == view_->me
        || std::any_of(one.copies.begin(), one.copies.end(),
                       [&](const auto& x) { return x.node == node; });
    if (is_known || !view_->live[node] || !view_->counts[node])
      continue;
    one.copies.push_back({node, holder::asked, now});
    more.to.push_back(node);
    if (!contains(view_->where->holders(one.bucket, rules_.replicas), node)) {
      auto& hinted = hinted_[one.bucket];
      if (!contains(hinted, node))
        hinted.push_back(node);
    }
  }
  if (!more.to.empty())
    out.emplace_back(std::move(more));
  return promised(one) >= need;
}

bool replicator::put(std::uint64_t ticket, bucket_id bucket, server_id,
                     mono_time now, replicator_effects& out) {
  pending one;
  one.bucket = bucket;
  replicate::send first{ticket, {}};
  for (const auto node : view_->where->holders(bucket, rules_.replicas))
    if (node != view_->me && view_->live[node]) {
      one.copies.push_back({node, holder::asked, now});
      first.to.push_back(node);
    }
  const auto at = out.size();
  if (!first.to.empty())
    out.emplace_back(std::move(first));
  if (!ask_more(one, ticket, now, out) && !rules_.accept_when_short) {
    out.resize(at);
    return false;
  }
  pending_[ticket] = std::move(one);
  return true;
}

void replicator::committed_here(std::uint64_t ticket, mono_time now,
                                replicator_effects& out) {
  if (const auto found = pending_.find(ticket); found != pending_.end()) {
    found->second.here = true;
    look_at(ticket, now, out);
  }
}

void replicator::settle(std::uint64_t ticket, node_index node,
                        holder::state how, mono_time now,
                        replicator_effects& out) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end())
    return;
  for (auto& each : found->second.copies)
    if (each.node == node)
      each.where = how;
  look_at(ticket, now, out);
}

void replicator::committed(std::uint64_t ticket, node_index node, mono_time now,
                           replicator_effects& out) {
  settle(ticket, node, holder::done, now, out);
}

void replicator::failed(std::uint64_t ticket, node_index node, mono_time now,
                        replicator_effects& out) {
  settle(ticket, node, holder::lost, now, out);
}

// Decides what has become of it, once something has changed.
void replicator::look_at(std::uint64_t ticket, mono_time now,
                         replicator_effects& out) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end())
    return;
  auto& one = found->second;
  if (one.is_removal) {
    const auto all = std::all_of(
      one.copies.begin(), one.copies.end(),
      [](const auto& each) { return each.where == holder::done; });
    const auto any = std::any_of(
      one.copies.begin(), one.copies.end(),
      [](const auto& each) { return each.where == holder::lost; });
    if (all && view_->calm)
      out.emplace_back(replicate::forget{ticket});
    if (all || any || !view_->calm)
      pending_.erase(found);
    return;
  }
  const auto has_enough = ask_more(one, ticket, now, out);
  const auto copies = committed_copies(one);
  const auto is_short = !has_enough && copies >= promised(one);
  if (is_short && !rules_.accept_when_short) {
    out.emplace_back(replicate::refused{ticket});
    pending_.erase(found);
  } else if (one.here && (copies >= rules_.min_copies - 1 || is_short)) {
    out.emplace_back(replicate::confirmed{ticket, copies});
    pending_.erase(found);
  }
}

void replicator::drop(std::uint64_t ticket) {
  pending_.erase(ticket);
}

std::vector<node_index> replicator::targets(bucket_id bucket) const {
  std::vector<node_index> out;
  for (const auto node : view_->where->holders(bucket, rules_.replicas))
    if (node != view_->me && view_->live[node])
      out.push_back(node);
  if (const auto found = hinted_.find(bucket); found != hinted_.end())
    for (const auto node : found->second)
      if (node != view_->me && view_->live[node] && !contains(out, node))
        out.push_back(node);
  // A node that is home without being a holder: the holders' copies are not
  // all there are.
  const auto owner = view_->owner(bucket);
  if (owner != no_node && owner != view_->me && view_->live[owner]
      && !contains(out, owner))
    out.push_back(owner);
  return out;
}

std::vector<node_index> replicator::remove(std::uint64_t ticket,
                                           bucket_id bucket,
                                           replicator_effects& out) {
  auto to = targets(bucket);
  if (!view_->calm)
    return to;
  if (to.empty()) {
    out.emplace_back(replicate::forget{ticket});
    return to;
  }
  pending one;
  one.bucket = bucket;
  one.is_removal = true;
  for (const auto node : to)
    one.copies.push_back({node, holder::asked, {}});
  pending_[ticket] = std::move(one);
  return to;
}

void replicator::tick(mono_time now, replicator_effects& out) {
  std::vector<std::uint64_t> late;
  for (auto& [ticket, one] : pending_) {
    if (one.is_removal)
      continue;
    auto is_late = false;
    for (auto& each : one.copies)
      if (each.where == holder::asked && now - each.since >= rules_.patience) {
        each.where = holder::lost; // It may still come: `committed` counts it.
        is_late = true;
      }
    if (is_late)
      late.push_back(ticket);
  }
  std::sort(late.begin(), late.end());
  for (const auto ticket : late)
    look_at(ticket, now, out);
}

} // namespace vartalap::core
