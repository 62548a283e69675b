#pragma once

#include <iosfwd>
#include <string>

namespace CLI {
class App;
}

namespace vartalap::runtime {

/// What `vartalap token` was asked.
struct token_request {
  std::string user;
  std::string config = "cluster.toml";
  std::string key; ///< file; empty: auth.key_file, where that is a secret
  std::string kid;
  std::string valid_for = "24h";
};

void add_token_options(CLI::App& app, token_request& request);

/// `vartalap token`: prints a token for a user that the cluster of this
/// configuration takes.
/// @return The exit status: 0, or 2 where it cannot be made (`err` says why).
int run_token(const token_request& request, std::ostream& out,
              std::ostream& err);

} // namespace vartalap::runtime
