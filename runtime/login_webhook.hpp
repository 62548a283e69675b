#pragma once

#include "actors/identity.hpp"
#include "core/ports.hpp"
#include "core/units.hpp"
#include "net/worker_pool.hpp"

#include <atomic>
#include <string>

namespace vartalap::runtime {

/// Logins that a service of the operator's decides. It is asked with
/// POST {"username","token","time"}; 200 with the same username is yes, 401 and
/// 403 are no, anything else is nothing. Asking has threads of its own.
class login_webhook final : public actors::login_provider {
public:
  /// @param secret Signs the body: HMAC-SHA256, in hex, in the header
  ///               X-Vartalap-Signature. Empty: unsigned.
  login_webhook(std::string url, std::string secret, core::milliseconds timeout,
                core::log_port& log);
  /// Gives up what is being asked.
  ~login_webhook() override;

  void ask(actors::login_question what,
           std::function<void(actors::login_verdict)> answer) override;

private:
  actors::login_verdict decide(const actors::login_question& what) const;

  std::string url_;
  std::string secret_;
  core::milliseconds timeout_;
  core::log_port& log_;
  std::atomic<unsigned> waiting_{0};
  std::atomic<bool> ending_{false};
  net::worker_pool workers_;
};

} // namespace vartalap::runtime
