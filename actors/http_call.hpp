#pragma once

#include "core/units.hpp"
#include "net/http_message.hpp"
#include "net/shard.hpp"
#include "net/timer_wheel.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vartalap::actors {

/// One request of the HTTP API while it is served. Answered once: by whoever
/// serves it, or, where that takes too long, with `unavailable`. Belongs to
/// the thread of `home` until it is answered.
class http_call final : public std::enable_shared_from_this<http_call>,
                        private net::timer_node {
public:
  http_call(std::shared_ptr<const net::http_request> request, net::shard& home,
            net::http_reply reply);

  /// The authenticated user; empty until then.
  std::string user;

  /// The hash of the access key that it showed; empty where it showed none.
  std::string key;

  const net::http_request& request() const noexcept {
    return *request_;
  }
  net::shard& home() const noexcept {
    return home_;
  }

  /// From now on somebody else has to answer: after 30 s `otherwise` does, or,
  /// without one, 503.
  void wait(std::function<void()> otherwise = {});

  /// Only the first answer counts.
  void answer(net::http_response response);
  void answer(unsigned status, std::string body);
  void refuse(unsigned status, std::string_view code, std::string_view why);

private:
  void on_timer(core::mono_time now) override;

  std::shared_ptr<const net::http_request> request_;
  net::shard& home_;
  net::http_reply reply_;
  std::function<void()> otherwise_;
  std::shared_ptr<http_call> keep_; ///< itself, while the timer is armed
};

using http_call_ptr = std::shared_ptr<http_call>;

} // namespace vartalap::actors
