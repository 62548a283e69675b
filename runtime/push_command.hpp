#pragma once

#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace vartalap::runtime {

/// `vartalap push`
struct push_request {
  std::string config = "cluster.toml";
  std::string node;     ///< empty: whichever is the user's home
  std::string user;     ///< of `push test`
  std::string platform; ///< with `token`, instead of a user
  std::string token;    ///< "-": read from standard input
  bool key = false;     ///< `push key`
};

/// Adds `push test` and `push key`.
void add_push_options(CLI::App& app, push_request& request);

/// `push test USER`: the user's home sends a test to all targets. `push test
/// --platform P --token T`: this process sends it, without a node. `push key`:
/// prints what browsers subscribe with.
/// @returns 0 where every attempt was delivered, 1 where one was not or there
///          was none, 2 for a bad configuration.
int run_push(const push_request& request);

} // namespace vartalap::runtime
