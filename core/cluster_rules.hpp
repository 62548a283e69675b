#pragma once

#include "core/units.hpp"

#include <cstdint>

namespace vartalap::core {

/// How a node's cluster_core behaves.
struct cluster_rules {
  unsigned replicas = 0;
  unsigned live_min = 1; ///< nodes, this one included, without which nothing
                         ///< could be confirmed: no takeover then
  milliseconds wait_for_peers{3000}; ///< joining: for links to all members
  milliseconds wait_for_step{
    10'000}; ///< joining: for passes with the live ones
  milliseconds repair_interval{600'000}; ///< of passes when nothing happened
  milliseconds ask_after{1000};   ///< please_take, when an owner stays away
  milliseconds stood_still{1000}; ///< without any event: the process did
  milliseconds hear_first{3000};  ///< then it takes nothing over so long
  /// After a link was lost, before anything is taken over: the others may be
  /// lost as well, only noticed later.
  milliseconds look_round{250};
  std::uint32_t slice = 1024;         ///< buckets whose sums go in one message
  std::uint32_t buckets_at_once = 16; ///< listings under way to one peer
  /// Buckets handed over in one step: of 300,000 mailboxes in memory about 300,
  /// which hold up what else a shard does for 3 ms.
  std::uint32_t release_at_once = 64;
};

} // namespace vartalap::core
