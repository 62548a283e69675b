#pragma once

#include "actors/cluster_messages.hpp"
#include "actors/pinned_actor.hpp"
#include "core/ports.hpp"

#include <string>
#include <unordered_map>

namespace vartalap::actors {

/// What other nodes reach first: takes hellos and hands them to the links.
/// The one actor of a node that is published to its peers.
class gate_actor final : public pinned_actor {
public:
  static constexpr const char* kind = "gate";

  /// @param links By the peers' names.
  gate_actor(caf::actor_config& config, net::shard& home, core::log_port& log,
             std::unordered_map<std::string, caf::actor> links);

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  core::log_port& log_;
  std::unordered_map<std::string, caf::actor> links_;
};

} // namespace vartalap::actors
