#pragma once

#include "test/sim/world.hpp"

#include <functional>
#include <vector>

namespace vartalap::sim {

class node;

/// Links between nodes. While a session is up, what is sent arrives in order.
/// A cut loses what is on its way; each side hears of it some time later
/// (`link_down`), and when both have, and nothing is cut, a new session comes.
class net {
public:
  /// What links do to nodes. Null: the node is down.
  struct hooks {
    std::function<node*(node_index)> find;
    std::function<void(node&, node_index)> up;
    std::function<void(node&, node_index)> down;
  };

  net(world& in, std::size_t nodes, hooks calls);

  /// Delivers `what` to the node `to`; lost where no session is up.
  void send(node_index from, node_index to, std::function<void(node&)> what);

  /// Nothing sent from one to the other arrives, until it is mended.
  void cut(node_index from, node_index to);
  void mend_all();

  /// Loses what is on its way between both; nothing stays cut.
  void flap(node_index a, node_index b);

  void node_up(node_index which);
  void node_down(node_index which);

  void set_slow(bool slow) noexcept {
    slow_ = slow;
  }

private:
  /// One direction of a pair, as its receiver sees it.
  struct way_in {
    bool up = false;   ///< the receiver holds the session for up
    bool lost = false; ///< something of this session was lost
    bool cut = false;  ///< nothing arrives
    sim_time last = 0; ///< nothing arrives before this
    std::uint64_t session = 0;
  };

  way_in& at(node_index from, node_index to) {
    return ends_[from * nodes_ + to];
  }

  void break_pair(node_index a, node_index b);
  void lose_end(node_index from, node_index to);
  void end_session(node_index from, node_index to, std::uint64_t session);
  void connect_later(node_index a, node_index b);
  void connect(node_index a, node_index b);
  void open(node_index from, node_index to, std::uint64_t session);

  world* world_;
  std::size_t nodes_;
  hooks calls_;
  std::vector<way_in> ends_;
  std::uint64_t sessions_ = 0;
  bool slow_ = false;
};

} // namespace vartalap::sim
