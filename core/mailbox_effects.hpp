#pragma once

#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/push.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace vartalap::core {

/// Who is to hear how a message fared; opaque to core. Null: nobody.
using origin_ref = std::shared_ptr<const void>;

/// One connection of one device, as the shell numbers them; never reused
/// within a process, 0 is none.
using attachment_id = std::uint64_t;

/// A device of a user as it stands on disk. It owes every pending message
/// above `cancelled_upto` that it has not acknowledged.
struct device_record {
  std::string name;
  wall_ms last_seen = 0;
  server_id cancelled_upto;    ///< debts up to here were cancelled
  std::uint64_t gap_count = 0; ///< messages it will be told it lost
  kept_push_target push{};     ///< how it is woken

  friend bool operator==(const device_record&, const device_record&) = default;
};

/// What a mailbox wants done. The shell carries effects out in order.
namespace effect {

/// Write `message` to the connection. `attempt` is 0 the first time on this
/// connection. `ordinal` counts the deliveries of an attachment from 1; the
/// shell reports it back by `mailbox::written`.
struct deliver {
  attachment_id to = 0;
  envelope_ptr message;
  unsigned attempt = 0;
  std::uint64_t ordinal = 0;
};

/// Tell the device {action: "gap", count}: a notification that is not part
/// of the mailbox.
struct deliver_gap {
  attachment_id to = 0;
  std::uint64_t count = 0;
};

/// Make durable, with the names of the devices that have acknowledged it
/// already; answer with `mailbox::committed` or `commit_failed`.
/// `raise_offline`: store the offline event in the same transaction.
struct store {
  envelope_ptr message;
  std::vector<std::string> acked;
  bool raise_offline = false;
};

/// Remove what was stored or is waiting to be stored; answer with
/// `mailbox::op_done`.
struct remove {
  server_id serverid;
};

/// The device acknowledged a stored message that others still owe; answer
/// with `mailbox::op_done`.
struct ack_stored {
  server_id serverid;
  std::string device;
};

/// Write or delete a device's record; answer with `mailbox::op_done`.
struct put_device {
  device_record record;
};
struct erase_device {
  std::string name;
  wall_ms last_seen = 0;
};

/// Read these stored messages (ascending) and answer with `mailbox::fetched`.
struct fetch {
  std::vector<server_id> serverids;
};

/// SERVER_ACK. `what` gives id, from and to of the frame to be answered.
struct confirm {
  origin_ref to;
  envelope_ptr what;
  server_id serverid;                 ///< none for relayed
  std::uint64_t server_timestamp = 0; ///< ms since the epoch
  ack_status status = ack_status::stored;
  enum durability durability = durability::memory;
};

/// ERROR. The message is not (or no longer) in the mailbox.
struct refuse {
  origin_ref to;
  envelope_ptr what;
  refusal code = refusal::none;
};

/// A resend joined the frame that its sender waits for on this connection: one
/// answer serves both.
struct merge {
  origin_ref to;
};

enum class close_reason : std::uint8_t {
  undelivered, ///< 4008
  replaced,    ///< 4009
  too_many_devices,
  erased,     ///< the device was deleted: 4001
  superseded, ///< an older connection was told of late: 1001
};

/// End this connection; the mailbox has already let go of it.
struct close {
  attachment_id which = 0;
  close_reason reason = close_reason::undelivered;
};

/// Wake the user's devices by push: `pending` messages wait. `stored`: a
/// `store` before it carries the event; else it is to be stored by itself.
struct notify_offline {
  std::uint64_t pending = 0;
  bool stored = false;
};

/// A device connected: forget a raised offline event, on disk too.
struct clear_offline {};

} // namespace effect

using mailbox_effect
  = std::variant<effect::deliver, effect::deliver_gap, effect::store,
                 effect::remove, effect::ack_stored, effect::put_device,
                 effect::erase_device, effect::fetch, effect::confirm,
                 effect::refuse, effect::close, effect::notify_offline,
                 effect::clear_offline, effect::merge>;

using mailbox_effects = std::vector<mailbox_effect>;

} // namespace vartalap::core
