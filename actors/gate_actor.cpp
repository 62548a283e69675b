#include "actors/gate_actor.hpp"

#include "actors/shard_context.hpp"

#include <utility>
#include <vector>

namespace vartalap::actors {

gate_actor::gate_actor(caf::actor_config& config, net::shard& home,
                       core::log_port& log,
                       std::unordered_map<std::string, caf::actor> links)
  : pinned_actor(config, home), log_(log), links_(std::move(links)) {
}

caf::behavior gate_actor::make_behavior() {
  return {
    [this](const std::vector<char>& blob) {
      auto hello = net::decode_hello({blob.data(), blob.size()});
      if (!hello)
        return; // Not even a hello: nobody to talk to.
      const auto link = links_.find(hello->name);
      if (link == links_.end()) {
        log_.write(core::log_level::warning, "link",
                   "\"" + hello->name
                     + "\" says hello, but is not in the member list");
        return;
      }
      tell(link->second, peer_greets{std::move(*hello),
                                     caf::strong_actor_ptr{current_sender()}});
    },
    [this](links_changed& what) { links_ = std::move(what.links); },
    [this](const end_cluster& what) {
      links_.clear();
      quit();
      if (what.ended)
        what.ended();
    },
  };
}

} // namespace vartalap::actors
