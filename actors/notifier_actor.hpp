#pragma once

#include "actors/messages.hpp"
#include "core/ports.hpp"

#include <caf/event_based_actor.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace vartalap::actors {

/// Hears of users whose messages wait while no device is connected, one event
/// per user until a device comes back, and tells the provider. The provider
/// of this version is the log: a line per event, without content.
class notifier_actor final : public caf::event_based_actor {
public:
  static constexpr const char* kind = "notifier";

  /// @param raised Users whose event was on disk when the node started.
  notifier_actor(caf::actor_config& config, core::log_port& log,
                 std::vector<std::string> raised);

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  void notify(const std::string& user, std::uint64_t pending);

  core::log_port& log_;
  std::vector<std::string> raised_;
};

} // namespace vartalap::actors
