#include "load/run.hpp"

#include "actors/scheduler.hpp"
#include "load/conductor_actor.hpp"
#include "load/messages.hpp"
#include "load/report.hpp"
#include "load/swarm_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <random>
#include <variant>

namespace vartalap::load {

namespace {

/// What asks for the end. Blocked in all threads: the conductor takes them.
::sigset_t end_signals() {
  ::sigset_t set{};
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

/// Brings what the conductor says to the main thread, which may block on
/// files and sockets where a shard must not.
class run_events final : public run_observer {
public:
  struct end {
    std::string problem;
  };
  using event = std::variant<moment, std::string, end>;

  void reached(moment what) override {
    push(what);
  }
  void progressed(const std::string& line) override {
    push(line);
  }
  void finished(const std::string& problem) override {
    push(end{problem});
  }
  bool wants_end() override {
    const auto signals = end_signals();
    const ::timespec at_once{};
    return ::sigtimedwait(&signals, nullptr, &at_once) > 0;
  }

  event pop() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return !events_.empty(); });
    auto first = std::move(events_.front());
    events_.pop_front();
    return first;
  }

private:
  void push(event what) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(what));
    ready_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<event> events_;
};

/// Everything of one run, in the order in which it must outlive each other.
class load_run {
public:
  load_run(const load_options& options, std::uint64_t seed)
    : options_(options), seed_(seed), plan_(options, seed),
      payloads_(std::random_device{}() * std::uint64_t{4294967296}
                  + std::random_device{}(),
                options.size),
      book_(options.users, options.devices) {
    const auto wall = std::chrono::duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
    const auto offset = static_cast<std::uint64_t>(wall.count())
                        - clock_us() / 1000;
    for (unsigned i = 0; i < options.threads; ++i) {
      shards_.push_back(std::make_unique<net::shard>(i, core::microseconds{0}));
      stats_.push_back(std::make_unique<shard_stats>());
      contexts_.push_back(std::make_unique<client_context>(client_context{
        book_, payloads_, *stats_.back(), window_, offset, options.ack}));
      environments_.push_back(std::make_unique<user_environment>(
        user_environment{*contexts_.back(), options_, plan_, seed}));
    }
  }

  /// @returns What went wrong, or nothing.
  std::string run() {
    caf::actor_system_config config;
    std::vector<net::shard*> shards;
    for (const auto& one : shards_)
      shards.push_back(one.get());
    net::sharing_policy own_threads;
    own_threads.enabled = false;
    actors::use_shards(config, shards, own_threads);
    caf::actor_system system(config);
    std::vector<caf::actor> swarms;
    for (unsigned i = 0; i < options_.threads; ++i)
      swarms.push_back(system.spawn<swarm_actor>(*shards_[i], *environments_[i],
                                                 options_.threads));
    run_state state{options_, plan_, window_, stats_, events_};
    auto conductor
      = system.spawn<conductor_actor>(*shards_.front(), state, swarms);
    caf::anon_send(conductor, begin_run{});
    auto problem = follow();
    caf::anon_send_exit(conductor, caf::exit_reason::user_shutdown);
    for (const auto& swarm : swarms)
      caf::anon_send_exit(swarm, caf::exit_reason::user_shutdown);
    conductor = nullptr;
    swarms.clear();
    return problem; // The system waits for all actors.
  }

  report judge() const {
    return make_report(options_, seed_, book_.judge(), window_, stats_,
                       samples_);
  }

private:
  std::uint64_t sum(std::atomic<std::uint64_t> shard_stats::*counter) const {
    std::uint64_t total = 0;
    for (const auto& one : stats_)
      total += ((*one).*counter).load(std::memory_order_relaxed);
    return total;
  }

  void look(moment which) {
    auto& sample = samples_[which];
    sample.server
      = look_at_server(options_.pids, options_.admins, options_.token);
    sample.confirmed = sum(&shard_stats::confirmed);
    sample.arrived = sum(&shard_stats::arrived);
    sample.own_cpu_ns = cpu_ns_of(::getpid()).value_or(0);
  }

  std::string follow() {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    for (;;) {
      const auto event = events_.pop();
      if (const auto* which = std::get_if<moment>(&event)) {
        look(*which);
      } else if (const auto* line = std::get_if<std::string>(&event)) {
        if (terminal)
          std::cerr << "\r\033[K" << *line << std::flush;
        else if (options_.progress)
          std::cerr << *line << "\n";
      } else {
        if (terminal)
          std::cerr << "\n";
        return std::get<run_events::end>(event).problem;
      }
    }
  }

  const load_options& options_;
  std::uint64_t seed_;
  traffic_plan plan_;
  payload_maker payloads_;
  checker book_;
  measured_window window_;
  run_events events_;
  std::vector<std::unique_ptr<net::shard>> shards_;
  std::vector<std::unique_ptr<shard_stats>> stats_;
  std::vector<std::unique_ptr<client_context>> contexts_;
  std::vector<std::unique_ptr<user_environment>> environments_;
  std::map<moment, moment_sample> samples_;
};

/// As many descriptors as the system grants.
std::uint64_t raise_file_limit() {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

} // namespace

int run_load(const load_options& options) {
  if (const auto problem = problem_of(options); !problem.empty()) {
    std::cerr << "vartalap load: " << problem << "\n";
    return exit_status::usage;
  }
  constexpr std::uint64_t spare_files = 64;
  const auto files = raise_file_limit();
  if (std::uint64_t{options.users} * options.devices + spare_files > files) {
    std::cerr << "vartalap load: " << options.users << " users need more"
              << " than the " << files << " open files of this system\n";
    return exit_status::could_not;
  }
  const auto signals = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto seed = options.seed != 0 ? options.seed : std::random_device{}();
  load_run run(options, seed);
  const auto problem = run.run();
  const auto result = run.judge();
  const auto json = to_json(result);
  if (options.json == "-") {
    std::cout << json << "\n";
  } else {
    std::cout << to_text(result);
    if (!options.json.empty() && !(std::ofstream(options.json) << json << "\n"))
      std::cerr << "vartalap load: cannot write " << options.json << "\n";
  }
  if (!problem.empty()) {
    std::cerr << "vartalap load: " << problem << "\n";
    return exit_status::could_not;
  }
  auto judged = result.judged;
  if (!result.drained)
    judged.lost = 0;
  return judged.broken() ? exit_status::broken : exit_status::kept;
}

} // namespace vartalap::load
