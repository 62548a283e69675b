#pragma once

#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace vartalap::runtime {

/// The command line of `vartalap chat`.
struct chat_options {
  std::string user;
  std::string url = "ws://127.0.0.1:8080";
  std::string device = "terminal";
  std::string to;    ///< the first partner; empty: none
  std::string token; ///< sent as Authorization: Bearer
  std::string state; ///< directory; empty: $XDG_STATE_HOME/vartalap/chat/USER
};

/// Adds the options to a subcommand.
void add_chat_options(CLI::App& app, chat_options& options);

/// Runs the terminal client on stdin and stdout until /quit, or until the
/// end of the input and the confirmation of all that was said (30 s at most).
/// @returns 0; 1 where something is unconfirmed still (it is kept, and sent
///          next time); 2 for options that make no sense; 3 where the state
///          cannot be kept or the server refuses the user.
int run_chat(const chat_options& options);

} // namespace vartalap::runtime
