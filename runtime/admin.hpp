#pragma once

#include "actors/shard_context.hpp"
#include "net/listener.hpp"
#include "runtime/metrics.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace vartalap::runtime {

/// What the admin address asks of the node.
struct admin_hooks {
  std::function<std::string()> ready;   ///< empty, or why it is not ready
  std::function<std::string()> cluster; ///< JSON; unset where it is alone
  std::function<void()> drain;          ///< hand everything over, then end
  /// Reads the member list again, and says what becomes of it; unset where it
  /// is alone. Throws text for the operator where it cannot be taken.
  std::function<std::string()> reload{};
};

/// The admin address: /metrics, /healthz, /readyz, GET /users/{id}, GET
/// /cluster, and, with the token, POST /expiry/resume, /push/test, /drain and
/// /cluster/reload. Runs on a shard of its own, so that it answers while the
/// others are busy.
class admin_gateway final : public net::gateway {
public:
  /// @param is_local Only this machine reaches the address; elsewhere users
  ///                 are shown to whoever has the token alone.
  admin_gateway(actors::node_context& node, process_metrics& metrics,
                std::string token, admin_hooks hooks, bool is_local);

  bool serves_websockets() const noexcept override {
    return false;
  }
  void websocket_opened(const std::shared_ptr<net::session>& opened,
                        net::client_info client) override;
  void http(std::shared_ptr<net::http_request> request, net::shard& home,
            net::http_reply reply) override;

private:
  net::http_response readiness() const;
  void inspect(const std::string& user, net::shard& home,
               net::http_reply reply);
  bool shows_token(const net::http_request& request) const;
  net::http_response change(const net::http_request& request);
  void test_push(const net::http_request& request, net::shard& home,
                 net::http_reply reply);
  /// Why the request may change nothing, or nothing.
  std::optional<net::http_response>
  refuse(const net::http_request& request) const;
  net::http_response cluster() const;

  actors::node_context& node_;
  process_metrics& metrics_;
  std::string token_;
  admin_hooks hooks_;
  bool is_local_;
};

} // namespace vartalap::runtime
