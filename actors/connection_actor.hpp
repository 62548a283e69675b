#pragma once

#include "actors/credential_watch.hpp"
#include "actors/messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/rate_limits.hpp"
#include "actors/shard_context.hpp"
#include "net/session.hpp"
#include "net/timer_wheel.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::actors {

/// One WebSocket of one device: frames in become submissions and
/// acknowledgements, deliveries and confirmations become frames out.
///
/// Runs on the shard of its user's mailbox: the session calls it directly,
/// actor messages reach it on the same thread. It keeps itself alive while
/// the session is open and ends with it.
///
/// Limits: `limits.unconfirmed` messages read and not yet confirmed, and the
/// user's message rate; over either the socket is not read until that passes.
/// Deliveries beyond half of `limits.output_bytes` wait here, as messages, for
/// the socket: the window bounds them, and their encoding may be many times
/// larger.
class connection_actor final : public pinned_actor,
                               public net::session_events,
                               private net::timer_node {
public:
  static constexpr const char* kind = "connection";

  connection_actor(caf::actor_config& config, shard_context& context,
                   std::shared_ptr<net::session> session,
                   net::client_info client);
  ~connection_actor() override;

  const char* name() const override {
    return kind;
  }

  /// Attaches the device and begins to serve the session; `self` is this
  /// actor's handle. Once, after spawning, on the shard's thread.
  void opened(const caf::actor& self);

  void on_frame(std::string_view payload, bool text) override;
  void on_run_end() override;
  void on_pong(std::string_view payload) override;
  void on_output() override;
  void on_closed(unsigned code) override;

protected:
  caf::behavior make_behavior() override;

private:
  struct outgoing; ///< what one run gathers per shard

  // Frames in.
  void take_message(net::frame::message& in);
  void take_ack(const net::frame::ack& in);
  void refuse_frame(std::string_view id, core::refusal code,
                    std::string_view why);
  void spend_rate();
  void reconsider_reading();

  // Actor messages in.
  void on_deliveries(deliver_batch& batch);
  bool has_output_room() const;
  void write(const core::effect::deliver& item);
  void write_held();
  void on_confirms(const confirm_batch& batch);
  void on_refusals(const refuse_batch& batch);
  void on_close(close_connection how);
  void on_attached(attached& to);
  void answered(std::size_t messages = 1);

  // Acknowledging what was written, for clients that never do.
  void expect_written(const core::effect::deliver& item);
  void ping_for_written();
  void send_acks();

  std::shared_ptr<const submission_origin> origin();
  void on_timer(core::mono_time now) override;

  shard_context& context_;
  std::shared_ptr<net::session> session_;
  net::client_info client_;
  attachment_ptr attachment_;
  caf::actor self_; ///< while the session is open
  caf::actor delivery_;
  std::shared_ptr<const submission_origin> origin_;
  std::shared_ptr<user_rate> rate_;
  std::unique_ptr<credential_watch> watch_; ///< of what may end
  std::unique_ptr<outgoing> run_;
  std::unique_ptr<std::deque<core::effect::deliver>> held_; ///< for the socket
  std::vector<core::server_id> written_; ///< acknowledged by the next pong
  std::uint64_t last_ordinal_ = 0;
  std::size_t unconfirmed_ = 0;
  std::uint32_t pings_ = 0;      ///< number of the last ping of ours
  std::size_t written_upto_ = 0; ///< of `written_`, covered by that ping
  bool ping_pending_ = false;
  bool rate_paused_ = false;
  bool window_paused_ = false;
};

} // namespace vartalap::actors
