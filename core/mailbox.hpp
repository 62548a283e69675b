#pragma once

#include "core/counters.hpp"
#include "core/dedupe_window.hpp"
#include "core/envelope.hpp"
#include "core/ids.hpp"
#include "core/mailbox_context.hpp"
#include "core/mailbox_device.hpp"
#include "core/mailbox_effects.hpp"
#include "core/mailbox_elsewhere.hpp"
#include "core/mailbox_entries.hpp"
#include "core/mailbox_inspection.hpp"
#include "core/mailbox_senders.hpp"
#include "core/mailbox_snapshot.hpp"
#include "core/options.hpp"
#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::core {

/// The delivery state machine of one user: which messages are pending, which
/// devices owe an acknowledgement, what is in memory and what is on disk.
/// Every rule of a message's life is decided here and nowhere else.
///
/// Pure and single-threaded: events come in with their time, effects go out.
/// A message: received --> (stored) --> acknowledged by all devices | expired
///            | cancelled. It is confirmed once, at the earlier of "durable"
/// and "every owing device has acknowledged".
/// Owing: every known device that has not acknowledged it; where none is
/// known, the first that connects.
///
/// Limits: `limits.memory_messages` / `memory_bytes` envelopes in memory
/// beyond those that wait for their commit; `limits.mailbox_messages` /
/// `mailbox_bytes` pending; `limits.pending_per_sender`.
class mailbox {
public:
  mailbox(std::string user, mailbox_context& context);
  ~mailbox();
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;

  /// Takes over what storage knows. Once, before any other event.
  void open(mailbox_snapshot snapshot, instant now);

  /// A message for this user. `message->serverid` and `server_timestamp` are
  /// set here. A resend of a known (from, to, id) is answered as the first.
  /// @param own_device The device of this user that sent it, for a message to
  ///                   oneself: it does not get it. Empty: somebody else's.
  void receive(std::shared_ptr<envelope> message, origin_ref origin,
               instant now, mailbox_effects& out,
               std::string_view own_device = {});

  /// From now on what this sender sends is refused (`forbidden`), or no longer.
  void block(const std::string& sender, bool blocked);

  /// A connection of `device` is ready. An older one of the same device is
  /// closed (replaced); where another node tells late of one that is older
  /// than the present one, that one is (superseded). An unknown device becomes
  /// known, up to `limits.devices_per_user`.
  void attach(std::string_view device, attachment_id id, instant now,
              mailbox_effects& out, const connection_origin& came_by = {});

  /// The connection is gone; what it had in flight is pending again. Ignored
  /// for an attachment that the mailbox has let go of.
  void detach(attachment_id id, instant now, mailbox_effects& out);

  /// Makes a device known without a connection (login, PUT /devices, sync).
  /// @returns False where the user has too many devices already.
  bool add_device(std::string_view device, instant now, mailbox_effects& out);

  /// Forgets a device and cancels what it owes; closes its connection.
  void remove_device(std::string_view device, instant now,
                     mailbox_effects& out);

  /// As `add_device`, and sets how it is woken: for messages that wait, too.
  bool set_push_target(std::string_view device, push_platform platform,
                       std::string token, instant now, mailbox_effects& out);

  /// The provider says that this token is gone; another one stays.
  void drop_push_target(std::string_view device, std::string_view token,
                        instant now, mailbox_effects& out);

  /// Whether the user is to be woken, and how; `all`: debtors or not.
  push_view look_for_push(bool all = false) const;

  /// The device acknowledged this message; unknown ids are ignored.
  /// @returns True where it was pending for that device.
  bool ack(std::string_view device, server_id serverid, instant now,
           mailbox_effects& out);

  /// As `ack`, by what the sender called it (`state` frames).
  bool ack_by_id(std::string_view device, std::string_view from,
                 std::string_view id, instant now, mailbox_effects& out);

  /// As `ack`, for what is in flight on this connection under that id.
  bool ack_in_flight(attachment_id connection, std::string_view id, instant now,
                     mailbox_effects& out);

  /// The connection has written its deliveries up to `ordinal`, the last at
  /// `when`: their ack timers count from then, later ones have not started.
  void written(attachment_id connection, std::uint64_t ordinal,
               mono_time when) noexcept;

  /// The store of this message is durable, here and on `copies` further nodes.
  void committed(server_id serverid, instant now, mailbox_effects& out,
                 unsigned copies = 0);

  /// The store failed: its sender is refused with `code`.
  void commit_failed(server_id serverid, refusal code, instant now,
                     mailbox_effects& out);

  /// A remove, ack_stored, put_device or erase_device is through.
  /// @param failed Its commit failed. Device records are then written again
  ///               later; what else failed costs a repeat after a restart.
  void op_done(bool failed = false) noexcept;

  /// Answer to `effect::fetch`: what was found, ascending. What is missing was
  /// damaged: it leaves the mailbox as quarantined.
  void fetched(const std::vector<server_id>& asked,
               std::vector<envelope_ptr> found, instant now,
               mailbox_effects& out);

  /// The fetch could not be done now (storage busy or failing): it is asked
  /// again by a later `timer`.
  void fetch_failed(instant now);

  /// The expiry sweep removed these from disk.
  void expired(const std::vector<server_id>& serverids, instant now,
               mailbox_effects& out);

  /// Another node's message, or acknowledgements of one, that storage has been
  /// given already: it is delivered like a stored one. Where later ones of
  /// its sender were delivered before, it gets a new serverId: devices see them
  /// ascend.
  void merge(envelope_ptr message, const std::vector<std::string>& acked,
             instant now, mailbox_effects& out);

  /// Another node has removed this message: it is over here too.
  void merge_removal(server_id serverid, instant now, mailbox_effects& out);

  /// Another node has removed this device, from this disk too.
  void merge_device_removal(std::string_view device, instant now,
                            mailbox_effects& out);

  /// Whether this node knows all devices of the user; true at first. Where not,
  /// a message stays although all known ones have it: another one may owe it.
  void know_all_devices(bool known, instant now, mailbox_effects& out);

  /// Another node's record of a device; storage has been given it already.
  void merge_device(const device_record& record, instant now,
                    mailbox_effects& out);

  /// The mailbox's home is another node from now on: stores what is in memory
  /// and lets go of all connections, without waking anybody. Once it is
  /// `idle` it is to be dropped; a new `attach` keeps it.
  void leave(instant now, mailbox_effects& out);

  /// Time has come to `next_deadline()` or passed it.
  void timer(instant now, mailbox_effects& out);

  /// When `timer` is wanted; `mono_time::max()` for never. May be early,
  /// never late.
  mono_time next_deadline() const noexcept;

  /// Nothing here that is not on disk, no device connected, nothing asked of
  /// storage: the shell may drop the mailbox (the destructor counts what is
  /// left on disk as `closed_pending`).
  bool idle() const noexcept;

  /// Pending messages of `device` above `after`, at most `limit`, oldest
  /// first; `more` tells whether there are others.
  std::vector<pending_view> list(std::string_view device, server_id after,
                                 std::size_t limit, bool& more) const;

  using inspection = mailbox_inspection;
  inspection inspect() const;

  /// What is known of the user's devices.
  std::vector<device_record> devices() const;

  const std::string& user() const noexcept {
    return user_;
  }

private:
  using ending = message_ending;
  // mailbox.cpp
  mailbox_entry adopt(const pending_record& record, instant now);
  void acknowledge(mailbox_device& device, mailbox_entry& entry, instant now,
                   mailbox_effects& out);

  // mailbox_devices.cpp: devices, connections and what they owe.
  mailbox_device* find_device(std::string_view name) noexcept;
  const mailbox_device* find_device(std::string_view name) const noexcept;
  mailbox_device* find_connection(attachment_id id) noexcept;
  mailbox_device* make_known(std::string_view name, instant now,
                             mailbox_effects& out);
  void cut_off(mailbox_device& device, instant now, mailbox_effects& out);
  void forget_device(mailbox_device& device, instant now, mailbox_effects& out);
  void put_device(const mailbox_device& device, mailbox_effects& out);
  void put_devices_again(instant now, mailbox_effects& out);
  void lose_connection(mailbox_device& device, instant now,
                       mailbox_effects& out);
  void store_debts(const mailbox_device& device, mailbox_effects& out);
  void cancel_idle_debts(instant now, mailbox_effects& out);
  bool any_connected() const noexcept;
  bool is_owed(const mailbox_entry& entry) const noexcept;

  // mailbox_merge.cpp: one message under two serverIds.
  bool meet_twin(pending_record& late, instant now, mailbox_effects& out);
  mailbox_elsewhere& elsewhere();
  void note_delivered(std::uint64_t sender_hash, server_id serverid);
  bool is_late(const pending_record& record) const noexcept;
  void replaces(server_id kept, server_id gone);
  void remove_replaced(server_id kept, mailbox_effects& out);

  // mailbox_receive.cpp: what happens to an arriving message.
  void reject(refusal why, envelope_ptr message, origin_ref origin,
              mailbox_effects& out);
  void relay(std::shared_ptr<envelope> message, origin_ref origin, instant now,
             mailbox_effects& out, std::string_view own_device);
  void place(mailbox_entry& entry, instant now, mailbox_effects& out);
  bool answer_resend(const dedupe_key& key, std::uint64_t content_hash,
                     const envelope_ptr& message, origin_ref& origin,
                     mailbox_effects& out);
  void store_again(mailbox_entry& entry, const envelope& resend,
                   std::uint64_t server_timestamp, mailbox_effects& out);
  bool has_room(std::uint32_t weight) const noexcept;
  mailbox_senders& senders();
  bool is_over_sender_limit(std::uint64_t sender_hash);
  dedupe_key salted(dedupe_key key) const noexcept;

  // mailbox_delivery.cpp: windows, timers, fetches.
  void pump(mailbox_device& device, instant now, mailbox_effects& out);
  bool pump_alone(mailbox_device& device, instant now, mailbox_effects& out);
  void pump_stuck(mailbox_device& device, instant now, mailbox_effects& out);
  void pump_all(instant now, mailbox_effects& out);
  void deliver(mailbox_device& device, const mailbox_entry& entry,
               flight_kind kind, instant now, mailbox_effects& out);
  bool resend_overdue(mailbox_device& device, instant now,
                      mailbox_effects& out);
  bool has_open_window(const mailbox_device& device,
                       std::uint32_t weight) const noexcept;
  void want_fetch(instant now, mailbox_effects& out);
  void collect_missing(const mailbox_device& device,
                       std::vector<server_id>& ids, std::size_t& bytes) const;
  void wake_at(mono_time at) noexcept;
  void find_next_deadline() noexcept;
  microseconds ack_timeout(unsigned attempt) const noexcept;
  mono_time spill_time(const mailbox_entry& entry) const noexcept;

  // mailbox_storage.cpp: storing, confirming, ending, memory.
  void store(mailbox_entry& entry, mailbox_effects& out);
  void store_what_is_due(instant now, mailbox_effects& out);
  void raise_offline(mailbox_effects& out, bool is_stored = false);
  void clear_offline(mailbox_effects& out);
  void confirm(mailbox_entry& entry, durability reached, mailbox_effects& out);
  void finish(mailbox_entry& entry, ending how, instant now,
              mailbox_effects& out);
  void count(ending how) noexcept;
  void finish_unowed(instant now, mailbox_effects& out);
  void hold(mailbox_entry& entry, envelope_ptr message) noexcept;
  void let_go(mailbox_entry& entry) noexcept;
  void drop_if_unneeded(mailbox_entry& entry) noexcept;
  void trim() noexcept;
  bool is_needed_soon(const mailbox_device& device,
                      const mailbox_entry& entry) const noexcept;
  bool is_over_memory() const noexcept;

  std::string user_;
  mailbox_context& context_;
  std::uint64_t user_hash_;
  mailbox_entries entries_;
  std::vector<mailbox_device> devices_;
  std::unique_ptr<mailbox_senders> senders_;     ///< made when it is needed
  std::unique_ptr<mailbox_elsewhere> elsewhere_; ///< made when it is needed
  mono_time next_deadline_ = mono_time::max();
  mono_time fetch_again_ = mono_time::max(); ///< after a failed fetch
  mono_time put_again_ = mono_time::max();   ///< device records; zero: soon
  std::size_t pending_bytes_ = 0;
  std::size_t memory_bytes_ = 0;   ///< weight of the envelopes held
  std::uint32_t memory_count_ = 0; ///< envelopes held
  std::uint32_t unstored_ = 0;     ///< entries of tier memory
  std::uint32_t waking_ = 0;       ///< pending of type MESSAGE
  std::uint32_t operations_ = 0;   ///< asked of storage, not answered
  std::uint8_t fetch_turn_ = 0;    ///< which device the next fetch starts with
  bool fetching_ = false;
  bool offline_raised_ = false;
  bool has_unowed_ = false; ///< found at open; the next timer ends them
  bool leaving_ = false;    ///< `leave`: nobody is woken
  bool knows_all_devices_ = true;
};

} // namespace vartalap::core
