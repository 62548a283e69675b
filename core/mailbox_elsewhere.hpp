#pragma once

#include "core/ids.hpp"
#include "core/mailbox_device.hpp"
#include "core/mailbox_effects.hpp"
#include "core/newest_by_sender.hpp"
#include "core/push.hpp"

#include <cstdint>
#include <map>

namespace vartalap::core {

/// What a mailbox remembers because other nodes may have served its user, and
/// how its devices are woken: apart, so that a mailbox of a node that is alone
/// needs no memory for it while no device has a push target.
struct mailbox_elsewhere {
  newest_by_sender delivered;
  /// Ids that go once the message that replaces them is safe: kept → gone.
  std::multimap<server_id, server_id> replaced;
  /// By a device's slot: when its connection was opened (`connection_origin`).
  std::map<std::uint8_t, std::uint64_t> opened;
  /// By a device's slot: how it is woken, or that it no longer is.
  std::map<std::uint8_t, push_target> pushes;
};

/// The device's push target; an empty one where it never had one.
/// @param where The mailbox's; null: none has one.
const push_target& push_of(const mailbox_device& device,
                           const mailbox_elsewhere* where) noexcept;

/// What is written of the device, with its push target.
/// @param where As for `push_of`.
device_record record_of(const mailbox_device& device,
                        const mailbox_elsewhere* where);

} // namespace vartalap::core
