#pragma once

#include "actors/pinned_actor.hpp"
#include "load/pacer.hpp"
#include "load/user_actor.hpp"

#include <caf/actor.hpp>

#include <cstdint>
#include <vector>

namespace vartalap::load {

/// The users of one shard: spawns them, brings them online at a bounded rate,
/// and tells the senders among them when a message is due. One per shard; of
/// the run's devices it has every n-th.
class swarm_actor final : public actors::pinned_actor {
public:
  /// @param shards How many swarms share the run.
  swarm_actor(caf::actor_config& config, net::shard& home,
              user_environment& environment, std::uint32_t shards);

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override {
    return "swarm";
  }

private:
  struct member {
    caf::actor device;
    std::uint32_t user = 0;
    bool sends = false;
  };

  double share(double total) const noexcept;
  void connect_everybody();
  void send_away();
  void start_traffic(std::uint64_t begin_us);
  void stop_traffic();

  user_environment& environment_;
  std::uint32_t shards_;
  std::vector<member> members_;
  std::vector<std::size_t> senders_; ///< of `members_`
  pacer connecting_;
  pacer sending_;
};

} // namespace vartalap::load
