#pragma once

#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace vartalap::runtime {

/// What `vartalap serve` was asked.
struct serve_request {
  std::string config = "cluster.toml";
  std::string node; ///< empty: the only one of the file
};

void add_serve_options(CLI::App& app, serve_request& request);

/// `vartalap serve`: reads the configuration, runs the node until a signal.
/// Errors go to standard error as text for the operator.
/// @return The exit status: 0, 2 for a bad configuration, 1 where it cannot
///         start, 70 after an I/O error of its disk.
int run_serve(const serve_request& request);

/// `vartalap backup` and `vartalap verify`, of a node's data folder.
/// @return 0; 1 where `verify` found damage; 2 where it could not be done.
int run_backup(const std::string& data, const std::string& target);
int run_verify(const std::string& data);

} // namespace vartalap::runtime
