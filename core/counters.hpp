#pragma once

#include "core/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vartalap::core {

/// What the mailboxes of one shard have counted since the process started.
/// Plain numbers: written by the shard's thread only. The balance holds at
/// any moment:
/// pending_at_open + received = acknowledged + refused + expired + erased
///   + quarantined + cancelled + closed_pending + pending.
struct mailbox_counters {
  std::uint64_t received = 0;        ///< given a serverId (not ephemeral)
  std::uint64_t pending_at_open = 0; ///< found on disk when a mailbox opened
  std::uint64_t closed_pending = 0;  ///< left on disk when a mailbox closed
  std::uint64_t acknowledged = 0;    ///< by every owing device
  std::uint64_t refused = 0;         ///< after it was received (failed commit)
  std::uint64_t expired = 0;
  std::uint64_t erased = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t cancelled = 0; ///< DELETE of a device, or its debts
  std::uint64_t pending = 0;   ///< in open mailboxes, now

  std::uint64_t rejected = 0;   ///< refused before it was received
  std::uint64_t duplicates = 0; ///< resends of a known id
  std::uint64_t ephemeral_relayed = 0;
  std::uint64_t ephemeral_dropped = 0;
  std::uint64_t delivered = 0;   ///< frames handed to connections
  std::uint64_t redelivered = 0; ///< of them, repeats
  std::uint64_t confirmed_memory = 0;
  std::uint64_t confirmed_disk = 0;
  std::uint64_t stored = 0;      ///< puts asked of storage
  std::uint64_t undelivered = 0; ///< retries over
  std::uint64_t stuck = 0;       ///< now: unacknowledged even alone
  std::uint64_t offline_events = 0;
  std::size_t memory_bytes = 0; ///< now: weight of envelopes in memory
};

/// What the connections of one shard have counted; its thread's.
struct connection_counters {
  /// ERROR frames sent, by refusal.
  std::array<std::uint64_t, refusal_count> refused{};
  std::uint64_t rate_pauses = 0;        ///< reading stopped: message_rate
  std::uint64_t unconfirmed_pauses = 0; ///< reading stopped: unconfirmed
};

/// What the groups of a shard have counted since the process started.
struct group_counters {
  std::uint64_t accepted = 0; ///< messages that are durable at their group
  std::uint64_t sent = 0;     ///< copies and events to members, also again
  std::uint64_t finished = 0; ///< messages and events that all members have
  std::uint64_t refused = 0;  ///< copies that a member will not take
  std::uint64_t retried = 0;  ///< copies that are to be sent again later
  std::uint64_t expired = 0;  ///< copies given up: their ttl was over
  std::uint64_t given_up = 0; ///< … the group was full of what only they owe
};

} // namespace vartalap::core
