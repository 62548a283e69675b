#pragma once

#include "core/ids.hpp"
#include "core/mailbox_effects.hpp"
#include "core/mailbox_entries.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::core {

/// How a message came to be in flight, and so what happens when no
/// acknowledgement comes.
enum class flight_kind : std::uint8_t {
  normal, ///< resent, then undelivered: the connection ends
  alone,  ///< was undelivered before: one try, then it is stuck
  behind, ///< is stuck: one try per connection
};

/// A message that was delivered on a connection and not acknowledged yet.
struct flight {
  server_id serverid;
  std::uint64_t ordinal = 0; ///< of its latest delivery
  mono_time sent{};          ///< its latest delivery
  mono_time deadline{};
  std::uint32_t weight = 0;
  std::uint16_t attempt = 0;
  flight_kind kind = flight_kind::normal;
};

/// Messages that a device does not acknowledge. Known in memory only: a
/// mailbox that opens anew finds out again.
struct device_trouble {
  struct stuck_message {
    server_id serverid;
    bool tried = false; ///< on this connection
  };
  /// Undelivered: each goes first and alone on the next connection.
  std::vector<server_id> first;
  /// Unacknowledged even alone: behind all others, once per connection.
  std::vector<stuck_message> stuck;
  bool alone = false; ///< first.front() is in flight now
};

/// Where and when a connection was opened: connections that came by way of
/// different nodes are told of in any order.
struct connection_origin {
  std::uint16_t node = 0;
  std::uint64_t opened = 0; ///< by that node's clock (`server_id::high`)
};

/// One known device of a mailbox and, while it is connected, the state of
/// its connection.
struct mailbox_device {
  /// Its `device_record` without the push target, which few have: that is in
  /// `mailbox_elsewhere`.
  struct kept_record {
    std::string name;
    wall_ms last_seen = 0;
    server_id cancelled_upto;
    std::uint64_t gap_count = 0;
  } record;
  attachment_id connection = 0; ///< 0: away
  server_id cursor;             ///< first deliveries went up to here
  server_id rewound;            ///< where `cursor` was before it went back
  std::uint64_t ordinal = 0;    ///< of the latest delivery
  std::uint64_t written = 0;    ///< latest ordinal that is on the wire
  std::vector<flight> flights;  ///< in the order of their latest deliveries
  microseconds ack_time{0};     ///< smoothed; 0: none measured
  std::unique_ptr<device_trouble> trouble; ///< null: none
  std::uint32_t flight_bytes = 0;
  std::uint16_t came_by = 0; ///< the node of `connection`
  std::uint8_t slot = 0;     ///< its bit in the entries

  bool connected() const noexcept {
    return connection != 0;
  }

  device_mask bit() const noexcept {
    return static_cast<device_mask>(1U << slot);
  }

  /// True where the device has neither acknowledged it nor been excused.
  bool owes(const mailbox_entry& entry) const noexcept {
    return (entry.acked & bit()) == 0 && record.cancelled_upto < entry.serverid;
  }

  bool is_in_flight(server_id serverid) const noexcept;

  /// True for messages that are not delivered in their turn.
  bool is_troubled(server_id serverid) const noexcept;

  /// Takes it out of flight and out of `trouble`.
  /// @returns How many stuck messages that were (0 or 1).
  unsigned forget(server_id serverid) noexcept;

  /// As `forget`, because the device acknowledged it: measures the time it
  /// took if it was delivered once.
  unsigned acknowledged(server_id serverid, mono_time now) noexcept;

  /// The connection is over: nothing is in flight any more. A message that
  /// was written alone counts as stuck.
  /// @returns How many stuck messages that adds (0 or 1).
  unsigned disconnect() noexcept;

private:
  void remove_flight(std::vector<flight>::iterator at) noexcept;
};

} // namespace vartalap::core
