#pragma once

#include "test/sim/disk.hpp"
#include "test/sim/world.hpp"

#include <map>
#include <unordered_map>
#include <vector>

namespace vartalap::sim {

/// What became of every message, and the rules that hold at any moment.
class ledger {
public:
  explicit ledger(const setup& how) : how_(how) {
  }

  /// A client has sent a new message. @returns Its number.
  message_number sent(user_index from, user_index to);

  /// Its client has been told that it is safe.
  void told(message_number number);

  /// A node's disk has the message now, or has it no more.
  void copy(node_index where, const stored& what, bool held);

  /// A node's mailbox tells the sender that the message is safe: enough nodes
  /// must have committed it, or its recipient has it.
  void confirmed(const stored& what, bool acknowledged);

  /// A device's client has got it.
  /// @returns Whether for the first time.
  bool delivered(const stored& what, std::uint32_t device);

  /// A node's disk has carried out the removal. A node that starts anew knows
  /// of those that it remembers on disk; the others must not come back where
  /// every disk had carried them out.
  void removed(node_index where, server_id serverid);
  void started(node_index where, const disk& store);

  /// A mailbox is about to deliver: not what was removed where it lives.
  void check_delivery(node_index where, const stored& what) const;

  /// All that was confirmed was delivered.
  bool all_delivered() const;
  std::string undelivered() const;

  std::size_t messages() const noexcept {
    return fates_.size();
  }
  std::size_t confirmations() const noexcept {
    return confirmations_;
  }
  std::size_t repeats() const noexcept {
    return repeats_;
  }

private:
  struct fate {
    user_index from = 0;
    user_index to = 0;
    std::uint64_t sent = 0; ///< counted with `told`
    std::uint64_t told = UINT64_MAX;
    bool confirmed = false;
    std::uint32_t delivered = 0; ///< a bit for each device
    int copies = 0;              ///< on disks, of running and stopped nodes
  };

  fate& of(const stored& what);

  setup how_;
  std::vector<fate> fates_;
  struct traces {
    std::uint32_t committed = 0; ///< nodes that ever had it, as bits
    int copies = 0;              ///< disks that have it
  };
  std::unordered_map<server_id, traces> traces_;
  std::map<node_index, std::set<server_id>> removed_;
  /// By recipient's device and sender: what was delivered, once each.
  std::map<std::tuple<user_index, std::uint32_t, user_index>,
           std::vector<stored>>
    delivered_;
  std::uint64_t moment_ = 0;
  std::size_t confirmations_ = 0;
  std::size_t repeats_ = 0;
};

} // namespace vartalap::sim
