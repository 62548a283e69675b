#pragma once

#include "test/sim/ledger.hpp"
#include "test/sim/node.hpp"

#include <functional>
#include <map>
#include <set>
#include <vector>

namespace vartalap::sim {

/// All users' devices. The first device of each user sends, to random users,
/// and sends again until it is told that the message is safe; some users have
/// a second device for a while.
class clients {
public:
  /// @param find A running node, or null.
  clients(const setup& how, world& in, ledger& book,
          std::function<node*(node_index)> find);

  void start();

  /// No new messages; everybody stays where he is, those without a node find
  /// one.
  void quiet();

  /// Its clients have to find others.
  void node_down(node_index which);

  void deliver(node_index at, const session& to, const stored& what);
  void answer(node_index at, user_index user, message_number number, bool ok);

  /// Nothing is waiting for a confirmation.
  bool all_confirmed() const;

private:
  struct device {
    session at;
    bool gone = false; ///< was deleted by its user
    std::set<message_number> seen;
    std::map<message_number, user_index> unconfirmed;
  };

  using key = std::pair<user_index, std::uint32_t>;

  void connect(key who);
  void connect_later(key who);
  void disconnect(key who);
  void talk(user_index user);
  void submit(user_index user, message_number number);
  void move_later(key who);
  void second_device(user_index user);

  setup how_;
  world* world_;
  ledger* book_;
  std::function<node*(node_index)> find_;
  std::map<key, device> devices_;
  std::uint64_t sessions_ = 0;
  bool quiet_ = false;
};

} // namespace vartalap::sim
