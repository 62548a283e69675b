#include "bench/mqtt_scenarios.hpp"

#include "bench/mqtt_swarm.hpp"
#include "bench/process_meter.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>

namespace vartalap::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t packet_ids = 65535; // 1 to 65535, 0 is not allowed
constexpr auto straggler_timeout = 20s;   // without any progress
constexpr auto idle_settle_time = 2s;     // until the server's memory is even

std::uint64_t us_between(steady_time from, steady_time to) {
  const auto us
    = std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
}

double seconds_between(steady_time from, steady_time to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Starts every payload; the rest is filling.
struct stamp {
  std::uint32_t sender = 0;
  std::uint32_t sequence = 0;
};

std::optional<stamp> read_stamp(const mqtt::packet& message) {
  stamp s;
  if (message.payload.size() < sizeof s)
    return std::nullopt;
  std::memcpy(&s, message.payload.data(), sizeof s);
  return s;
}

/// Server CPU from its construction on.
class cpu_stopwatch {
public:
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

/// Sends stamped messages and follows each until it is done.
class traffic final : public mqtt_events {
public:
  /// When a message counts as done.
  enum class done_when { confirmed, confirmed_and_received };

  traffic(const workload& w, done_when rule)
    : swarm(w.port, w.users, *this), rule_(rule), flows_(w.users),
      payload_(w.payload_bytes, 'x') {
  }

  /// Sends one message that was due at `scheduled`.
  void send(std::size_t sender, std::size_t recipient, steady_time scheduled) {
    auto& f = flows_[sender];
    if (f.open.size() == packet_ids)
      throw std::runtime_error("the server cannot keep up with this rate: "
                               + std::to_string(packet_ids)
                               + " messages of one user are unconfirmed");
    const auto sequence
      = static_cast<std::uint32_t>(f.first_open + f.open.size());
    const stamp s{static_cast<std::uint32_t>(sender), sequence};
    std::memcpy(payload_.data(), &s, sizeof s);
    f.recipient = recipient;
    f.open.push_back({scheduled, false, false, false});
    ++open_;
    swarm.publish(sender, recipient, packet_id_of(sequence), payload_);
  }

  /// Keeps one message of `sender` open: for each that is done, another one is
  /// sent, `quota` more at most, until stop_refilling().
  void refill(std::size_t sender, std::uint64_t quota) {
    flows_[sender].quota = quota;
    refilling_ = true;
  }

  void stop_refilling() {
    refilling_ = false;
  }

  /// From now on messages count: those that become done, and the latencies of
  /// those that were due since `begin`. Before, only losses are noticed.
  void begin_window(steady_time begin) {
    window_begin_ = begin;
    window_open_ = true;
  }

  /// From now on nothing but losses and faults is counted.
  void end_window() {
    window_open_ = false;
  }

  /// Polls until everything sent is done, or nothing has become done for long.
  void finish() {
    auto deadline = clock::now() + straggler_timeout;
    while (open_ > 0 && clock::now() < deadline) {
      const std::uint64_t before = open_;
      swarm.poll(deadline);
      if (open_ != before)
        deadline = clock::now() + straggler_timeout;
    }
    result.lost = open_;
  }

  void on_puback(std::size_t user, std::uint16_t packet_id) override {
    auto& f = flows_[user];
    const std::size_t first = f.first_open % packet_ids;
    const std::size_t index = (packet_id - 1U + packet_ids - first)
                              % packet_ids;
    if (packet_id == 0 || index >= f.open.size() || f.open[index].confirmed)
      throw std::runtime_error("PUBACK for a message that is not open");
    f.open[index].confirmed = true;
    record(result.confirm, f.open[index].scheduled);
    settle(user, index);
  }

  void on_publish(std::size_t user, const mqtt::packet& message) override {
    const auto s = read_stamp(message);
    if (!s || s->sender >= flows_.size()
        || flows_[s->sender].recipient != user) {
      ++result.unexpected;
      return;
    }
    auto& f = flows_[s->sender];
    const std::uint64_t index = std::uint64_t{s->sequence} - f.first_open;
    if (s->sequence < f.first_open
        || (index < f.open.size() && f.open[index].received)) {
      ++result.duplicated;
      return;
    }
    if (index >= f.open.size()) {
      ++result.unexpected;
      return;
    }
    if (s->sequence < f.next_received)
      ++result.reordered;
    f.next_received = std::max(f.next_received, s->sequence + 1);
    f.open[index].received = true;
    record(result.e2e, f.open[index].scheduled);
    settle(s->sender, index);
  }

  mqtt_swarm swarm;
  report result;

private:
  struct flight {
    steady_time scheduled;
    bool confirmed = false;
    bool received = false;
    bool done = false;
  };

  /// The messages of one sender; their sequence numbers have no gap.
  struct flow {
    std::uint32_t first_open = 0; ///< Sequence number of `open.front()`.
    std::uint32_t next_received = 0;
    std::size_t recipient = 0;
    std::uint64_t quota = 0; ///< Messages still to be sent as refills.
    std::deque<flight> open;
  };

  static std::uint16_t packet_id_of(std::uint32_t sequence) {
    return static_cast<std::uint16_t>(sequence % packet_ids + 1);
  }

  void record(latency_histogram& latencies, steady_time scheduled) {
    if (window_open_ && scheduled >= window_begin_)
      latencies.record(us_between(scheduled, clock::now()));
  }

  void settle(std::size_t sender, std::size_t index) {
    auto& f = flows_[sender];
    auto& message = f.open[index];
    if (!message.confirmed
        || (rule_ == done_when::confirmed_and_received && !message.received))
      return;
    message.done = true;
    if (window_open_)
      ++result.messages;
    --open_;
    while (!f.open.empty() && f.open.front().done) {
      f.open.pop_front();
      ++f.first_open;
    }
    if (refilling_ && f.quota > 0) {
      --f.quota;
      send(sender, f.recipient, clock::now());
    }
  }

  done_when rule_;
  bool refilling_ = false;
  bool window_open_ = false;
  steady_time window_begin_;
  std::uint64_t open_ = 0; ///< Sent and not done, all senders together.
  std::vector<flow> flows_;
  std::string payload_;
};

/// Sends at a fixed rate, or keeps every user's messages open, in steps.
class pace {
public:
  pace(traffic& t, const workload& w) : traffic_(t), w_(w) {
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

  traffic& traffic_;
  const workload& w_;
  steady_time start_;
  std::uint64_t next_ = 0; ///< Number of the next message at a rate.
};

/// Counts what comes back after an absence; each recipient has one sender.
class drained final : public mqtt_events {
public:
  explicit drained(const workload& w)
    : swarm(w.port, w.users, *this), senders_(w.users / 2) {
    received_.resize(senders_, std::vector<bool>(w.messages / senders_));
    next_.resize(senders_);
  }

  void on_puback(std::size_t, std::uint16_t) override {
    throw std::runtime_error("PUBACK without a publish");
  }

  void on_publish(std::size_t user, const mqtt::packet& message) override {
    const auto s = read_stamp(message);
    if (!s || s->sender != user + senders_
        || s->sequence >= received_[user].size()) {
      ++result.unexpected;
      return;
    }
    if (received_[user][s->sequence]) {
      ++result.duplicated;
      return;
    }
    received_[user][s->sequence] = true;
    if (s->sequence < next_[user])
      ++result.reordered;
    next_[user] = std::max(next_[user], s->sequence + 1);
    ++result.messages;
  }

  mqtt_swarm swarm;
  report result;

private:
  std::size_t senders_;
  // Index: the recipient, then the sequence number of its one sender.
  std::vector<std::vector<bool>> received_;
  std::vector<std::uint32_t> next_;
};

} // namespace

report run_pairs(const workload& w) {
  traffic t(w, traffic::done_when::confirmed_and_received);
  t.swarm.connect(0, w.users, mqtt_swarm::subscription::make);
  pace p(t, w);
  p.start();
  p.run_until(clock::now() + w.warmup);
  const cpu_stopwatch cpu(w.server_pid);
  const auto begin = clock::now();
  t.begin_window(begin);
  p.run_until(begin + w.duration);
  t.end_window();
  t.result.seconds = seconds_between(begin, clock::now());
  t.result.cpu_us_per_message = cpu.us_per(t.result.messages);
  t.result.throughput = static_cast<double>(t.result.messages)
                        / t.result.seconds;
  t.stop_refilling();
  t.finish();
  return t.result;
}

report run_idle(const workload& w) {
  traffic t(w, traffic::done_when::confirmed);
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
  traffic t(w, traffic::done_when::confirmed);
  const std::size_t half = w.users / 2;
  t.swarm.connect(0, half, mqtt_swarm::subscription::make);
  t.swarm.disconnect(0, half);
  t.swarm.connect(half, 2 * half, mqtt_swarm::subscription::make);
  const cpu_stopwatch cpu(w.server_pid);
  const auto start = clock::now();
  t.begin_window(start);
  const std::uint64_t share = w.messages / half;
  for (std::size_t sender = half; sender < 2 * half; ++sender) {
    const std::uint64_t first = std::min<std::uint64_t>(share, w.inflight);
    t.refill(sender, share - first);
    for (std::uint64_t i = 0; i < first; ++i)
      t.send(sender, sender - half, clock::now());
  }
  t.finish();
  t.result.seconds = seconds_between(start, clock::now());
  t.result.throughput = static_cast<double>(t.result.messages)
                        / t.result.seconds;
  t.result.cpu_us_per_message = cpu.us_per(t.result.messages);
  return t.result;
}

report run_drain(const workload& w) {
  if (run_offline(w).lost != 0)
    throw std::runtime_error("the server did not store everything");
  drained d(w);
  const std::size_t half = w.users / 2;
  const std::uint64_t expected = w.messages / half * half;
  const cpu_stopwatch cpu(w.server_pid);
  const auto start = clock::now();
  d.swarm.connect(0, half, mqtt_swarm::subscription::known);
  auto last_progress = clock::now();
  while (d.result.messages < expected
         && clock::now() < last_progress + straggler_timeout) {
    const std::uint64_t before = d.result.messages;
    d.swarm.poll(last_progress + straggler_timeout);
    if (d.result.messages != before)
      last_progress = clock::now();
  }
  d.result.seconds = seconds_between(start, last_progress);
  d.result.throughput = static_cast<double>(d.result.messages)
                        / d.result.seconds;
  // The last acknowledgements are still on their way to the server.
  const auto settle_end = clock::now() + idle_settle_time;
  while (clock::now() < settle_end)
    d.swarm.poll(settle_end);
  d.result.cpu_us_per_message = cpu.us_per(d.result.messages);
  d.result.lost = expected - std::min(expected, d.result.messages);
  return d.result;
}

} // namespace vartalap::bench
