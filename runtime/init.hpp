#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace vartalap::runtime {

/// What `vartalap init` was asked.
struct init_request {
  std::string directory = ".";
  std::string data = "data"; ///< below it, each node has a folder of its name
  std::vector<std::string> nodes; ///< NAME or NAME=IP; empty: n1 on loopback
  std::string auth = "none";      ///< auth.mode
  std::string user = "admin";     ///< accesskey: who may log in first
};

void add_init_options(CLI::App& app, init_request& request);

/// `vartalap init`: writes a cluster.toml that `vartalap check` takes, and the
/// secrets, keys and certificates that it names. All of it or nothing; what is
/// there is never replaced.
/// @param out What was made, and what to do next.
/// @return The exit status: 0, or 1 where it cannot be made (`err` says why).
int run_init(const init_request& request, std::ostream& out, std::ostream& err);

} // namespace vartalap::runtime
