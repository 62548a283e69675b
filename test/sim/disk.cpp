#include "test/sim/disk.hpp"

#include "core/cluster_answer.hpp"
#include "core/hash.hpp"

#include <utility>

namespace vartalap::sim {

using namespace core;

const stored* disk::put(const stored& what) {
  if (is_removed(what.serverid))
    return nullptr;
  const auto [at, fresh] = messages_[what.to].try_emplace(what.serverid, what);
  if (!fresh)
    at->second.acks |= what.acks;
  else
    on_copy(what, true);
  return &at->second;
}

bool disk::remove(user_index user, server_id serverid, int remember) {
  const bool held = find(user, serverid) != nullptr;
  if (remember == 2 || (remember == 1 && held))
    removed_.emplace(serverid, user);
  drop(user, serverid);
  return held;
}

bool disk::acknowledge(user_index user, server_id serverid,
                       std::uint32_t device) {
  const auto box = messages_.find(user);
  if (box == messages_.end())
    return false;
  const auto at = box->second.find(serverid);
  if (at == box->second.end())
    return false;
  at->second.acks |= 1U << device;
  return true;
}

void disk::put_device(user_index user, const device_record& record) {
  const device_key key{user, record.name};
  if (const auto gone = removed_devices_.find(key);
      gone != removed_devices_.end() && record.last_seen <= gone->second)
    return;
  const auto [at, fresh] = devices_.try_emplace(key, record);
  if (!fresh && is_newer(record, at->second))
    at->second = record;
}

bool disk::remove_device(user_index user, const std::string& name, wall_ms at,
                         int remember) {
  const device_key key{user, name};
  const auto held = devices_.find(key);
  const bool hit = held != devices_.end() && held->second.last_seen <= at;
  if (hit)
    devices_.erase(held);
  if (remember == 2 || (remember == 1 && hit)) {
    auto& known = removed_devices_[key];
    known = std::max(known, at);
  }
  return hit;
}

void disk::drop(user_index user, server_id serverid) {
  const auto box = messages_.find(user);
  if (box == messages_.end())
    return;
  const auto at = box->second.find(serverid);
  if (at == box->second.end())
    return;
  const auto gone = at->second;
  box->second.erase(at);
  if (box->second.empty())
    messages_.erase(box);
  on_copy(gone, false);
}

void disk::drop_device(const say::device_of& device) {
  const auto at = devices_.find({user_number(device.user), device.record.name});
  if (at != devices_.end() && at->second == device.record)
    devices_.erase(at);
}

void disk::forget(const say::removal& what) {
  if (what.device.empty()) {
    removed_.erase(what.serverid);
    return;
  }
  const auto at = removed_devices_.find({user_number(what.user), what.device});
  if (at != removed_devices_.end() && at->second == what.at)
    removed_devices_.erase(at);
}

std::vector<say::bucket_sum> disk::sums(bucket_id first, std::uint32_t count,
                                        std::vector<bucket_id>& graves) const {
  std::map<bucket_id, say::bucket_sum> out;
  const auto within = [&](user_index user) {
    const auto bucket = bucket_of(user);
    return bucket >= first && bucket < first + count;
  };
  const auto add = [&](user_index user, std::uint64_t hash) {
    auto& each = out[bucket_of(user)];
    each.bucket = bucket_of(user);
    ++each.entries;
    each.sum ^= mix64(hash);
  };
  for (const auto& [user, box] : messages_)
    if (within(user))
      for (const auto& [serverid, each] : box)
        add(user, mix64(serverid.high) ^ serverid.low ^ mix64(each.acks + 1));
  for (const auto& [key, record] : devices_)
    if (within(key.first))
      add(key.first, stable_hash(record.name, record.last_seen) + key.first);
  std::set<bucket_id> with_removals;
  for (const auto& [serverid, user] : removed_)
    if (within(user))
      with_removals.insert(bucket_of(user));
  for (const auto& [key, at] : removed_devices_)
    if (within(key.first))
      with_removals.insert(bucket_of(key.first));
  graves.assign(with_removals.begin(), with_removals.end());
  std::vector<say::bucket_sum> list;
  for (const auto& [bucket, sum] : out)
    list.push_back(sum);
  return list;
}

say::listing disk::list(bucket_id bucket) const {
  say::listing out;
  out.bucket = bucket;
  for (const auto& [user, box] : messages_)
    if (bucket_of(user) == bucket)
      for (const auto& [serverid, each] : box)
        out.messages.push_back({user_name(user), serverid, mix64(each.acks)});
  for (const auto& [key, record] : devices_)
    if (bucket_of(key.first) == bucket)
      out.devices.push_back({user_name(key.first), record});
  for (const auto& [serverid, user] : removed_)
    if (bucket_of(user) == bucket)
      out.removals.push_back({user_name(user), serverid, {}, 0});
  for (const auto& [key, at] : removed_devices_)
    if (bucket_of(key.first) == bucket)
      out.removals.push_back({user_name(key.first), {}, key.second, at});
  return out;
}

std::vector<stored> disk::messages(user_index user) const {
  std::vector<stored> out;
  if (const auto box = messages_.find(user); box != messages_.end())
    for (const auto& [serverid, each] : box->second)
      out.push_back(each);
  return out;
}

std::vector<device_record> disk::devices(user_index user) const {
  std::vector<device_record> out;
  for (auto at = devices_.lower_bound({user, {}});
       at != devices_.end() && at->first.first == user; ++at)
    out.push_back(at->second);
  return out;
}

const stored* disk::find(user_index user, server_id serverid) const {
  const auto box = messages_.find(user);
  if (box == messages_.end())
    return nullptr;
  const auto at = box->second.find(serverid);
  return at == box->second.end() ? nullptr : &at->second;
}

bool disk::is_removed(server_id serverid) const {
  return removed_.contains(serverid);
}

void disk::wipe() {
  for (const auto& [user, box] : std::exchange(messages_, {}))
    for (const auto& [serverid, each] : box)
      on_copy(each, false);
  devices_.clear();
  removed_.clear();
  removed_devices_.clear();
}

disk_queue::disk_queue(world& in,
                       std::function<void(sim_time, std::function<void()>)> run)
  : world_(&in), run_(std::move(run)) {
}

void disk_queue::add(std::function<void()> work, std::function<void()> then) {
  queue_.push_back({std::move(work), std::move(then)});
  if (std::exchange(busy_, true))
    return;
  const auto time = slow_ ? world_->random(100 * ms, 3 * s)
                          : world_->random(500, 6 * ms);
  run_(time, [this] { commit(); });
}

void disk_queue::commit() {
  const auto batch = std::exchange(queue_, {});
  busy_ = false;
  for (const auto& each : batch) {
    each.work();
    if (each.then)
      each.then();
  }
}

} // namespace vartalap::sim
