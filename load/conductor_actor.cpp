#include "load/conductor_actor.hpp"

#include "load/messages.hpp"
#include "load/pacer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace vartalap::load {

namespace {

constexpr core::milliseconds look_every{20};
constexpr std::uint64_t progress_every_us = 1'000'000;

/// What arrives this long after everything has is a repeat; they count.
constexpr std::uint64_t quiet_us = 300'000;

std::uint64_t us(core::milliseconds ms) {
  return static_cast<std::uint64_t>(ms.count()) * 1000;
}

} // namespace

conductor_actor::conductor_actor(caf::actor_config& config, net::shard& home,
                                 run_state& run, std::vector<caf::actor> swarms)
  : pinned_actor(config, home), run_(run), swarms_(std::move(swarms)),
    ticker_(*this) {
}

caf::behavior conductor_actor::make_behavior() {
  return {[this](begin_run) {
    run_.observer.reached(moment::started);
    tell_all(connect_everybody{});
    enter(phase::connecting);
    look();
  }};
}

void conductor_actor::on_exit() {
  home().timers().cancel(ticker_);
  swarms_.clear();
}

template <class Message>
void conductor_actor::tell_all(const Message& message) {
  for (const auto& swarm : swarms_)
    caf::anon_send(swarm, message);
}

std::uint64_t
conductor_actor::sum(std::atomic<std::uint64_t> shard_stats::*counter) const {
  std::uint64_t total = 0;
  for (const auto& stats : run_.stats)
    total += ((*stats).*counter).load(std::memory_order_relaxed);
  return total;
}

std::uint64_t conductor_actor::devices() const {
  return std::uint64_t{run_.options.users} * run_.options.devices;
}

std::uint64_t conductor_actor::devices_away() const {
  const auto& plan = run_.plan;
  return plan.stores_first()
           ? std::uint64_t{plan.users() - plan.senders()} * run_.options.devices
           : 0;
}

bool conductor_actor::timed_out(core::milliseconds limit) const {
  return clock_us() > phase_since_us_ + us(limit);
}

bool conductor_actor::waited_enough() const {
  const auto settle = run_.options.settle;
  return settle.count() > 0 ? clock_us() > run_.window.end_us + us(settle)
                            : timed_out(run_.options.drain_timeout);
}

void conductor_actor::enter(phase next) {
  phase_ = next;
  phase_since_us_ = clock_us();
  quiet_since_us_ = 0;
  report_progress();
}

void conductor_actor::look_for_end() {
  if (!run_.observer.wants_end())
    return;
  if (phase_ != phase::running || ending_)
    return finish("ended by a signal");
  ending_ = true;
  run_.window.end_us = clock_us();
  if (!window_opened_)
    run_.window.begin_us = run_.window.end_us.load();
}

void conductor_actor::look() {
  look_for_end();
  switch (phase_) {
    case phase::connecting:
      look_at_connecting();
      break;
    case phase::parting:
      if (sum(&shard_stats::online) <= devices() - devices_away())
        begin_traffic();
      else if (timed_out(run_.options.drain_timeout))
        finish("the recipients did not get away");
      break;
    case phase::running:
      look_at_running();
      break;
    case phase::settling:
      look_at_settling();
      break;
    case phase::draining:
      look_at_draining();
      break;
    default:
      break;
  }
  if (phase_ == phase::over)
    return;
  if (clock_us() >= progress_at_us_)
    report_progress();
  home().timers().arm(ticker_, home().now() + look_every);
}

void conductor_actor::look_at_connecting() {
  if (sum(&shard_stats::gave_up) > 0)
    return finish("not every user could connect");
  const auto all_came = sum(&shard_stats::online) == devices();
  const auto patience
    = run_.options.give_up
      + core::milliseconds{static_cast<core::milliseconds::rep>(
        static_cast<double>(devices()) * 1000 / run_.options.connect_rate)};
  if (!all_came) {
    if (timed_out(patience))
      finish("not every user came online in time");
    return;
  }
  run_.observer.reached(moment::connected);
  if (run_.plan.stores_first()) {
    tell_all(send_away{});
    enter(phase::parting);
  } else {
    begin_traffic();
  }
}

void conductor_actor::begin_traffic() {
  const auto now = clock_us();
  run_.window.end_us = now + us(run_.options.warmup + run_.options.duration);
  run_.window.begin_us = now + us(run_.options.warmup);
  if (run_.options.messages > 0)
    run_.window.end_us = measured_window::never;
  tell_all(start_traffic{now});
  enter(phase::running);
}

void conductor_actor::look_at_running() {
  const auto now = clock_us();
  if (!window_opened_ && now >= run_.window.begin_us) {
    window_opened_ = true;
    run_.observer.reached(moment::window_open);
  }
  // A closed loop divides its messages among the senders, rounding up.
  const auto wanted = run_.options.messages;
  if (wanted > 0 && sum(&shard_stats::attempted) >= wanted
      && sum(&shard_stats::settled) >= wanted) {
    if (!window_opened_)
      run_.window.begin_us = run_.window.end_us.load();
    run_.window.end_us = now;
  }
  const auto settled = sum(&shard_stats::settled);
  if (settled != settled_seen_) {
    settled_seen_ = settled;
    progressed_us_ = now;
  }
  // Without a time limit a server that confirms nothing more ends the run.
  const bool stalled = wanted > 0
                       && now > std::max(progressed_us_, phase_since_us_)
                                  + us(run_.options.drain_timeout);
  if (stalled)
    run_.window.end_us = now;
  if (now < run_.window.end_us)
    return;
  run_.observer.reached(moment::window_over);
  tell_all(stop_traffic{});
  enter(phase::settling);
}

void conductor_actor::look_at_settling() {
  // Twice the same: what the users were told reaches them between two looks.
  const auto attempted = sum(&shard_stats::attempted);
  const bool settled = !run_.options.ack
                       || (sum(&shard_stats::settled) == attempted
                           && attempted == attempted_seen_);
  attempted_seen_ = attempted;
  if (!settled && !waited_enough())
    return;
  if (run_.plan.stores_first() && !run_.options.then_drain)
    return finish({});
  begin_draining();
}

void conductor_actor::begin_draining() {
  run_.observer.reached(moment::drain_begun);
  tell_all(connect_everybody{});
  enter(phase::draining);
}

void conductor_actor::look_at_draining() {
  const auto confirmed = run_.options.ack ? sum(&shard_stats::confirmed)
                                          : sum(&shard_stats::attempted);
  const auto settled = !run_.options.ack
                       || sum(&shard_stats::settled)
                            == sum(&shard_stats::attempted);
  const bool complete
    = settled && sum(&shard_stats::arrived) >= confirmed * run_.options.devices;
  const auto now = clock_us();
  if (complete && quiet_since_us_ == 0) {
    quiet_since_us_ = now;
    run_.window.settled_us = now;
    run_.observer.reached(moment::drained);
  }
  if (complete && now < quiet_since_us_ + quiet_us)
    return;
  if (complete)
    return finish({});
  if (waited_enough()) {
    run_.observer.reached(moment::drained);
    finish({});
  }
}

void conductor_actor::finish(const std::string& problem) {
  enter(phase::over);
  run_.observer.finished(problem);
}

void conductor_actor::report_progress() {
  static constexpr std::array words{
    "idle", "connecting", "parting", "running", "settling", "draining", "over"};
  progress_at_us_ = clock_us() + progress_every_us;
  const auto attempted = sum(&shard_stats::attempted);
  const auto settled = sum(&shard_stats::settled);
  std::array<char, 200> line{};
  std::snprintf(
    line.data(), line.size(),
    "%-10s online %llu sent %llu confirmed %llu arrived %llu open %llu",
    words[static_cast<std::size_t>(phase_)],
    static_cast<unsigned long long>(sum(&shard_stats::online)),
    static_cast<unsigned long long>(attempted),
    static_cast<unsigned long long>(sum(&shard_stats::confirmed)),
    static_cast<unsigned long long>(sum(&shard_stats::arrived)),
    static_cast<unsigned long long>(attempted > settled ? attempted - settled
                                                        : 0));
  run_.observer.progressed(line.data());
}

} // namespace vartalap::load
