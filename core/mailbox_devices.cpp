// Which devices a user has, who is connected, and what they owe.

#include "core/mailbox.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

namespace {

// A device that connects often is not written each time.
constexpr wall_ms last_seen_grain = 3600ULL * 1000;

constexpr milliseconds put_retry{1000};

bool is_unseen_for(const mailbox_device::kept_record& record, milliseconds idle,
                   instant now) noexcept {
  return now.wall > record.last_seen
         && now.wall - record.last_seen > static_cast<wall_ms>(idle.count());
}

} // namespace

void mailbox::attach(std::string_view device, attachment_id id, instant now,
                     mailbox_effects& out, const connection_origin& came_by) {
  auto* by = find_device(device);
  if (by != nullptr && by->connected() && by->connection != id
      && by->came_by != came_by.node
      && came_by.opened < elsewhere().opened[by->slot]) {
    out.emplace_back(effect::close{id, effect::close_reason::superseded});
    return;
  }
  leaving_ = false;
  if (by == nullptr) {
    by = make_known(device, now, out);
    if (by == nullptr) {
      out.emplace_back(
        effect::close{id, effect::close_reason::too_many_devices});
      return;
    }
  } else if (by->connection == id) {
    return; // Told twice.
  } else if (by->connected()) {
    out.emplace_back(
      effect::close{by->connection, effect::close_reason::replaced});
    context_.counters.stuck += by->disconnect();
  }
  const bool write = by->record.gap_count > 0
                     || now.wall > by->record.last_seen + last_seen_grain;
  by->connection = id;
  by->came_by = came_by.node;
  if (context_.may_merge) {
    elsewhere().opened[by->slot] = came_by.opened;
  }
  by->cursor = {};
  by->rewound = {};
  by->ordinal = 0;
  by->written = 0;
  by->record.last_seen = std::max(by->record.last_seen, now.wall);
  if (by->record.gap_count > 0) {
    out.emplace_back(effect::deliver_gap{id, by->record.gap_count});
    by->record.gap_count = 0;
  }
  if (write) {
    put_device(*by, out);
  }
  clear_offline(out);
  pump(*by, now, out);
  entries_.compact();
}

void mailbox::detach(attachment_id id, instant now, mailbox_effects& out) {
  if (auto* device = find_connection(id)) {
    lose_connection(*device, now, out);
  }
}

void mailbox::lose_connection(mailbox_device& device, instant now,
                              mailbox_effects& out) {
  context_.counters.stuck += device.disconnect();
  device.record.last_seen = std::max(device.record.last_seen, now.wall);
  put_device(device, out);
  store_debts(device, out);
  raise_offline(out);
  trim();
}

void mailbox::store_debts(const mailbox_device& device, mailbox_effects& out) {
  for (auto& entry : entries_.all()) {
    if (unstored_ == 0) {
      return;
    }
    if (!entry.gone && entry.tier == storage_tier::memory
        && device.owes(entry)) {
      store(entry, out);
    }
  }
}

bool mailbox::add_device(std::string_view device, instant now,
                         mailbox_effects& out) {
  if (auto* known = find_device(device)) {
    if (now.wall > known->record.last_seen) {
      known->record.last_seen = now.wall;
      put_device(*known, out);
    }
    return true;
  }
  const auto* added = make_known(device, now, out);
  if (added == nullptr) {
    return false;
  }
  store_debts(*added, out);
  entries_.compact();
  return true;
}

void mailbox::remove_device(std::string_view device, instant now,
                            mailbox_effects& out) {
  auto* known = find_device(device);
  if (known == nullptr) {
    return;
  }
  effect::erase_device erased{known->record.name, known->record.last_seen};
  cut_off(*known, now, out);
  ++operations_;
  out.emplace_back(std::move(erased));
}

// Its record on disk is somebody else's matter.
void mailbox::cut_off(mailbox_device& device, instant now,
                      mailbox_effects& out) {
  const bool was_connected = device.connected();
  if (was_connected) {
    out.emplace_back(
      effect::close{device.connection, effect::close_reason::erased});
    context_.counters.stuck += device.disconnect();
  }
  forget_device(device, now, out);
  if (was_connected) {
    raise_offline(out);
    trim();
  }
  entries_.compact();
}

mailbox_device* mailbox::make_known(std::string_view name, instant now,
                                    mailbox_effects& out) {
  const auto limit = context_.limits.devices_per_user;
  const auto most = limit == 0 ? devices_max : std::min(limit, devices_max);
  if (devices_.size() >= most) {
    mailbox_device* oldest = nullptr;
    for (auto& x : devices_) {
      if (!x.connected()
          && is_unseen_for(x.record, context_.delivery.device_idle, now)
          && (oldest == nullptr
              || x.record.last_seen < oldest->record.last_seen)) {
        oldest = &x;
      }
    }
    if (oldest == nullptr) {
      return nullptr;
    }
    effect::erase_device erased{oldest->record.name, oldest->record.last_seen};
    forget_device(*oldest, now, out);
    ++operations_;
    out.emplace_back(std::move(erased));
  }
  device_mask used = 0;
  for (const auto& x : devices_) {
    used |= x.bit();
  }
  std::uint8_t slot = 0;
  while ((used >> slot & 1) != 0) {
    ++slot;
  }
  if (devices_.empty()) {
    devices_.reserve(1);
  }
  auto& added = devices_.emplace_back();
  added.slot = slot;
  added.record.name = name;
  added.record.last_seen = now.wall;
  put_device(added, out);
  return &added;
}

void mailbox::forget_device(mailbox_device& device, instant now,
                            mailbox_effects& out) {
  const auto bit = device.bit();
  for (auto& entry : entries_.all()) {
    if (entry.gone) {
      continue;
    }
    const bool others = !knows_all_devices_
                        || std::any_of(devices_.begin(), devices_.end(),
                                       [&](const auto& other) {
                                         return &other != &device
                                                && other.owes(entry);
                                       });
    if (!others) {
      finish(entry, entry.delivered ? ending::acknowledged : ending::cancelled,
             now, out);
      continue;
    }
    context_.counters.stuck -= device.forget(entry.serverid);
    entry.acked &= static_cast<device_mask>(~bit);
  }
  if (elsewhere_) {
    elsewhere_->pushes.erase(device.slot); // the next one there is another
  }
  devices_.erase(devices_.begin() + (&device - devices_.data()));
}

void mailbox::cancel_idle_debts(instant now, mailbox_effects& out) {
  for (auto& device : devices_) {
    if (device.connected()
        || !is_unseen_for(device.record, context_.delivery.device_idle, now)) {
      continue;
    }
    std::uint64_t cancelled = 0;
    for (const auto& entry : entries_.all()) {
      cancelled += !entry.gone && device.owes(entry) ? 1 : 0;
    }
    if (cancelled == 0) {
      continue;
    }
    device.record.cancelled_upto = entries_.all().back().serverid;
    device.record.gap_count += cancelled;
    put_device(device, out);
    finish_unowed(now, out);
  }
  entries_.compact();
}

void mailbox::put_device(const mailbox_device& device, mailbox_effects& out) {
  ++operations_;
  out.emplace_back(effect::put_device{record_of(device, elsewhere_.get())});
}

void mailbox::put_devices_again(instant now, mailbox_effects& out) {
  if (put_again_ == mono_time{}) {
    put_again_ = now.mono + put_retry;
  } else if (put_again_ <= now.mono) {
    put_again_ = mono_time::max();
    for (const auto& device : devices_) {
      put_device(device, out);
    }
  }
}

mailbox_device* mailbox::find_device(std::string_view name) noexcept {
  for (auto& x : devices_) {
    if (x.record.name == name) {
      return &x;
    }
  }
  return nullptr;
}

const mailbox_device*
mailbox::find_device(std::string_view name) const noexcept {
  for (const auto& x : devices_) {
    if (x.record.name == name) {
      return &x;
    }
  }
  return nullptr;
}

mailbox_device* mailbox::find_connection(attachment_id id) noexcept {
  for (auto& x : devices_) {
    if (x.connection == id && id != 0) {
      return &x;
    }
  }
  return nullptr;
}

bool mailbox::any_connected() const noexcept {
  return std::any_of(devices_.begin(), devices_.end(),
                     [](const auto& x) { return x.connected(); });
}

bool mailbox::is_owed(const mailbox_entry& entry) const noexcept {
  return devices_.empty() || !knows_all_devices_
         || std::any_of(devices_.begin(), devices_.end(),
                        [&](const auto& x) { return x.owes(entry); });
}

} // namespace vartalap::core
