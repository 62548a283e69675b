#pragma once

#include "actors/access_keys.hpp"
#include "actors/identity.hpp"
#include "core/options.hpp"
#include "net/client_info.hpp"
#include "net/token_verifier.hpp"
#include "runtime/metrics.hpp"
#include "runtime/reload_signal.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// How a node finds out who its clients are: what `[auth]` asks for, put
/// together.
class node_auth {
public:
  /// Reads the keys, and has them read again; tells `node` who checks logins.
  /// @param node Must outlive it; its shards must have ended before it does.
  /// @throws std::runtime_error with a text for the operator.
  node_auth(actors::node_context& node, reload_signal& again);

  net::authenticator& who() noexcept {
    return *who_;
  }

  /// Logins, and what their limits and the contact book's refused.
  void publish(process_metrics& into) const;

private:
  void use_tokens(const core::auth_options& auth, reload_signal& again);
  void use_keys(const core::cluster_options& options, reload_signal& again);

  actors::node_context& node_;
  std::unique_ptr<net::token_verifier> tokens_;
  std::unique_ptr<actors::login_provider> login_;
  std::unique_ptr<net::authenticator> who_;
};

/// The keys that `[auth]` names. Blocks on the disk.
/// @throws std::runtime_error with a text for the operator.
std::shared_ptr<const net::token_keys>
load_token_keys(const core::auth_options& auth);

/// What is wrong with the files that `[auth]` names, one line each, for
/// `vartalap check`; and those of `[node.tls]`. Blocks on the disk.
std::vector<std::string> auth_file_problems(const core::cluster_options& from);

} // namespace vartalap::runtime
