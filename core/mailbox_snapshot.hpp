#pragma once

#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/mailbox_effects.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vartalap::core {

/// A stored message as found when a mailbox opens.
struct pending_record {
  server_id serverid;
  dedupe_key key;
  std::uint64_t content_hash = 0;
  std::uint64_t server_timestamp = 0; ///< ms
  std::uint64_t sender_hash = 0;      ///< stable_hash(from)
  std::uint32_t weight = 0;           ///< envelope::weight
  message_type type = message_type::message;
  std::vector<std::string> acked; ///< devices that have acknowledged it
};

/// What storage knows of a user, in the order of serverIds.
struct mailbox_snapshot {
  std::vector<device_record> devices;
  std::vector<pending_record> pending;
  bool offline_raised = false;
  std::vector<std::string> blocked{}; ///< senders
};

/// One message of a mailbox as a reader over HTTP sees it.
struct pending_view {
  server_id serverid;
  envelope_ptr message; ///< null: on disk only
};

} // namespace vartalap::core
