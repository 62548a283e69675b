#pragma once

#include "actors/messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/push_board.hpp"
#include "actors/push_messages.hpp"
#include "actors/shard_context.hpp"
#include "core/push_queue.hpp"
#include "net/push_sender.hpp"
#include "net/timer_wheel.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::actors {

/// Wakes users whose messages wait while no device is connected: a shell
/// around core::push_queue. Hears of offline events from the mailboxes, asks
/// them again when the time has come, has net's sender send, has storage keep
/// the progress, and reads from there what it does not have in memory.
///
/// Without a provider it tells the log, at level debug. One per node.
class notifier_actor final : public pinned_actor, private net::timer_node {
public:
  static constexpr const char* kind = "notifier";

  /// @param provider Null without a provider. Must be stopped before the actor
  ///               system ends.
  notifier_actor(caf::actor_config& config, shard_context& context,
                 net::push_sender* provider, push_board& board);

  const char* name() const override {
    return kind;
  }

  void on_exit() override;

protected:
  caf::behavior make_behavior() override;

private:
  void on_offline(const user_offline& what);
  void on_located(const push_located& what);
  void on_answered(const push_answered& what);
  void on_content(push_content& what);
  void on_page(push_page_read& what);
  void on_test(push_test& what);
  void on_timer(core::mono_time now) override;

  /// Carries out what the queue decided and arms the timer.
  void carry_out();
  void locate(const std::string& user);
  void send(std::vector<core::push_step::send> sends);
  void fetch_content(std::vector<core::push_step::send> sends);
  void dispatch(core::push_step::send what, const std::string& frame);
  void read_page();
  void report(const core::push_step::send& what, const core::push_outcome& how);

  shard_context& context_;
  net::push_sender* sender_;
  push_board& board_;
  core::push_queue queue_;
  core::push_actions actions_;
  std::string next_page_; ///< where to read on
  core::mono_time page_at_ = core::mono_time::max();
  /// By platform: when an operator was last told.
  std::array<core::mono_time, core::push_platforms> told_{};
};

} // namespace vartalap::actors
