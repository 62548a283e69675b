#include "net/shard_team.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace vartalap::net {

namespace {

/// Rounds over the shards of one thread before it asks for new events.
constexpr int rounds_max = 8;

/// Events of the outer epoll taken at once: one for each shard is the most.
constexpr std::size_t crew_events = 64;

double load_of(std::uint64_t busy_us, core::microseconds span) {
  return span.count() > 0
           ? static_cast<double>(busy_us) / static_cast<double>(span.count())
           : 1.0;
}

} // namespace

struct shard_team::member {
  explicit member(shard& s) : home(s) {
  }

  /// Time at work since the last call.
  std::uint64_t spent_us() {
    const auto total = home.counters().busy_us.load(std::memory_order_relaxed);
    return total - std::exchange(seen_us, total);
  }

  shard& home;
  bool away = false; ///< on the first thread, or on its way there
  std::condition_variable back;
  bool ready = false; ///< its epoll has something
  std::uint64_t seen_us = 0;
  core::mono_time since{}; ///< start of the time that `spent_us` counts
};

shard_team::shard_team(const std::vector<shard*>& shards, sharing_policy policy)
  : policy_(policy) {
  for (auto* one : shards)
    members_.push_back(std::make_unique<member>(*one));
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0)
    throw std::system_error(errno, std::generic_category(), "shard team");
}

shard_team::~shard_team() {
  ::close(epoll_);
}

void shard_team::run(std::size_t index) {
  auto& one = *members_[index];
  if (index == 0)
    run_first();
  else
    run_guest(one);
  one.home.leave_thread();
}

void shard_team::run_guest(member& one) {
  auto& home = one.home;
  home.enter_thread();
  one.since = shard::clock();
  while (!home.is_stopping()) {
    home.take_turn(home.wait_limit(home.now()));
    home.gather();
    const core::microseconds span = home.now() - one.since;
    if (!policy_.enabled || span < policy_.settled)
      continue;
    one.since = home.now();
    const auto load = load_of(one.spent_us(), span);
    if (load + load_.load() < policy_.join_below)
      join(one, load);
  }
}

void shard_team::join(member& one, double its_load) {
  std::unique_lock lock(mutex_);
  if (!open_)
    return;
  // Taken into account at once, so that not everybody joins at the same time.
  load_.store(load_.load() + its_load);
  one.away = true;
  one.home.leave_thread();
  members_.front()->home.post([this, &one] { welcome(one); });
  one.back.wait(lock, [&one] { return !one.away; });
  one.home.enter_thread();
  one.spent_us();
  one.since = shard::clock();
}

void shard_team::run_first() {
  auto& first = *members_.front();
  first.home.enter_thread();
  crew_.push_back(&first);
  ::epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &first;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, first.home.poll_handle(), &event)
      == 0) {
    const std::lock_guard lock(mutex_);
    open_ = true;
  }
  last_review_ = shard::clock();
  while (!first.home.is_stopping()) {
    if (crew_.size() == 1) {
      first.home.take_turn(first.home.wait_limit(first.home.now()));
      first.home.gather();
    } else {
      share_turn();
      send_stopped_home();
    }
    review();
  }
  while (crew_.size() > 1)
    send_home(crew_.size() - 1);
  crew_.clear();
  // Those that are still on their way here turn round.
  const std::lock_guard lock(mutex_);
  open_ = false;
  for (auto& one : members_)
    give_back(*one);
}

void shard_team::welcome(member& one) {
  {
    const std::lock_guard lock(mutex_);
    if (!open_)
      return;
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &one;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, one.home.poll_handle(), &event) != 0)
      return give_back(one);
  }
  one.spent_us();
  one.home.counters().shares.store(true, std::memory_order_relaxed);
  crew_.push_back(&one);
}

void shard_team::give_back(member& one) {
  one.away = false;
  one.home.counters().shares.store(false, std::memory_order_relaxed);
  one.back.notify_one();
}

void shard_team::send_home(std::size_t at) {
  auto& one = *crew_[at];
  crew_.erase(crew_.begin() + static_cast<std::ptrdiff_t>(at));
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, one.home.poll_handle(), nullptr);
  const std::lock_guard lock(mutex_);
  give_back(one);
}

void shard_team::send_stopped_home() {
  for (auto at = crew_.size() - 1; at > 0; --at)
    if (crew_[at]->home.is_stopping())
      send_home(at);
}

void shard_team::share_turn() {
  const auto before = shard::clock();
  int timeout = -1;
  for (const auto* one : crew_) {
    const auto limit = one->home.wait_limit(before);
    if (limit >= 0 && (timeout < 0 || limit < timeout))
      timeout = limit;
  }
  if (timeout != 0)
    for (auto* one : crew_)
      if (!one->home.may_sleep())
        timeout = 0;
  std::array<::epoll_event, crew_events> events{};
  const auto n = ::epoll_wait(epoll_, events.data(),
                              static_cast<int>(events.size()), timeout);
  for (auto* one : crew_)
    one->home.stay_awake();
  for (int i = 0; i < n; ++i)
    static_cast<member*>(events[static_cast<std::size_t>(i)].data.ptr)->ready
      = true;
  const auto now = shard::clock();
  bool any = true;
  for (int round = 0; any && round < rounds_max; ++round) {
    any = false;
    // By index: a turn may welcome another.
    // NOLINTNEXTLINE(modernize-loop-convert)
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      auto& one = *crew_[i];
      if (!one.ready && !one.home.has_work(now))
        continue;
      any = true;
      one.home.take_turn(std::exchange(one.ready, false) ? 0
                                                         : shard::no_events);
    }
  }
}

void shard_team::review() {
  const auto now = shard::clock();
  const core::microseconds span = now - last_review_;
  if (span < policy_.look)
    return;
  last_review_ = now;
  std::uint64_t total = 0;
  std::uint64_t most = 0;
  std::size_t busiest = 0;
  for (std::size_t i = 0; i < crew_.size(); ++i) {
    const auto spent = crew_[i]->spent_us();
    total += spent;
    if (i > 0 && spent >= most) {
      most = spent;
      busiest = i;
    }
  }
  const auto load = load_of(total, span);
  load_.store(load);
  if (load > policy_.leave_above && busiest > 0)
    send_home(busiest);
}

} // namespace vartalap::net
