#include "actors/notifier_actor.hpp"

#include "actors/pinned_actor.hpp"

#include <utility>

namespace vartalap::actors {

notifier_actor::notifier_actor(caf::actor_config& config, core::log_port& log,
                               std::vector<std::string> raised)
  : caf::event_based_actor(config), log_(log), raised_(std::move(raised)) {
  harden(*this);
}

void notifier_actor::notify(const std::string& user, std::uint64_t pending) {
  if (log_.enabled(core::log_level::debug))
    log_.write(core::log_level::debug, "notifier",
               "messages wait for a user without a connected device: user="
                 + user + " pending=" + std::to_string(pending));
}

caf::behavior notifier_actor::make_behavior() {
  // A crash between the event and its delivery must not eat a wake-up.
  for (const auto& user : std::exchange(raised_, {}))
    notify(user, 0);
  return {
    [this](const user_offline& what) { notify(what.user, what.pending); },
    [](const user_online&) {},
  };
}

} // namespace vartalap::actors
