#pragma once

#include "actors/pinned_actor.hpp"
#include "load/client_core.hpp"
#include "load/options.hpp"
#include "load/traffic_plan.hpp"
#include "net/reconnect_policy.hpp"
#include "net/ws_client.hpp"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>

namespace vartalap::load {

/// What all users of one shard share besides their clients' context.
struct user_environment {
  client_context& client;
  const load_options& options;
  const traffic_plan& plan;
  std::uint64_t seed = 0;
};

/// One device of a simulated user: the shell around `client_core` that owns
/// its WebSocket, comes back after it was lost (of several nodes to the next
/// one, first at once), moves between nodes, and misbehaves as the plan wants
/// it.
///
///   away --go_online--> connecting --open--> online --lost/closed--> waiting
///    ^                      ^  `---failed------------------------------^ |
///    |                      `------------------ wait over ---------------'
///    `--go_offline-- any                  (gave up: away, counted)
class user_actor final : public actors::pinned_actor,
                         private net::ws_client_events,
                         private frame_sink {
public:
  user_actor(caf::actor_config& config, net::shard& home,
             user_environment& environment, std::uint32_t user,
             std::uint32_t device);

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override {
    return "user";
  }

private:
  enum class state : std::uint8_t { away, connecting, online, waiting };

  /// A deadline that calls a member of its user.
  class alarm final : public net::timer_node {
  public:
    using action = void (user_actor::*)();
    alarm(user_actor& owner, action what) : owner_(owner), what_(what) {
    }

  private:
    void on_timer(core::mono_time) override {
      (owner_.*what_)();
    }
    user_actor& owner_;
    action what_;
  };

  // ws_client_events
  void on_open() override;
  void on_frame(std::string_view payload, bool text) override;
  void on_run_end() override;
  void on_closed(unsigned code, std::string_view reason) override;
  void on_failed(unsigned http_status, std::string_view text) override;
  // frame_sink
  void write(std::string_view frame) override;

  void connect();
  void leave_politely();
  void vanish(bool reset);
  void dropped();
  void come_back(std::optional<core::milliseconds> wait);
  void refill();
  void watch_outbox();
  void look_at_outbox();
  void set_misbehaving(bool on);
  void misbehave_now();
  void churn_once();
  void move_on();
  void arm_move();
  void choose_next_node();
  void choose_other_node();
  void note_service();
  void arm(alarm& which, core::milliseconds after);
  core::milliseconds about(core::milliseconds mean);

  user_environment& environment_;
  client_core core_;
  net::reconnect_policy reconnect_;
  std::shared_ptr<net::ws_client> socket_;
  std::minstd_rand random_;
  alarm reconnect_alarm_;
  alarm outbox_alarm_;
  alarm misbehave_alarm_;
  alarm move_alarm_;
  core::mono_time down_since_{};
  std::uint64_t unserved_since_us_ = 0; ///< 0: served, or away by choice
  std::size_t node_;                    ///< of the URLs
  std::uint64_t quota_ = 0;
  std::uint32_t inflight_ = 0;
  state state_ = state::away;
  bool wanted_ = false; ///< to be online
  bool opened_before_ = false;
  bool misbehaving_ = false;
  bool paused_ = false;
  bool crashing_ = false;
  bool moving_ = false; ///< the close of its connection is on its way
};

} // namespace vartalap::load
