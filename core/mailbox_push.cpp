// How the user's devices are woken.

#include "core/mailbox.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

const push_target& push_of(const mailbox_device& device,
                           const mailbox_elsewhere* where) noexcept {
  static const push_target none;
  if (where == nullptr) {
    return none;
  }
  const auto known = where->pushes.find(device.slot);
  return known == where->pushes.end() ? none : known->second;
}

device_record record_of(const mailbox_device& device,
                        const mailbox_elsewhere* where) {
  const auto& kept = device.record;
  device_record out{
    kept.name, kept.last_seen, kept.cancelled_upto, kept.gap_count, {}};
  if (const auto& push = push_of(device, where); push != push_target{}) {
    out.push = push;
  }
  return out;
}

bool mailbox::set_push_target(std::string_view device, push_platform platform,
                              std::string token, instant now,
                              mailbox_effects& out) {
  if (!add_device(device, now, out)) {
    return false;
  }
  auto& known = *find_device(device);
  const auto& before = push_of(known, elsewhere_.get());
  if (before.platform == platform && before.token == token) {
    return true; // An app says so at every start.
  }
  const auto since = std::max(now.wall, before.since + 1);
  elsewhere().pushes[known.slot] = {platform, std::move(token), since};
  put_device(known, out);
  if (platform != push_platform::none && offline_raised_) {
    clear_offline(out);
    raise_offline(out);
  }
  return true;
}

void mailbox::drop_push_target(std::string_view device, std::string_view token,
                               instant now, mailbox_effects& out) {
  auto* known = find_device(device);
  if (known == nullptr || token.empty()
      || push_of(*known, elsewhere_.get()).token != token) {
    return;
  }
  const auto since
    = std::max(now.wall, push_of(*known, elsewhere_.get()).since + 1);
  elsewhere().pushes[known->slot] = {push_platform::none, {}, since};
  put_device(*known, out);
}

push_view mailbox::look_for_push(bool all) const {
  push_view out;
  out.waiting = offline_raised_ && waking_ > 0 && !any_connected();
  out.pending = entries_.size();
  const auto entries = entries_.all();
  for (auto i = entries.size(); i > 0 && !out.newest; --i) {
    if (const auto& entry = entries[i - 1]; !entry.gone && entry.wakes) {
      out.newest = entry.serverid;
    }
  }
  for (const auto& device : devices_) {
    const bool owes
      = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
          return !entry.gone && entry.wakes && device.owes(entry);
        });
    if (!owes && !all) {
      continue;
    }
    out.devices.push_back(device.record.name);
    if (const auto& push = push_of(device, elsewhere_.get());
        push.platform != push_platform::none) {
      out.targets.emplace_back(device.record.name, push);
    }
  }
  return out;
}

} // namespace vartalap::core
