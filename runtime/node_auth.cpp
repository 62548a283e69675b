#include "runtime/node_auth.hpp"

#include "net/tls_context.hpp"
#include "net/token_authenticator.hpp"
#include "runtime/login_file.hpp"
#include "runtime/login_firebase.hpp"
#include "runtime/login_webhook.hpp"
#include "runtime/secret_file.hpp"

#include <array>
#include <exception>
#include <utility>

namespace vartalap::runtime {

namespace {

bool is_public(const std::string& key) {
  return key.find("-----BEGIN ") != std::string::npos;
}

std::string webhook_secret(const core::login_options& login) {
  return login.webhook_secret_file.empty()
           ? std::string()
           : read_secret_file("auth.login.webhook_secret_file",
                              login.webhook_secret_file);
}

} // namespace

std::shared_ptr<const net::token_keys>
load_token_keys(const core::auth_options& auth) {
  if (!auth.jwks_file.empty())
    return net::token_keys::from_jwks(
      read_file("auth.jwks_file", auth.jwks_file), auth.jwks_file);
  auto text = read_file("auth.key_file", auth.key_file);
  if (!is_public(text))
    text = read_secret_file("auth.key_file", auth.key_file);
  return net::token_keys::from_key(text, auth.key_file);
}

node_auth::node_auth(actors::node_context& node, reload_signal& again)
  : node_(node) {
  switch (node.options.auth.mode) {
    case core::auth_mode::none:
      who_ = std::make_unique<net::trusting_authenticator>();
      break;
    case core::auth_mode::jwt:
      use_tokens(node.options.auth, again);
      break;
    case core::auth_mode::accesskey:
      use_keys(node.options, again);
      break;
  }
}

void node_auth::publish(process_metrics& into) const {
  const auto& from = node_.identity;
  constexpr std::array<const char*, 3> results{
    R"(result="yes")", R"(result="no")", R"(result="unavailable")"};
  for (std::size_t i = 0; i < results.size(); ++i)
    into.set_total("logins_total", static_cast<double>(from.decided[i].load()),
                   results[i]);
  into.set_total("limit_hits_total", static_cast<double>(from.logins.refused()),
                 R"(limit="login_rate")");
  into.set_total("limit_hits_total",
                 static_cast<double>(from.contacts.refused()),
                 R"(limit="contacts_rate")");
}

void node_auth::use_tokens(const core::auth_options& auth,
                           reload_signal& again) {
  net::token_rules rules;
  rules.issuer = auth.issuer;
  rules.audience = auth.audience;
  rules.leeway = auth.leeway;
  tokens_ = std::make_unique<net::token_verifier>(rules, load_token_keys(auth));
  who_ = std::make_unique<net::token_authenticator>(*tokens_);
  again.add(
    "the keys of tokens",
    [this, auth] { tokens_->replace(load_token_keys(auth)); },
    auth.jwks_file.empty() ? auth.key_file : auth.jwks_file);
}

void node_auth::use_keys(const core::cluster_options& options,
                         reload_signal& again) {
  auto keys = std::make_unique<actors::access_keys>(node_);
  node_.identity.keys = keys.get();
  who_ = std::move(keys);
  const auto& login = options.login;
  if (login.provider == "file") {
    auto users = std::make_shared<login_file>(login.users_file);
    again.add(
      "the users of auth.login.users_file", [users] { users->reload(); },
      login.users_file);
    login_ = std::make_unique<login_file_provider>(std::move(users));
  } else if (login.provider == "webhook") {
    login_ = std::make_unique<login_webhook>(login.webhook_url,
                                             webhook_secret(login),
                                             login.webhook_timeout, node_.log);
  } else {
    tokens_ = std::make_unique<net::token_verifier>(firebase_rules(options),
                                                    load_firebase_keys(login));
    login_ = std::make_unique<login_firebase>(*tokens_);
    again.add(
      "the keys of Firebase",
      [this, login] { tokens_->replace(load_firebase_keys(login)); },
      login.jwks_file);
  }
  node_.identity.login = login_.get();
}

std::vector<std::string> auth_file_problems(const core::cluster_options& from) {
  std::vector<std::string> out;
  const auto look = [&out](auto load) {
    try {
      load();
    } catch (const std::exception& problem) {
      out.emplace_back(problem.what());
    }
  };
  const auto& login = from.login;
  if (from.auth.mode == core::auth_mode::jwt)
    look([&] { load_token_keys(from.auth); });
  if (login.provider == "file")
    look([&] { login_file{login.users_file}; });
  if (login.provider == "webhook")
    look([&] { webhook_secret(login); });
  if (login.provider == "firebase")
    look([&] { load_firebase_keys(login); });
  for (const auto& node : from.nodes)
    if (node.tls.wanted())
      look([&] { net::tls_context{node.tls.certificate, node.tls.key}; });
  return out;
}

} // namespace vartalap::runtime
