#include "bench/mqtt_scenarios.hpp"

#include "bench/mqtt_traffic.hpp"
#include "bench/process_meter.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

namespace vartalap::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto straggler_timeout = 20s; // without any progress
constexpr auto quiet_time = 300ms;      // in which repeats may come
constexpr auto idle_settle_time = 2s;   // until the server's memory is even

double seconds_between(steady_time from, steady_time to) {
  return std::chrono::duration<double>(to - from).count();
}

/// CPU of a process from the construction on.
class cpu_stopwatch {
public:
  /// @param pid 0: none, there is no result.
  explicit cpu_stopwatch(pid_t pid) {
    if (pid != 0) {
      meter_.emplace(pid);
      start_us_ = meter_->cpu_us();
    }
  }

  std::optional<double> us_per(std::uint64_t messages) const {
    if (!meter_ || messages == 0)
      return std::nullopt;
    return (meter_->cpu_us() - start_us_) / static_cast<double>(messages);
  }

private:
  std::optional<process_meter> meter_;
  double start_us_ = 0;
};

/// Sends at a fixed rate, or keeps every user's messages open, in steps.
class pace {
public:
  pace(mqtt_traffic& t, const workload& w) : traffic_(t), w_(w) {
  }

  /// Starts with the first messages; all that follow are due relative to now.
  void start() {
    start_ = clock::now();
    if (w_.rate > 0)
      return;
    for (std::size_t user = 0; user < w_.users; ++user) {
      traffic_.refill(user, UINT64_MAX);
      for (std::size_t i = 0; i < w_.inflight; ++i)
        traffic_.send(user, partner_of(user), start_);
    }
  }

  /// Goes on until `end`.
  void run_until(steady_time end) {
    for (auto now = clock::now(); now < end; now = clock::now()) {
      auto wake = end;
      if (w_.rate > 0) {
        for (; due(next_) <= now; ++next_) {
          const std::size_t sender = next_ % w_.users;
          traffic_.send(sender, partner_of(sender), due(next_));
        }
        wake = std::min(due(next_), end);
      }
      traffic_.swarm.poll(wake);
    }
  }

private:
  static std::size_t partner_of(std::size_t user) {
    return user ^ 1U;
  }

  steady_time due(std::uint64_t message) const {
    const std::chrono::duration<double> after(static_cast<double>(message)
                                              / w_.rate);
    return start_ + std::chrono::duration_cast<clock::duration>(after);
  }

  mqtt_traffic& traffic_;
  const workload& w_;
  steady_time start_;
  std::uint64_t next_ = 0; ///< Number of the next message at a rate.
};

constexpr std::size_t recipients_of(const workload& w) {
  return w.users / 2;
}

/// Sends everything to recipients that were there and are gone.
report store(const workload& w) {
  mqtt_traffic t(w.port, w.users, w.payload_bytes,
                 mqtt_traffic::done_when::confirmed);
  const std::size_t half = recipients_of(w);
  t.swarm.connect(0, half, mqtt_swarm::subscription::make);
  t.swarm.disconnect(0, half);
  t.swarm.connect(half, 2 * half, mqtt_swarm::subscription::make);
  const cpu_stopwatch cpu(w.server_pid);
  const auto start = clock::now();
  t.measure(start, steady_time::max());
  const std::uint64_t share = w.messages / half;
  for (std::size_t sender = half; sender < 2 * half; ++sender) {
    const std::uint64_t first = std::min<std::uint64_t>(share, w.inflight);
    t.refill(sender, share - first);
    for (std::uint64_t i = 0; i < first; ++i)
      t.send(sender, sender - half, clock::now());
  }
  t.finish();
  t.result.seconds = seconds_between(start, clock::now());
  t.result.cpu_us_per_message = cpu.us_per(t.result.messages);
  t.result.throughput = static_cast<double>(t.result.messages)
                        / t.result.seconds;
  return t.result;
}

/// Lets the recipients come back, and adds what it finds to `result`.
void drain(const workload& w, report& result) {
  mqtt_homecoming d(w.port, w.users, w.messages / recipients_of(w));
  const cpu_stopwatch cpu(w.server_pid);
  const auto start = clock::now();
  d.swarm.connect(0, recipients_of(w), mqtt_swarm::subscription::known);
  auto last_progress = clock::now();
  while (d.messages < result.messages
         && clock::now() < last_progress + straggler_timeout) {
    const std::uint64_t before = d.messages;
    d.swarm.poll(last_progress + straggler_timeout);
    if (d.messages != before)
      last_progress = clock::now();
  }
  result.drained_per_second = static_cast<double>(d.messages)
                              / seconds_between(start, last_progress);
  // The last acknowledgements are on their way, and repeats may come.
  const auto end = clock::now() + quiet_time;
  while (clock::now() < end)
    d.swarm.poll(end);
  result.cpu_us_per_drained = cpu.us_per(d.messages);
  result.lost = result.messages - std::min(result.messages, d.messages);
  result.duplicated += d.duplicated;
  result.reordered += d.reordered;
  result.unexpected += d.unexpected;
}

} // namespace

report run_pairs(const workload& w) {
  mqtt_traffic t(w.port, w.users, w.payload_bytes,
                 mqtt_traffic::done_when::confirmed_and_received);
  t.swarm.connect(0, w.users, mqtt_swarm::subscription::make);
  pace p(t, w);
  p.start();
  p.run_until(clock::now() + w.warmup);
  const cpu_stopwatch cpu(w.server_pid);
  const cpu_stopwatch own_cpu(getpid());
  const auto begin = clock::now();
  t.measure(begin, begin + w.duration);
  p.run_until(begin + w.duration);
  t.result.seconds = seconds_between(begin, clock::now());
  t.result.cpu_us_per_message = cpu.us_per(t.result.messages);
  t.result.generator_cpu_us_per_message = own_cpu.us_per(t.result.messages);
  t.result.throughput = static_cast<double>(t.result.messages)
                        / t.result.seconds;
  t.stop_refilling();
  t.finish();
  return t.result;
}

report run_idle(const workload& w) {
  mqtt_traffic t(w.port, w.users, w.payload_bytes,
                 mqtt_traffic::done_when::confirmed);
  std::optional<process_meter> meter;
  if (w.server_pid != 0)
    meter.emplace(w.server_pid);
  const std::uint64_t before = meter ? meter->pss_bytes() : 0;
  t.swarm.connect(0, w.users, mqtt_swarm::subscription::make);
  const auto start = clock::now();
  const auto end = start
                   + std::max<clock::duration>(w.duration, idle_settle_time);
  while (clock::now() < end)
    t.swarm.poll(end);
  if (meter) {
    const std::uint64_t after = std::max(meter->pss_bytes(), before);
    t.result.pss_bytes_per_user = (after - before) / w.users;
  }
  t.result.seconds = seconds_between(start, clock::now());
  return t.result;
}

report run_offline(const workload& w) {
  auto result = store(w);
  if (result.lost == 0)
    drain(w, result);
  return result;
}

} // namespace vartalap::bench
