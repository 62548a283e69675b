#include "actors/client_gateway.hpp"

#include "actors/connection_actor.hpp"

#include <caf/actor_cast.hpp>

#include <cstdint>
#include <utility>

namespace vartalap::actors {

namespace {

/// The least that clients of a closing node wait before they come back.
constexpr std::int64_t come_back_after_ms = 500;

} // namespace

client_gateway::client_gateway(caf::actor_system& system, node_context& node,
                               const net::static_files& files,
                               net::authenticator& who)
  : system_(system), node_(node), files_(files), api_(node, who) {
}

net::shard& client_gateway::home_of(const net::client_info& client,
                                    net::shard&) {
  return node_.shard_of(client.user).home;
}

void client_gateway::websocket_opened(
  const std::shared_ptr<net::session>& opened, net::client_info client) {
  auto& context = *node_.shards[opened->home().index()];
  const auto handle = system_.spawn<connection_actor, caf::lazy_init>(
    context, opened, std::move(client));
  auto* actor = static_cast<connection_actor*>(
    caf::actor_cast<caf::abstract_actor*>(handle));
  actor->opened(handle);
  // Accepted before the listener stopped: `close_all` may have passed by.
  if (closing_.load())
    tell(handle, going_away{come_back_after_ms});
}

void client_gateway::http(std::shared_ptr<net::http_request> request,
                          net::shard& home, net::http_reply reply) {
  if (http_api::owns(request->path))
    api_.handle(std::move(request), home, std::move(reply));
  else
    reply(files_.serve(*request));
}

void client_gateway::close_all(core::milliseconds spread) {
  closing_.store(true);
  for (auto& context : node_.shards) {
    auto* shard = context.get();
    shard->home.post([shard, spread] {
      const auto n = static_cast<std::int64_t>(shard->connections.size());
      std::int64_t i = 0;
      for (const auto& one : shard->connections)
        tell(one.second,
             going_away{come_back_after_ms + spread.count() * i++ / n});
    });
  }
}

} // namespace vartalap::actors
