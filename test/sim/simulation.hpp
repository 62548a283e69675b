#pragma once

#include "test/sim/clients.hpp"
#include "test/sim/ledger.hpp"
#include "test/sim/net.hpp"
#include "test/sim/node.hpp"
#include "test/sim/world.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vartalap::sim {

/// What a run came to.
struct result {
  std::uint64_t steps = 0;
  std::size_t messages = 0;
  std::size_t confirmations = 0;
  std::size_t repeats = 0;
  sim_time healed = 0; ///< how long it took until everything was in order
};

/// A cluster, its clients and its faults, from one seed.
class simulation {
public:
  explicit simulation(const setup& how);

  /// Faults and traffic for a while, then neither, until all is in order.
  /// @throws violation
  result run();

private:
  void start(node_index which);
  void stop(node_index which);
  void fault_later();
  void do_fault(fault kind);
  void cut_links(fault kind, node_index a);
  void hinder(fault kind, node_index which);
  void crash(node_index which, bool wipe);
  void drain(node_index which, int tries);
  bool may_wipe() const;
  node_index any_node();
  void heal();

  /// What is not yet as it is to be in the end; empty: nothing.
  std::string disorder() const;
  std::string disorder_of(node_index which) const;
  std::string unequal_disks() const;

  setup how_;
  world world_;
  ledger book_;
  std::vector<machine> machines_;
  std::vector<std::unique_ptr<node>> nodes_;
  net net_;
  surroundings around_;
  clients clients_;
  bool faults_over_ = false;
  bool wiped_ = false; ///< since everybody was calm
};

} // namespace vartalap::sim
