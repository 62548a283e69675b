// What a peer offers is compared with what is held here.

#include "core/cluster_core.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace vartalap::core {

void cluster_core::handle(node_index peer, say::sums& what, instant) {
  request asked{request::compare, peer, what.pass, what.first, what, {}, {}};
  const auto first = what.first;
  const auto count = what.count;
  port_.read_sums(ask(std::move(asked)), first, count);
}

void cluster_core::compare_sums(request& asked,
                                const std::vector<say::bucket_sum>& mine) {
  if (!peers_[asked.peer].live)
    return;
  say::differs out;
  out.pass = asked.pass;
  out.first = asked.theirs.first;
  for (const auto& one : asked.theirs.buckets) {
    const auto at = std::lower_bound(
      mine.begin(), mine.end(), one.bucket,
      [](const auto& x, bucket_id bucket) { return x.bucket < bucket; });
    if (at == mine.end() || *at != one)
      out.buckets.push_back(one.bucket);
  }
  port_.send(asked.peer, std::move(out));
}

void cluster_core::handle(node_index peer, say::listing& what, instant) {
  const auto bucket = what.bucket;
  request asked{request::answer, peer, what.pass, bucket, {}, {}, {}};
  asked.offered = std::move(what);
  port_.read_bucket(ask(std::move(asked)), bucket);
}

void cluster_core::answer_listing(request& asked, const say::listing& mine) {
  std::map<std::pair<std::string, server_id>, std::uint64_t> held;
  for (const auto& one : mine.messages)
    held.emplace(std::pair{one.user, one.serverid}, one.acks);
  std::map<std::pair<std::string, std::string>, const device_record*> devices;
  for (const auto& one : mine.devices)
    devices.emplace(std::pair{one.user, one.record.name}, &one.record);
  std::map<removal_key, wall_ms> removed;
  for (const auto& one : mine.removals)
    removed.emplace(removal_key{one.user, one.serverid, one.device}, one.at);

  auto& offered = asked.offered;
  say::wants reply;
  reply.pass = asked.pass;
  reply.bucket = asked.bucket;
  for (auto& one : offered.messages) {
    const auto here = held.find({one.user, one.serverid});
    if (removed.contains({one.user, one.serverid, {}}))
      reply.removed.push_back({one.user, one.serverid, {}, 0});
    else if (here == held.end() || (one.acks != 0 && here->second != one.acks))
      reply.missing.push_back(std::move(one));
  }
  std::vector<say::removal> removals;
  for (auto& one : offered.removals) {
    const auto device = devices.find({one.user, one.device});
    const auto concerns_me = one.device.empty()
                               ? held.contains({one.user, one.serverid})
                               : device != devices.end()
                                   && device->second->last_seen <= one.at;
    if (concerns_me)
      removals.push_back(std::move(one));
  }
  std::vector<say::device_of> records;
  for (auto& one : offered.devices) {
    const auto gone = removed.find({one.user, {}, one.record.name});
    const auto here = devices.find({one.user, one.record.name});
    if (gone != removed.end() && one.record.last_seen <= gone->second)
      reply.removed.push_back({one.user, {}, one.record.name, gone->second});
    else if (here == devices.end()
             || here->second->last_seen < one.record.last_seen
             || here->second->cancelled_upto < one.record.cancelled_upto)
      records.push_back(std::move(one));
  }
  if (removals.empty() && records.empty()) {
    if (peers_[asked.peer].live)
      port_.send(asked.peer, std::move(reply));
    return;
  }
  request next{request::apply,  asked.peer, asked.pass, asked.bucket, {}, {},
               std::move(reply)};
  port_.apply(ask(std::move(next)), removals, records);
}

void cluster_core::applied(std::uint64_t number, instant) {
  const auto found = requests_.find(number);
  if (found == requests_.end())
    return;
  auto asked = std::move(found->second);
  requests_.erase(found);
  if (asked.pass != 0 && peers_[asked.peer].live)
    port_.send(asked.peer, std::move(asked.reply));
}

} // namespace vartalap::core
