#pragma once

#include "actors/messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/push_messages.hpp"
#include "actors/shard_context.hpp"
#include "core/mailbox.hpp"
#include "net/timer_wheel.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::actors {

/// One user's delivery: a shell around core::mailbox, which decides
/// everything. Turns actor messages into its events and its effects into
/// messages, storage operations and timers.
///
///   opening --snapshot_loaded--> open --idle, then retire--> ended
///
/// While it is opening what comes is kept in order. Started and retired by
/// its shard's router.
class delivery_actor final : public pinned_actor, private net::timer_node {
public:
  static constexpr const char* kind = "delivery";

  delivery_actor(caf::actor_config& config, shard_context& context,
                 std::string user, std::uint64_t owner);
  ~delivery_actor() override;

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  /// Asks storage for what it knows of the user, once what other nodes have
  /// stored here is through.
  void begin_loading();
  void load_snapshot();

  /// Runs `event` now, or when the mailbox is open.
  template <class F>
  void when_open(F&& event);

  /// It is tried again: nothing is lost, but somebody should look at the disk.
  static void log_failed_read(core::log_port& log, const std::string& user,
                              const std::exception& problem);

  void on_snapshot(const snapshot_loaded& loaded);
  void on_submit(submit& batch);
  void on_attach(const attach_device& what);
  void on_acknowledge(acknowledge& what);
  void on_storage(const storage_done& done);
  void on_list(list_pending& what);
  void on_timer_due();
  void take_written(const attachment& from);
  void on_end();
  void on_merge(storage::operation& what);
  void on_leave();

  // delivery_push.cpp
  void raise_event(const core::effect::notify_offline& what);
  void on_push(look_for_push& what);
  void on_push(const drop_push_target& what);
  void on_change(change_device& what);

  /// Carries out what the mailbox decided, and arms its next timer.
  void carry_out();
  void carry_out_storage(core::mailbox_effect& effect);
  void start_fetch(std::vector<core::server_id> serverids);
  void rearm();
  void look_idle();
  attachment* find(core::attachment_id id) noexcept;
  void notify(core::mailbox_effect& effect);

  void on_timer(core::mono_time now) override;

  shard_context& context_;
  std::uint64_t owner_;
  core::mailbox mailbox_;
  std::vector<attachment_ptr> attachments_;
  std::unique_ptr<std::vector<std::function<void()>>> waiting_;
  std::uint64_t handled_ = 0; ///< messages from the router
  core::mono_time idle_since_ = core::mono_time::max();
  bool ending_ = false;
  bool behind_copies_ = false; ///< waits for a barrier before it loads
};

/// Starts the delivery actor of `user`; called by its router.
caf::actor start_delivery(caf::scheduled_actor& parent, shard_context& context,
                          std::string user);

} // namespace vartalap::actors
