#pragma once

#include "actors/http_api.hpp"
#include "actors/shard_context.hpp"
#include "net/listener.hpp"
#include "net/static_files.hpp"

#include <caf/actor_system.hpp>

#include <atomic>
#include <memory>

namespace vartalap::actors {

/// What the client port's sessions turn to: a connection actor for each
/// WebSocket, the HTTP API, the browser client's files.
class client_gateway final : public net::gateway {
public:
  client_gateway(caf::actor_system& system, node_context& node,
                 const net::static_files& files, net::authenticator& who);

  /// Where the user's mailbox is: messages to it and acks from it stay on one
  /// shard.
  net::shard& home_of(const net::client_info& client,
                      net::shard& accepted) override;
  void websocket_opened(const std::shared_ptr<net::session>& opened,
                        net::client_info client) override;
  void http(std::shared_ptr<net::http_request> request, net::shard& home,
            net::http_reply reply) override;

  /// Closes every WebSocket with 1001, spreading over `spread` when clients
  /// come back; one that opens later is closed at once. Any thread.
  void close_all(core::milliseconds spread);

private:
  caf::actor_system& system_;
  node_context& node_;
  const net::static_files& files_;
  http_api api_;
  std::atomic<bool> closing_{false};
};

} // namespace vartalap::actors
