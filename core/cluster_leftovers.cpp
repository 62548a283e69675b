#include "core/cluster_leftovers.hpp"

#include "core/cluster_answer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vartalap::core {

namespace {

bool same(const say::device_of& a, const say::device_of& b) {
  return a.user == b.user && a.record == b.record;
}

bool contains(const std::vector<say::device_of>& all,
              const say::device_of& one) {
  return std::any_of(all.begin(), all.end(),
                     [&](const auto& each) { return same(each, one); });
}

/// What is in both; both in `removal_order`.
std::vector<say::removal> common(const std::vector<say::removal>& a,
                                 const std::vector<say::removal>& b) {
  std::vector<say::removal> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(out), removal_order{});
  return out;
}

/// Every other node that is to have the bucket, live or not.
std::vector<node_index> concerned(const cluster_context& with,
                                  bucket_id bucket) {
  std::vector<node_index> out;
  for (const auto node : with.where->holders(bucket, with.rules.replicas))
    if (node != with.me)
      out.push_back(node);
  const auto owner = with.owner(bucket);
  if (owner != no_node && owner != with.me
      && std::find(out.begin(), out.end(), owner) == out.end())
    out.push_back(owner);
  return out;
}

} // namespace

cluster_leftovers::verdict
cluster_leftovers::checked(cluster_context& with, bucket_id bucket,
                           const say::listing& content, bool forced) {
  verdict out;
  auto& each = keeps_[bucket];
  const bool foreign
    = !with.concerns(with.me, bucket)
      && !(content.messages.empty() && content.devices.empty());
  set_foreign(each, foreign);
  each.content = foreign ? content : say::listing{};
  if (!foreign)
    each.by.clear();
  std::set<node_index> to;
  for (const auto node : concerned(with, bucket))
    if (forced || (foreign && !has_all(each, node)))
      to.insert(node);
  out.again = foreign && drop_confirmed(with, each);
  if (!content.removals.empty() && with.all_live()) {
    if (with.peers.size() == 1)
      with.port->forget(content.removals);
    for (std::size_t i = 0; i < with.peers.size(); ++i)
      if (const auto node = static_cast<node_index>(i);
          node != with.me && !each.told.contains(node))
        to.insert(node);
  }
  if (!foreign && content.removals.empty())
    keeps_.erase(bucket);
  for (const auto node : to)
    if (with.peers[node].live)
      out.offer_to.push_back(node);
  return out;
}

bool cluster_leftovers::confirmed(cluster_context& with, node_index peer,
                                  const say::listing& content, bool clean) {
  const auto at = keeps_.find(content.bucket);
  if (at == keeps_.end() && content.removals.empty())
    return false;
  auto& each = at != keeps_.end() ? at->second : keeps_[content.bucket];
  bool look_again = false;
  if (each.foreign && with.concerns(peer, content.bucket)) {
    held has;
    for (const auto& message : content.messages)
      has.messages.push_back(message.serverid);
    std::sort(has.messages.begin(), has.messages.end());
    has.devices = content.devices;
    each.by[peer] = std::move(has);
    const auto all = concerned(with, content.bucket);
    look_again = std::all_of(all.begin(), all.end(),
                             [&](auto node) { return each.by.contains(node); });
  }
  if (content.removals.empty())
    return look_again;
  auto removals = content.removals;
  std::sort(removals.begin(), removals.end(), removal_order{});
  if (each.told.empty()) {
    each.round = std::move(removals);
    each.clean = true;
  } else {
    each.round = common(each.round, removals);
  }
  each.told.insert(peer);
  each.clean = each.clean && clean;
  return end_round(with, each) || look_again;
}

void cluster_leftovers::distrust(node_index peer) {
  for (auto& [bucket, each] : keeps_) {
    each.by.erase(peer);
    each.told.erase(peer);
    each.clean_before.clear();
  }
}

void cluster_leftovers::clear() {
  keeps_.clear();
  foreign_buckets_ = 0;
}

std::vector<bucket_id> cluster_leftovers::foreign() const {
  std::vector<bucket_id> out;
  for (const auto& [bucket, each] : keeps_)
    if (each.foreign)
      out.push_back(bucket);
  return out;
}

std::uint64_t cluster_leftovers::foreign_messages() const noexcept {
  std::uint64_t out = 0;
  for (const auto& [bucket, each] : keeps_)
    out += each.content.messages.size();
  return out;
}

/// The node has confirmed all foreign things of the last look.
bool cluster_leftovers::has_all(const keep& of, node_index node) {
  const auto at = of.by.find(node);
  if (at == of.by.end())
    return false;
  const auto& has = at->second;
  return std::all_of(of.content.messages.begin(), of.content.messages.end(),
                     [&](const auto& each) {
                       return std::binary_search(has.messages.begin(),
                                                 has.messages.end(),
                                                 each.serverid);
                     })
         && std::all_of(
           of.content.devices.begin(), of.content.devices.end(),
           [&](const auto& each) { return contains(has.devices, each); });
}

/// Drops what everybody has who is to have it.
/// @returns True where there was something.
bool cluster_leftovers::drop_confirmed(cluster_context& with, const keep& of) {
  const auto all = concerned(with, of.content.bucket);
  if (!std::all_of(all.begin(), all.end(),
                   [&](auto node) { return of.by.contains(node); }))
    return false;
  std::vector<say::message_mark> messages;
  for (const auto& each : of.content.messages)
    if (std::all_of(all.begin(), all.end(), [&](auto node) {
          const auto& has = of.by.at(node).messages;
          return std::binary_search(has.begin(), has.end(), each.serverid);
        }))
      messages.push_back(each);
  std::vector<say::device_of> devices;
  for (const auto& each : of.content.devices)
    if (std::all_of(all.begin(), all.end(), [&](auto node) {
          return contains(of.by.at(node).devices, each);
        }))
      devices.push_back(each);
  if (!messages.empty())
    with.port->drop(messages);
  if (!devices.empty())
    with.port->drop_devices(devices);
  return !messages.empty() || !devices.empty();
}

/// @returns True where a round has ended.
bool cluster_leftovers::end_round(cluster_context& with, keep& of) {
  if (of.told.size() + 1 < with.peers.size())
    return false;
  const auto twice = of.clean ? common(of.round, of.clean_before)
                              : std::vector<say::removal>{};
  if (!twice.empty())
    with.port->forget(twice);
  of.clean_before = of.clean ? std::move(of.round)
                             : std::vector<say::removal>{};
  of.round.clear();
  of.told.clear();
  of.clean = true;
  return true;
}

void cluster_leftovers::set_foreign(keep& of, bool foreign) {
  if (of.foreign && !foreign)
    --foreign_buckets_;
  if (!of.foreign && foreign)
    ++foreign_buckets_;
  of.foreign = foreign;
}

} // namespace vartalap::core
