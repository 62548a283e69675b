#pragma once

#include "actors/identity.hpp"
#include "core/options.hpp"
#include "net/token_verifier.hpp"

#include <memory>

namespace vartalap::runtime {

/// What an ID token of the configured Firebase project has to say.
net::token_rules firebase_rules(const core::cluster_options& options);

/// @throws std::runtime_error with a text for the operator.
std::shared_ptr<const net::token_keys>
load_firebase_keys(const core::login_options& login);

/// Logins with Firebase ID tokens: the name must be what the token's
/// `auth.login.user_claim` says. Answers at once.
class login_firebase final : public actors::login_provider {
public:
  /// @param tokens Must outlive it.
  explicit login_firebase(const net::token_verifier& tokens) : tokens_(tokens) {
  }

  void ask(actors::login_question what,
           std::function<void(actors::login_verdict)> answer) override;

private:
  const net::token_verifier& tokens_;
};

} // namespace vartalap::runtime
