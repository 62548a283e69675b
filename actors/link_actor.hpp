#pragma once

#include "actors/cluster_messages.hpp"
#include "actors/messages.hpp"
#include "actors/peer_transport.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/shard_context.hpp"
#include "core/link_channel.hpp"
#include "net/peer_messages.hpp"
#include "net/timer_wheel.hpp"

#include <caf/actor_control_block.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vartalap::actors {

/// What a link needs to know.
struct link_settings {
  core::node_index peer = core::no_node;
  std::string name;       ///< of the peer
  std::string address;    ///< where its tunnel listens
  bool dials = false;     ///< of two nodes the one whose name is less dials
  net::peer::hello hello; ///< what this node says of itself
};

/// This node's end of the link to one peer: everything that goes from node to
/// node goes through it.
///
///   down --dialed--> greeting --hello answered--> up --silence, damage, end-->
///   down
///
/// Asking side: messages, connections and calls whose mailbox lives at the
/// peer. What the peer has not answered when the link goes down goes back to
/// the routers, in order, before the cluster actor hears of it. Serving side:
/// it stands in for the peer's connections towards the mailboxes here.
///
/// Copies that are sent to a link before it is up for the first time wait for
/// that, for `links_within` at most: after a change of the member list the peer
/// counts as live all the while.
///
/// Limits: core::link_rules; a queue that is full ends the session.
class link_actor final : public pinned_actor,
                         private net::turn_output,
                         private net::timer_node {
public:
  static constexpr const char* kind = "link";

  link_actor(caf::actor_config& config, shard_context& context,
             peer_transport& transport, link_settings settings);
  ~link_actor() override;

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  enum class state : std::uint8_t { down, dialing, greeting, up };

  // A connection of this node, attached at the peer.
  struct connection_here {
    attachment_ptr where;
    std::uint64_t reported = 0; ///< `written` as the peer knows it
  };
  // A connection of the peer, attached here.
  struct connection_there {
    attachment_ptr where; ///< stands in for it
    caf::actor delivery;
  };
  // A call that waits for the peer's answer.
  struct question {
    std::function<void(net::peer_message&)> answered;
    std::function<void()> again; ///< asks somebody else
  };

  // link_actor.cpp: the session.
  void dial();
  void on_dialed(const peer_dialed& what);
  void on_greeting(const peer_greets& what);
  void on_blob(const std::vector<char>& blob);
  void hear_clock(std::uint64_t time);
  void on_hello(const net::peer::hello& answer, caf::strong_actor_ptr from);
  std::string objection(const net::peer::hello& other) const;
  void send_hello(const caf::strong_actor_ptr& to, std::uint64_t session,
                  std::string refusal);
  void open(const net::peer::hello& other, caf::strong_actor_ptr from);
  void lose(std::string_view why);
  void log(core::log_level level, std::string_view text);
  void on_tick();
  void end(const end_cluster& what);
  void rearm();
  void on_timer(core::mono_time now) override;
  void flush_soon();
  void flush() override;
  void pump();
  void post(const caf::strong_actor_ptr& to, std::vector<char> blob);
  bool say(const net::peer_message& what);
  caf::actor router_of(std::string_view user) const;
  caf::actor me();
  look_at_link::figures figures() const;

  // link_asking.cpp
  caf::message_handler asking_behavior();
  void ask(submit& batch);
  void ask(acknowledge& what);
  void ask(list_pending& what);
  void ask(inspect_user& what);
  void send_copy(copy_item& item);
  void keep_early(net::peer_message what);
  void send_early();
  void give_back_all();
  void report_written();
  bool report_written(core::attachment_id id, connection_here& one);
  submission take_asked(std::uint64_t token);
  void heard(net::peer::confirmed& what);
  void heard(net::peer::refused& what);
  void heard(net::peer::merged& what);
  void heard(net::peer::not_home& what);
  void heard(net::peer::attached& what);
  void heard(net::peer::deliver& what);
  void heard(net::peer::gap& what);
  void heard(net::peer::close& what);
  void heard(net::peer::page& what);
  void heard(net::peer::inspected& what);
  void heard(net::peer::counted& what);
  void heard(net::peer::stored& what);
  void answer(std::uint64_t token, net::peer_message what);

  // link_serving.cpp
  caf::message_handler serving_behavior();
  void heard(net::peer::submit& what);
  void heard(net::peer::attach& what);
  void heard(net::peer::detach& what);
  void heard(net::peer::acks& what);
  void heard(net::peer::written& what);
  void heard(net::peer::list& what);
  void heard(net::peer::change_device& what);
  void heard(net::peer::inspect& what);
  void heard(net::peer::copy_put& what);
  void heard(net::peer::copy_remove& what);
  void heard(net::peer::copy_ack& what);
  void heard(net::peer::copy_device& what);
  void heard(net::peer::copy_erase_device& what);
  void heard(net::peer::copy_clear_offline& what);
  void heard(net::peer::cluster& what);
  void store_copy(const std::string& user, std::uint64_t ticket,
                  storage::operation what);
  void detach_all();
  std::uint64_t theirs(core::attachment_id mine) const;
  void hand_over_run();

  shard_context& context_;
  peer_transport& transport_;
  link_settings settings_;
  core::link_channel channel_;
  state state_ = state::down;
  bool may_open_ = false;
  bool ending_ = false;
  bool flush_due_ = false;
  bool clock_is_wrong_ = false; ///< the peer's, and it was logged
  std::uint64_t session_ = 0;
  caf::strong_actor_ptr remote_;
  std::string problem_;
  core::mono_time act_at_{}; ///< dial again, or give up greeting
  core::milliseconds backoff_{0};
  std::string encoded_;
  std::uint64_t sessions_ = 0;
  std::uint64_t given_back_ = 0;

  std::vector<net::peer_message> early_; ///< copies, before it was ever up
  core::mono_time early_until_{};

  std::deque<submission> asked_;  ///< null message: answered
  std::uint64_t first_asked_ = 1; ///< token of its front
  std::unordered_map<std::uint64_t, question> questions_;
  std::uint64_t last_question_ = 0;
  std::unordered_map<core::attachment_id, connection_here> here_;

  std::unordered_map<std::uint64_t, connection_there> there_; ///< by their id
  std::unordered_map<core::attachment_id, std::uint64_t> theirs_;
  decltype(store_copies::done) copies_done_;

  // What one blob brings, by shard.
  std::vector<submit> run_submits_;
  std::vector<store_copies> run_copies_;
  std::vector<given_back> run_back_;
};

} // namespace vartalap::actors
