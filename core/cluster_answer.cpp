#include "core/cluster_answer.hpp"

#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace vartalap::core {

namespace {

using device_key = std::pair<std::string_view, std::string_view>;

/// One side's listing, to be asked.
struct index {
  std::unordered_map<server_id, const say::message_mark*> messages;
  std::unordered_map<server_id, const say::removal*> removed;
  std::map<device_key, const device_record*> devices;
  std::map<device_key, const say::removal*> removed_devices;

  explicit index(const say::listing& of) {
    for (const auto& each : of.messages)
      messages.emplace(each.serverid, &each);
    for (const auto& each : of.devices)
      devices.emplace(device_key{each.user, each.record.name}, &each.record);
    for (const auto& each : of.removals) {
      if (each.device.empty()) {
        removed.emplace(each.serverid, &each);
        continue;
      }
      auto& known = removed_devices[{each.user, each.device}];
      if (known == nullptr || known->at < each.at)
        known = &each;
    }
  }

  /// The removal that this device fell to, or null.
  const say::removal* removal_of(const say::device_of& device) const {
    const auto at = removed_devices.find({device.user, device.record.name});
    return at != removed_devices.end() && removes(*at->second, device)
             ? at->second
             : nullptr;
  }

  bool holds(const say::removal& what) const {
    if (what.device.empty())
      return messages.contains(what.serverid);
    const auto at = devices.find({what.user, what.device});
    return at != devices.end() && at->second->last_seen <= what.at;
  }
};

} // namespace

bool is_newer(const device_record& a, const device_record& b) noexcept {
  if (a.last_seen != b.last_seen)
    return a.last_seen > b.last_seen;
  if (a.push != b.push)
    return is_newer(a.push.get(), b.push.get());
  return std::tie(a.cancelled_upto, a.gap_count)
         > std::tie(b.cancelled_upto, b.gap_count);
}

bool removal_order::operator()(const say::removal& a,
                               const say::removal& b) const noexcept {
  return std::tie(a.serverid, a.at, a.device, a.user)
         < std::tie(b.serverid, b.at, b.device, b.user);
}

bool removes(const say::removal& removal, const say::message_mark& message) {
  return removal.device.empty() && removal.serverid == message.serverid;
}

bool removes(const say::removal& removal, const say::device_of& device) {
  return !removal.device.empty() && removal.device == device.record.name
         && removal.user == device.user
         && device.record.last_seen <= removal.at;
}

listing_answer answer_to(const say::listing& theirs, const say::listing& ours) {
  listing_answer out;
  out.wants.pass = theirs.pass;
  out.wants.bucket = theirs.bucket;
  const index here{ours};
  for (const auto& each : theirs.messages) {
    if (const auto gone = here.removed.find(each.serverid);
        gone != here.removed.end())
      out.wants.removed.push_back(*gone->second);
    else if (const auto held = here.messages.find(each.serverid);
             held == here.messages.end() || held->second->acks != each.acks)
      out.wants.missing.push_back(each);
  }
  for (const auto& each : theirs.devices) {
    const auto held = here.devices.find({each.user, each.record.name});
    if (const auto* gone = here.removal_of(each))
      out.wants.removed.push_back(*gone);
    else if (held == here.devices.end() || is_newer(each.record, *held->second))
      out.devices.push_back(each);
  }
  for (const auto& each : theirs.removals)
    if (here.holds(each)) {
      out.removals.push_back(each);
      out.wants.removed.push_back(each);
    }
  return out;
}

} // namespace vartalap::core
