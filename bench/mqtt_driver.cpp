#include "bench/mqtt_scenarios.hpp"

#include <CLI/CLI.hpp>
#include <sys/prctl.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <map>
#include <string>

namespace {

namespace bench = vartalap::bench;

using scenario = bench::report (*)(const bench::workload&);

const std::map<std::string, scenario> scenarios{
  {"pairs", bench::run_pairs},
  {"idle", bench::run_idle},
  {"offline", bench::run_offline},
  {"drain", bench::run_offline},
};

const std::map<std::string, std::int64_t> duration_units{{"ms", 1},
                                                         {"s", 1000}};

void print(const bench::report& r, bool json) {
  if (json)
    bench::write_json(std::cout, r);
  else
    bench::write_text(std::cout, r);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Loads an MQTT 3.1.1 server over WebSocket with the traffic of "
               "`vartalap load`: pairs of users, quality of service 1, "
               "persistent sessions."};
  bench::workload w;
  std::string name = "pairs";
  std::int64_t duration_ms = 10'000;
  std::int64_t warmup_ms = 2000;
  bool json = false;
  app.add_option("--port", w.port, "WebSocket port on 127.0.0.1")->required();
  app.add_option("--scenario", name, "pairs, idle, offline or drain")
    ->check(CLI::IsMember(scenarios));
  app.add_option("--users", w.users, "Even number of users")
    ->check(CLI::Range(2, 1'000'000));
  auto* rate
    = app.add_option("--rate", w.rate, "Open loop: messages a second in all")
        ->check(CLI::Range(0.001, 1e7));
  app
    .add_option("--inflight", w.inflight,
                "Closed loop: open messages per sender")
    ->check(CLI::Range(1, 60'000))
    ->excludes(rate);
  app.add_option("--duration", duration_ms, "Like 10s or 500ms")
    ->transform(CLI::AsNumberWithUnit(duration_units));
  app.add_option("--warmup", warmup_ms, "pairs: traffic before the measuring")
    ->transform(CLI::AsNumberWithUnit(duration_units));
  app.add_option("--size", w.payload_bytes, "Bytes of content")
    ->check(CLI::Range(8, 65536));
  app.add_option("--messages", w.messages, "offline, drain: messages in all");
  app.add_option("--pid", w.server_pid, "Server process to measure");
  app.add_flag("--json", json, "Print one JSON object");
  CLI11_PARSE(app, argc, argv);
  w.duration = std::chrono::milliseconds(duration_ms);
  w.warmup = std::chrono::milliseconds(warmup_ms);
  w.users -= w.users % 2;
  // A default slack of 50 µs would make messages at high rates leave in pairs.
  prctl(PR_SET_TIMERSLACK, 1);
  try {
    auto r = scenarios.at(name)(w);
    r.scenario = name;
    r.users = w.users;
    print(r, json);
    return r.lost == 0 && r.unexpected == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "mqtt_driver: " << error.what() << '\n';
    return 1;
  }
}
