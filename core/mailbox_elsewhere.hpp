#pragma once

#include "core/ids.hpp"
#include "core/newest_by_sender.hpp"

#include <cstdint>
#include <map>

namespace vartalap::core {

/// What a mailbox remembers because other nodes may have served its user:
/// apart, so that a node that is alone needs no memory for it.
struct mailbox_elsewhere {
  newest_by_sender delivered;
  /// Ids that go once the message that replaces them is safe: kept → gone.
  std::multimap<server_id, server_id> replaced;
  /// By a device's slot: when its connection was opened (`connection_origin`).
  std::map<std::uint8_t, std::uint64_t> opened;
};

} // namespace vartalap::core
