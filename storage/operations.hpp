#pragma once

#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/mailbox_effects.hpp"
#include "core/units.hpp"
#include "storage/push_store.hpp"
#include "storage/rows.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace vartalap::storage {

/// Whether a removal is remembered, by a tombstone in the same transaction:
/// others may still hold what is removed, and would give it back.
enum class remembrance : std::uint8_t {
  none,
  if_held, ///< where this removes something: who holds nothing gave nothing on
  always,  ///< whether it is here or not
};

/// Operations; each is idempotent, and answered by one completion, in their
/// order (`request::shard` and `owner` say whom to tell).
namespace op {

/// Answered `removed` where its tombstone is here: it was removed before.
struct put {
  core::envelope_ptr message;
  std::vector<std::string> acked;
  bool raise_offline = false;
};
/// A tombstone stays until `forget`.
struct remove {
  std::string user;
  core::server_id serverid;
  remembrance remember = remembrance::none;
};
struct ack {
  std::string user;
  core::server_id serverid;
  std::string device;
};
struct put_device {
  std::string user;
  core::device_record record;
};
/// `at`: when it was erased; a device seen later than that stays, and a record
/// of one seen later ends the tombstone. 0: erases it whenever it was seen,
/// and remembers nothing.
struct erase_device {
  std::string user;
  std::string device;
  core::wall_ms at = 0;
  remembrance remember = remembrance::always;
};
/// The device is not to be kept here: erases its record where it is still the
/// same, and remembers nothing.
struct drop_device {
  std::string user;
  core::device_record record;
};
struct clear_offline {
  std::string user;
};
/// Another node's record of a device: the later `last_seen`, of the two
/// cancellations the farther one with its count, if equal the greater count,
/// and the later push target.
struct merge_device {
  std::string user;
  core::device_record record;
};
/// Every node knows of this removal: its tombstone goes. Of a message, or,
/// where `device` is set, of a device.
struct forget {
  std::string user;
  core::server_id serverid;
  std::string device;
};
/// Done once everything that was submitted before it has been answered, and
/// what of that was confirmed is durable. Commits nothing by itself.
struct barrier {};
/// What is to be remembered of another node: `commits` only grows while its
/// disk is the same. It is a commit as any: noting each commit of a peer that
/// does likewise never ends.
struct note_peer {
  std::string node_uuid;
  std::string disk_uuid;
  std::uint64_t commits = 0;
};
/// Replaces the member list in force.
struct note_members {
  std::string text;
};
} // namespace op

using operation
  = std::variant<op::put, op::remove, op::ack, op::put_device, op::erase_device,
                 op::clear_offline, op::merge_device, op::forget, op::barrier,
                 op::note_peer, op::note_members, op::drop_device,
                 op::note_push, op::put_row, op::erase_row>;

} // namespace vartalap::storage
