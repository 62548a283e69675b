#include "load/pacer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace vartalap::load {

std::uint64_t clock_us() {
  return static_cast<std::uint64_t>(
    net::shard::clock().time_since_epoch().count());
}

pacer::pacer(net::shard& home) : home_(home) {
  fd_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd_ < 0 || !home_.watch(fd_, *this))
    throw std::system_error(errno, std::generic_category(), "timer");
}

pacer::~pacer() {
  home_.forget(fd_, *this);
  ::close(fd_);
}

void pacer::start(std::uint64_t begin_us, double rate, std::uint64_t limit,
                  std::function<void(std::uint64_t, std::uint64_t)> due) {
  begin_us_ = begin_us;
  period_us_ = 1e6 / rate;
  next_ = 0;
  limit_ = limit;
  due_ = std::move(due);
  arm(begin_us_);
}

void pacer::stop() {
  due_ = nullptr;
  ::itimerspec off{};
  ::timerfd_settime(fd_, 0, &off, nullptr);
}

std::uint64_t pacer::time_of(std::uint64_t n) const noexcept {
  return begin_us_
         + static_cast<std::uint64_t>(static_cast<double>(n) * period_us_);
}

void pacer::arm(std::uint64_t at_us) {
  ::itimerspec spec{};
  // Zero would disarm; a time that is past fires at once.
  const auto at = std::max<std::uint64_t>(at_us, 1);
  spec.it_value.tv_sec = static_cast<std::time_t>(at / 1'000'000);
  spec.it_value.tv_nsec = static_cast<long>(at % 1'000'000 * 1000);
  ::timerfd_settime(fd_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

void pacer::on_ready(std::uint32_t) {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const auto got
    = ::read(fd_, &expirations, sizeof expirations);
  const auto now = clock_us();
  while (due_ && (limit_ == 0 || next_ < limit_)) {
    const auto at = time_of(next_);
    if (at > now)
      return arm(std::max(at, now + gap_us));
    due_(next_++, at);
  }
}

} // namespace vartalap::load
