#include "net/shard.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>

namespace vartalap::net {

namespace {

thread_local shard* current_shard = nullptr;

/// Events taken from epoll at once; a bound on how long one turn reads.
constexpr int events_per_turn = 256;

/// Rounds of actors in one turn before sockets get another look.
constexpr int actor_rounds = 16;

} // namespace

shard::shard(unsigned index, core::microseconds coalesce)
  : index_(index), coalesce_(coalesce), now_(clock()), timers_(now_),
    scratch_(2 * scratch_size), events_(events_per_turn) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wake_fd_ < 0)
    throw std::system_error(errno, std::generic_category(), "shard");
  ::epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd_, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "shard");
}

shard::~shard() {
  ::close(wake_fd_);
  ::close(epoll_);
}

shard* shard::current() noexcept {
  return current_shard;
}

core::mono_time shard::clock() noexcept {
  return std::chrono::time_point_cast<core::microseconds>(
    std::chrono::steady_clock::now());
}

void shard::enter_thread() {
  current_shard = this;
  // The default slack of 50 us would be added to every short sleep.
  ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  now_ = clock();
}

void shard::leave_thread() noexcept {
  current_shard = nullptr;
}

void shard::run() {
  enter_thread();
  while (!is_stopping()) {
    take_turn(wait_limit(now_));
    gather();
  }
  leave_thread();
}

void shard::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void shard::post(std::function<void()> task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  wake();
}

void shard::wake() {
  // Only the first to find it asleep pays for the system call. Sequentially
  // consistent on both sides: either this sees `awake_` false, or the shard
  // sees the work when it looks once more before it sleeps.
  if (!awake_.exchange(true)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake_fd_, &one, sizeof one);
  }
}

int shard::wait_limit(core::mono_time now) const {
  if (work_left_ || !soon_.empty() || !outputs_.empty())
    return 0;
  const auto next = std::min(timers_.next(), next_later_);
  if (next == core::mono_time::max())
    return -1;
  if (next <= now)
    return 0;
  const auto ms = std::chrono::ceil<core::milliseconds>(next - now).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

bool shard::has_work(core::mono_time now) const {
  return work_left_ || !soon_.empty() || !outputs_.empty()
         || (runner_ != nullptr && runner_->has_work()) || anything_posted()
         || timers_.next() <= now || next_later_ <= now;
}

bool shard::may_sleep() {
  awake_.store(false);
  return !anything_posted() && !is_stopping()
         && (runner_ == nullptr || !runner_->has_work());
}

void shard::take_turn(int timeout_ms) {
  current_shard = this;
  work_left_ = false;
  handle_events(timeout_ms);
  turn_start_ = now_;
  run_posted();
  timers_.advance(now_);
  drain_soon();
  run_actors();
  take_due_outputs();
  flush_outputs();
  const auto end = clock();
  const auto spent = static_cast<std::uint64_t>((end - turn_start_).count());
  auto& c = counters_;
  c.turns.fetch_add(1, std::memory_order_relaxed);
  c.busy_us.fetch_add(spent, std::memory_order_relaxed);
  if (spent > c.lag_max_us.load(std::memory_order_relaxed))
    c.lag_max_us.store(spent, std::memory_order_relaxed);
  now_ = end;
}

bool shard::anything_posted() const {
  const std::lock_guard lock(posted_mutex_);
  return !posted_.empty();
}

void shard::handle_events(int timeout_ms) {
  int n = 0;
  if (timeout_ms != no_events) {
    if (timeout_ms != 0 && !may_sleep())
      timeout_ms = 0;
    n = ::epoll_wait(epoll_, events_.data(), events_per_turn, timeout_ms);
    stay_awake();
  }
  now_ = clock();
  events_end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
  recent_events_ = 0;
  for (events_at_ = 0; events_at_ < events_end_;) {
    // Advanced first: `forget` looks only at what has not been handled.
    const auto event = events_[events_at_++];
    if (event.data.ptr == nullptr) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = ::read(wake_fd_, &count, sizeof count);
    } else if (event.events != 0) {
      ++recent_events_;
      static_cast<ready_handler*>(event.data.ptr)->on_ready(event.events);
      drain_soon();
    }
  }
  events_at_ = events_end_ = 0;
  counters_.events.fetch_add(recent_events_, std::memory_order_relaxed);
}

void shard::run_posted() {
  {
    const std::lock_guard lock(posted_mutex_);
    running_posted_.swap(posted_);
  }
  if (running_posted_.empty())
    return;
  counters_.tasks.fetch_add(running_posted_.size(), std::memory_order_relaxed);
  for (auto& task : running_posted_) {
    task();
    drain_soon();
  }
  running_posted_.clear();
}

void shard::drain_soon() {
  if (draining_)
    return;
  draining_ = true;
  // Tasks may add tasks; the index survives the vector's growth.
  while (soon_at_ < soon_.size()) {
    const auto task = std::move(soon_[soon_at_++]);
    task->run();
  }
  soon_.clear();
  soon_at_ = 0;
  draining_ = false;
}

void shard::run_actors() {
  if (runner_ == nullptr)
    return;
  for (int round = 0; round < actor_rounds; ++round) {
    const auto more = runner_->run();
    drain_soon();
    if (!more && soon_.empty())
      return;
  }
  work_left_ = true;
}

void shard::flush_at_end(turn_output& output) {
  outputs_.push_back(&output);
}

void shard::flush_by(turn_output& output, core::mono_time when) {
  next_later_ = std::min(next_later_, when);
  for (auto& one : later_)
    if (one.output == &output) {
      one.when = when;
      return;
    }
  later_.push_back({&output, when});
}

void shard::take_due_outputs() {
  if (next_later_ > now_)
    return;
  next_later_ = core::mono_time::max();
  std::erase_if(later_, [this](const later_output& one) {
    if (one.when > now_) {
      next_later_ = std::min(next_later_, one.when);
      return false;
    }
    outputs_.push_back(one.output);
    return true;
  });
}

void shard::forget_output(turn_output& output) noexcept {
  std::erase_if(later_, [&output](const later_output& one) {
    return one.output == &output;
  });
  for (auto* list : {&outputs_, &flushing_})
    for (auto*& entry : *list)
      if (entry == &output)
        entry = nullptr;
}

void shard::flush_outputs() {
  flushing_.swap(outputs_);
  // A flush may find its connection dead and end it; what that makes
  // runnable runs in the next turn.
  for (const auto& output : flushing_)
    if (output != nullptr)
      output->flush();
  flushing_.clear();
  if (!outputs_.empty() || !soon_.empty())
    work_left_ = true;
}

void shard::gather() {
  if (coalesce_.count() <= 0 || work_left_)
    return;
  // Worth a sleep only where turns follow each other closely.
  const auto apart = turn_start_ - last_start_;
  last_start_ = turn_start_;
  if (recent_events_ == 0 || apart > 4 * coalesce_)
    return;
  const auto spare = coalesce_ - (now_ - turn_start_);
  if (spare < core::microseconds{50})
    return;
  const ::timespec nap{0, static_cast<long>(spare.count()) * 1000};
  ::nanosleep(&nap, nullptr);
  counters_.naps.fetch_add(1, std::memory_order_relaxed);
}

bool shard::watch(int fd, ready_handler& handler) {
  ::epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &handler;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
    return false;
  watched_.push_back(handler);
  return true;
}

void shard::forget(int fd, ready_handler& handler) noexcept {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  if (handler.is_linked())
    handler.unlink();
  for (auto i = events_at_; i < events_end_; ++i)
    if (events_[i].data.ptr == &handler)
      events_[i].events = 0;
}

void shard::end_watched() {
  run_posted();
  drain_soon();
  while (!watched_.empty()) {
    auto& one = watched_.front();
    one.unlink();
    one.on_shard_end();
    drain_soon();
    run_posted();
  }
}

} // namespace vartalap::net
