#pragma once

#include "core/units.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace vartalap::load {

/// What simulated users do.
enum class scenario : std::uint8_t {
  pairs,   ///< everybody online, each sends to a fixed partner
  fanin,   ///< many senders, few receivers
  offline, ///< recipients are away: what is sent to them must be stored
  drain,   ///< as offline; what counts is how fast they then get it
  churn,   ///< users leave politely, abort, and crash before they acknowledge
  slow,    ///< some readers pause for seconds
  idle,    ///< users connect and do nothing
  mixed,   ///< several contacts each, some churn, some pause
};

/// A time drawn at random between two bounds, both included.
struct duration_range {
  core::milliseconds least{0};
  core::milliseconds most{0}; ///< 0: never
};

/// The command line of `vartalap load`.
struct load_options {
  std::vector<std::string> urls{"ws://127.0.0.1:8080"}; ///< one a node
  enum scenario scenario = scenario::pairs;
  std::uint32_t users = 100;
  std::uint32_t devices = 1;  ///< per user
  std::uint32_t senders = 0;  ///< fanin, offline, drain; 0: the scenario's own
  double rate = 0;            ///< messages/s in all, open loop; 0: closed loop
  std::uint32_t inflight = 0; ///< per user, closed loop; 0: 1
  std::uint64_t messages = 0; ///< stop after these; 0: after `duration`
  core::milliseconds duration{10'000};
  core::milliseconds warmup{2'000};
  std::size_t size = 200;          ///< content bytes
  bool ack = true;                 ///< ask for SERVER_ACK frames
  std::vector<int> pids;           ///< of the nodes, for their CPU and memory
  std::vector<std::string> admins; ///< http://host:port of admin addresses
  std::string token;               ///< Bearer token for the admin addresses
  std::string json;                ///< file for the report, "-" for stdout
  std::uint32_t source_addresses = 75;
  unsigned threads = 1;
  std::uint64_t seed = 0;                ///< 0: from the system
  double connect_rate = 2000;            ///< per second
  core::milliseconds churn_every{2'000}; ///< mean time between a user's exits
  duration_range move;                ///< between a user's changes of its node
  double slow_fraction = 0.1;         ///< of the users
  core::milliseconds give_up{30'000}; ///< of a user that cannot come back
  core::milliseconds drain_timeout{30'000};
  core::milliseconds settle{0}; ///< from the last message on; 0: drain_timeout
  bool then_drain = true;
  bool expect_restarts = false;
  bool progress = false;
};

/// Where a ws:// URL points.
struct target_url {
  std::string host;
  std::uint16_t port = 80;
  std::string path;
};

/// Adds the options to a command or subcommand.
void add_load_options(CLI::App& app, load_options& options);

/// Checks what a parser cannot. @returns What is wrong and how to mend it,
/// or nothing.
std::string problem_of(const load_options& options);

/// Reads "scheme://host[:port][/path]" where the scheme is ws or http.
/// @returns False where it is not one.
bool parse_url(const std::string& text, target_url& out);

/// Reads "250ms", "10s", "2m"; a bare number is seconds.
/// @returns False where it is no such text.
bool parse_duration(const std::string& text, core::milliseconds& out);

/// Reads "5s..20s".
/// @returns False where it is no such text or its end lies before its begin.
bool parse_range(const std::string& text, duration_range& out);

/// The scenario's word.
const char* name_of(scenario which) noexcept;

} // namespace vartalap::load
