#include "runtime/login_firebase.hpp"

#include "runtime/secret_file.hpp"

#include <chrono>

namespace vartalap::runtime {

net::token_rules firebase_rules(const core::cluster_options& options) {
  const auto& login = options.login;
  net::token_rules rules;
  rules.issuer = "https://securetoken.google.com/" + login.firebase_project;
  rules.audience = login.firebase_project;
  rules.user_claim = login.user_claim;
  rules.leeway = options.auth.leeway;
  // Anybody can type any address; one that was not verified proves nothing.
  if (login.user_claim == "email")
    rules.true_claim = "email_verified";
  return rules;
}

std::shared_ptr<const net::token_keys>
load_firebase_keys(const core::login_options& login) {
  return net::token_keys::from_jwks(
    read_file("auth.login.jwks_file", login.jwks_file), login.jwks_file);
}

void login_firebase::ask(actors::login_question what,
                         std::function<void(actors::login_verdict)> answer) {
  const auto now = std::chrono::duration_cast<core::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
                     .count();
  const auto found
    = tokens_.verify(what.token, static_cast<core::wall_ms>(now));
  const auto* owner = std::get_if<net::token_owner>(&found);
  answer(owner != nullptr && owner->user == what.username
           ? actors::login_verdict::yes
           : actors::login_verdict::no);
}

} // namespace vartalap::runtime
