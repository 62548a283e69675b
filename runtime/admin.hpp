#pragma once

#include "actors/shard_context.hpp"
#include "net/listener.hpp"
#include "runtime/metrics.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace vartalap::runtime {

/// The admin address: /metrics, /healthz, /readyz, GET /users/{id}, and, with
/// the token, POST /expiry/resume. Runs on a shard of its own, so that it
/// answers while the others are busy.
class admin_gateway final : public net::gateway {
public:
  /// @param ready Empty text if the node is ready, else why it is not.
  admin_gateway(actors::node_context& node, process_metrics& metrics,
                std::string token, std::function<std::string()> ready);

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
  net::http_response resume_expiry(const net::http_request& request);

  actors::node_context& node_;
  process_metrics& metrics_;
  std::string token_;
  std::function<std::string()> ready_;
};

} // namespace vartalap::runtime
