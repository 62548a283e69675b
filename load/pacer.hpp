#pragma once

#include "net/shard.hpp"

#include <cstdint>
#include <functional>

namespace vartalap::load {

/// Calls back at an even rate: the n-th time at begin + n / rate. Late calls
/// are made up for, each with the time at which it was due, so a schedule
/// never waits for anybody. One timer descriptor for all that a shard sends;
/// the wheel of the shard is too coarse for latencies in µs.
///
/// Belongs to its shard's thread.
class pacer final : public net::ready_handler {
public:
  /// A firing wakes the shard no sooner than this after the last one, in µs.
  static constexpr std::uint64_t gap_us = 50;

  /// @throws std::system_error where no timer can be had.
  explicit pacer(net::shard& home);
  ~pacer() override;
  pacer(const pacer&) = delete;
  pacer& operator=(const pacer&) = delete;

  /// Starts over.
  /// @param rate Calls a second, above 0.
  /// @param limit Calls in all; 0 for no limit.
  /// @param due Gets the number of the call and when it was due, in µs of
  ///            the monotonic clock.
  void start(std::uint64_t begin_us, double rate, std::uint64_t limit,
             std::function<void(std::uint64_t, std::uint64_t)> due);

  /// No further call; not from within one.
  void stop();

  void on_ready(std::uint32_t events) override;

private:
  std::uint64_t time_of(std::uint64_t n) const noexcept;
  void arm(std::uint64_t at_us);

  net::shard& home_;
  int fd_ = -1;
  std::uint64_t begin_us_ = 0;
  double period_us_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t limit_ = 0;
  std::function<void(std::uint64_t, std::uint64_t)> due_;
};

/// The monotonic clock in µs, as the run counts them.
std::uint64_t clock_us();

} // namespace vartalap::load
