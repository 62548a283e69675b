#include "load/options.hpp"

#include "load/payload.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <map>

namespace vartalap::load {

namespace {

const std::map<std::string, scenario>& scenarios() {
  static const std::map<std::string, scenario> words{
    {"pairs", scenario::pairs},     {"fanin", scenario::fanin},
    {"offline", scenario::offline}, {"drain", scenario::drain},
    {"churn", scenario::churn},     {"slow", scenario::slow},
    {"idle", scenario::idle},       {"mixed", scenario::mixed}};
  return words;
}

void add_duration(CLI::App& app, const std::string& name,
                  core::milliseconds& value, const std::string& help) {
  app
    .add_option(
      name,
      [&value](const CLI::results_t& texts) {
        return parse_duration(texts.front(), value);
      },
      help)
    ->type_name("DURATION")
    ->default_str(std::to_string(value.count()) + "ms");
}

void add_what(CLI::App& app, load_options& options) {
  app
    .add_option("--url", options.urls,
                "Where a node listens; repeat it to spread users over nodes,"
                " user i beginning at the i-th")
    ->capture_default_str();
  app
    .add_option("--scenario", options.scenario,
                "pairs, fanin, offline, drain, churn, slow, idle or mixed")
    ->transform(
      CLI::CheckedTransformer(scenarios(), CLI::ignore_case).description({}))
    ->type_name("NAME")
    ->default_str("pairs");
  app.add_option("--users", options.users, "Simulated users u0, u1, …")
    ->capture_default_str();
  app.add_option("--devices", options.devices, "Devices of each user")
    ->capture_default_str();
  app.add_option("--senders", options.senders,
                 "fanin, offline, drain: how many of the users send (left "
                 "out: a tenth; fanin: nine tenths)");
  app.add_option("--rate", options.rate,
                 "Open loop: messages a second in all; latency counts from"
                 " when each was due");
  app.add_option("--inflight", options.inflight,
                 "Closed loop: unconfirmed messages of each user");
  app.add_option("--messages", options.messages,
                 "End after so many instead of after --duration");
  add_duration(app, "--duration", options.duration, "Measured time");
  add_duration(app, "--warmup", options.warmup,
               "Traffic before the measurement");
  app.add_option("--size", options.size, "Content bytes of a message")
    ->capture_default_str();
  app.add_option("--ack", options.ack, "Ask the server for confirmations")
    ->capture_default_str();
  add_duration(app, "--churn-every", options.churn_every,
               "churn, mixed: mean time between a user's disconnects");
  app
    .add_option(
      "--move",
      [&options](const CLI::results_t& texts) {
        return parse_range(texts.front(), options.move);
      },
      "Each user leaves its node for another at random times so far apart,"
      " as 5s..20s; left out: never")
    ->type_name("RANGE");
  app
    .add_option("--slow-fraction", options.slow_fraction,
                "slow: share of the users that pause reading")
    ->capture_default_str();
}

void add_how(CLI::App& app, load_options& options) {
  app.add_option("--pid", options.pids,
                 "A node's process: its CPU and memory are measured; repeat it"
                 " for the sum over nodes");
  app.add_option("--admin", options.admins,
                 "A node's admin address, http://host:port; repeat it as"
                 " --pid");
  app.add_option("--token", options.token, "Token for the admin addresses");
  app.add_option("--json", options.json, "Write the report to a file, or -");
  app
    .add_option("--source-addresses", options.source_addresses,
                "Connect from so many loopback addresses")
    ->capture_default_str();
  app.add_option("--threads", options.threads, "Shards of the load tester")
    ->capture_default_str();
  app.add_option("--seed", options.seed, "Repeats the choices of a run");
  app
    .add_option("--connect-rate", options.connect_rate, "Connections a second")
    ->capture_default_str();
  add_duration(app, "--give-up", options.give_up,
               "A user that cannot reconnect for so long stays away");
  add_duration(app, "--drain-timeout", options.drain_timeout,
               "Longest wait at the end for what was confirmed");
  add_duration(app, "--settle", options.settle,
               "After the last message everything confirmed must have arrived"
               " within this; 0: --drain-timeout");
  app.add_flag("--then-drain,!--no-then-drain", options.then_drain,
               "offline: let the recipients come and get everything (on)");
  app.add_flag("--expect-restarts", options.expect_restarts,
               "The server may die and return: keep reconnecting");
  app.add_flag("--progress", options.progress,
               "A line a second even where stderr is no terminal");
}

} // namespace

const char* name_of(scenario which) noexcept {
  for (const auto& [word, value] : scenarios())
    if (value == which)
      return word.c_str();
  return "";
}

bool parse_duration(const std::string& text, core::milliseconds& out) {
  double number = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc{} || number < 0 || number > 1e9)
    return false;
  const std::string unit(parsed.ptr, end);
  static const std::map<std::string, double> units{
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  const auto found = units.find(unit);
  if (found == units.end())
    return false;
  out = core::milliseconds{
    static_cast<core::milliseconds::rep>(number * found->second)};
  return true;
}

bool parse_range(const std::string& text, duration_range& out) {
  const auto dots = text.find("..");
  return dots != std::string::npos
         && parse_duration(text.substr(0, dots), out.least)
         && parse_duration(text.substr(dots + 2), out.most)
         && out.least <= out.most && out.most.count() > 0;
}

bool parse_url(const std::string& text, target_url& out) {
  const auto scheme = text.find("://");
  if (scheme == std::string::npos
      || (text.substr(0, scheme) != "ws" && text.substr(0, scheme) != "http"))
    return false;
  auto rest = text.substr(scheme + 3);
  const auto slash = rest.find('/');
  out.path = slash == std::string::npos ? "" : rest.substr(slash);
  rest = rest.substr(0, slash);
  const auto colon = rest.rfind(':');
  const bool has_port = colon != std::string::npos
                        && rest.find(']', colon) == std::string::npos;
  out.host = rest.substr(0, has_port ? colon : std::string::npos);
  if (out.host.size() > 2 && out.host.front() == '[')
    out.host = out.host.substr(1, out.host.size() - 2);
  out.port = 80;
  if (has_port) {
    const auto* begin = rest.data() + colon + 1;
    const auto* end = rest.data() + rest.size();
    const auto parsed = std::from_chars(begin, end, out.port);
    if (parsed.ec != std::errc{} || parsed.ptr != end)
      return false;
  }
  return !out.host.empty() && out.port != 0;
}

void add_load_options(CLI::App& app, load_options& options) {
  add_what(app, options);
  add_how(app, options);
}

std::string problem_of(const load_options& options) {
  target_url url;
  for (const auto& text : options.urls)
    if (!parse_url(text, url))
      return "--url " + text + ": write it as ws://127.0.0.1:8080";
  for (const auto& text : options.admins)
    if (!parse_url(text, url))
      return "--admin " + text + ": write it as http://127.0.0.1:9080";
  if (options.urls.empty())
    return "--url is missing";
  if (options.users < 2 && options.scenario != scenario::idle)
    return "--users: a sender needs a recipient, so at least 2";
  if (options.users == 0 || options.users > 1'000'000)
    return "--users: 1 to 1000000";
  if (options.devices == 0 || options.devices > 10)
    return "--devices: 1 to 10, the server knows no more of a user";
  if (options.senders >= options.users)
    return "--senders: fewer than --users, somebody must receive";
  if (options.rate < 0 || options.connect_rate <= 0)
    return "--rate and --connect-rate: above 0";
  if (options.rate > 0 && options.inflight > 0)
    return "--rate is an open loop, --inflight a closed one: give one of them";
  if (!options.ack && options.rate == 0 && options.scenario != scenario::idle)
    return "--ack false needs --rate: a closed loop waits for confirmations";
  if (options.size < payload_bytes_min)
    return "--size: at least " + std::to_string(payload_bytes_min)
           + ", a content proves what it is";
  if (options.threads == 0 || options.threads > 64)
    return "--threads: 1 to 64";
  if (options.slow_fraction < 0 || options.slow_fraction > 1)
    return "--slow-fraction: 0 to 1";
  return {};
}

} // namespace vartalap::load
