#pragma once

#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/mailbox.hpp"
#include "core/mailbox_effects.hpp"
#include "core/push.hpp"
#include "net/client_info.hpp"
#include "storage/store.hpp"

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Every message between actors, who sends it to whom, and what it shares.
/// All of them stay inside the process: nothing here is ever serialized.
namespace vartalap::actors {

/// Who hears how a submission fared: a connection (`connection` set), or a
/// callback for HTTP, run on the recipient's shard (`confirmed`/`refused`).
/// Travels as core::origin_ref.
struct submission_origin {
  caf::actor connection;
  std::string device; ///< of the sender: it does not get what it sends itself
  std::function<void(const core::effect::confirm&)> confirmed;
  std::function<void(const core::effect::refuse&)> refused;
  /// Where `connection` is a link: the other node's name for this message.
  std::uint64_t token = 0;
};

inline const submission_origin& origin_of(const core::origin_ref& ref) {
  return *static_cast<const submission_origin*>(ref.get());
}

/// One connection of one device, shared by its connection actor and its
/// user's delivery actor.
struct attachment {
  core::attachment_id id = 0; ///< unique in the process
  std::string user;
  std::string device;
  caf::actor connection;
  core::connection_origin came_by; ///< node 0: this one
  /// Ordinal of the last delivery that has left the connection's output.
  std::atomic<std::uint64_t> written{0};
  /// When that was, in us of the monotonic clock; stored before `written`.
  std::atomic<std::int64_t> written_at{0};

  core::mono_time written_time() const noexcept {
    return core::mono_time{
      core::microseconds{written_at.load(std::memory_order_relaxed)}};
  }
};
using attachment_ptr = std::shared_ptr<attachment>;

struct submission {
  std::shared_ptr<core::envelope> message;
  core::origin_ref origin;
};

/// connection, http_api -> router of the recipient's shard -> delivery: take
/// these. From a router to a delivery all are for its user.
struct submit {
  std::vector<submission> items;
  bool from_peer = false; ///< from a link: it goes to no other node
};

/// connection, link -> router of the user's shard -> delivery (or the link to
/// its home): the device is here.
struct attach_device {
  attachment_ptr where;
  bool from_peer = false;
};

/// delivery -> connection, link: acknowledgements may come to me directly. A
/// null delivery: keep them until there is another.
struct attached {
  caf::actor delivery;
  core::attachment_id which = 0;
};

/// connection, link -> delivery (or its router): the connection is over.
struct detach_device {
  attachment_ptr where;
};

/// Acknowledges by what the sender called the message.
struct named_ack {
  std::string from;
  std::string id;
};

/// connection -> delivery; http_api -> router -> delivery: these have
/// arrived. `answer`, if set, hears how many were pending; it runs on the
/// delivery's shard.
struct acknowledge {
  std::string user;
  std::string device;
  core::attachment_id connection = 0; ///< 0: not over a connection
  std::vector<core::server_id> serverids;
  std::vector<std::string> in_flight; ///< ids of what is in flight
  std::vector<named_ack> named;
  std::function<void(std::uint64_t)> answer;
  std::function<void()> not_home{}; ///< set where a link asks
};

/// delivery, link -> connection: write these. `from` is whom `attached` named:
/// what an earlier mailbox still sends comes too late, and from this one anew.
struct deliver_batch {
  std::vector<core::effect::deliver> items;
  caf::actor from{};
};

/// delivery -> connection: tell the device what it lost.
struct deliver_gap {
  core::attachment_id to = 0;
  std::uint64_t count = 0;
};

/// delivery -> connection of the sender.
struct confirm_batch {
  std::vector<core::effect::confirm> items;
};
struct refuse_batch {
  std::vector<core::effect::refuse> items;
};

/// delivery -> connection: end it.
struct close_connection {
  core::attachment_id which = 0;
  core::effect::close_reason reason = core::effect::close_reason::replaced;
};

/// The node's shutdown -> connection: close with 1001.
struct going_away {
  std::int64_t retry_after_ms = 0;
};

/// storage (through its shard) -> delivery: what became of its operations.
struct storage_done {
  std::vector<storage::completion> items;
};

/// worker -> delivery: what is on disk, or why that cannot be told.
struct snapshot_loaded {
  std::shared_ptr<core::mailbox_snapshot> snapshot; ///< null: failed
};

/// worker -> delivery: the messages that were asked for; `failed`: ask later.
struct messages_fetched {
  std::vector<core::server_id> asked;
  std::vector<core::envelope_ptr> found;
  bool failed = false;
};

/// storage's sweep (through its shard) -> router -> delivery, if there is one.
struct messages_expired {
  std::string user;
  std::vector<core::server_id> serverids;
};

/// worker -> group, groups: what is on disk; `failed`: it cannot be read now.
struct records_loaded {
  std::vector<storage::stored_message> found;
  bool failed = false;
};

/// node -> router: whichever groups here have messages on the way to their
/// members are to go on; its worker -> router -> group: go on.
struct look_for_outgoing {};
struct resume_outgoing {
  std::string group; ///< core::group_mailbox
};

/// A delivery's timer on the shard's wheel -> delivery.
struct timer_due {};

/// delivery -> router: idle after `handled` messages of yours.
struct mailbox_idle {
  std::string user;
  std::uint64_t handled = 0;
};

/// router -> delivery: you are out of my table; end.
struct retire {};

/// What a device may be told over HTTP.
struct pending_page {
  std::vector<core::envelope_ptr> messages;
  bool more = false;
  bool failed = false;           ///< the disk could not be read
  bool too_many_devices = false; ///< there is no room for this one
};

/// delivery -> connection: so many of its messages were resends of what it
/// waits for already; one answer serves both.
struct resends_merged {
  std::size_t count = 0;
  std::uint64_t token = 0; ///< as in submission_origin
};

/// http_api -> router -> delivery: the oldest pending messages of a device,
/// which becomes known by that: what it reads it is to acknowledge. `answer`
/// runs on any thread.
struct list_pending {
  std::string user;
  std::string device;
  std::size_t limit = 0;
  std::size_t bytes_max = 0;
  std::function<void(pending_page)> answer;
  std::function<void()> not_home{}; ///< set where a link asks
};

/// http_api -> router -> delivery: /login, PUT and DELETE /devices.
struct change_device {
  std::string user;
  std::string device;
  bool remove = false;
  bool from_peer = false;
  std::optional<core::push_target> push{}; ///< replaces the device's
};

/// http_api -> router -> delivery, if there is one: PUT and DELETE /blocks. It
/// is stored already.
struct set_block {
  std::string user;
  std::string sender;
  bool blocked = true;
};

/// admin -> router -> delivery: GET /users/{id}. `answer` runs on the
/// delivery's shard.
struct inspect_user {
  std::string user;
  std::function<void(core::mailbox::inspection)> answer;
  std::function<void()> not_home{}; ///< set where a link asks
};

/// The node's shutdown -> router: end all deliveries that may end, then call
/// `done` on the shard's thread.
struct end_deliveries {
  std::function<void()> done;
};

} // namespace vartalap::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::submit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::attach_device)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::attached)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::detach_device)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::acknowledge)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::deliver_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::deliver_gap)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::confirm_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::refuse_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::close_connection)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::going_away)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::storage_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::snapshot_loaded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::messages_fetched)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::messages_expired)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::records_loaded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::look_for_outgoing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::resume_outgoing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::timer_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::mailbox_idle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::retire)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::resends_merged)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::list_pending)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::change_device)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::set_block)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::inspect_user)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::end_deliveries)
