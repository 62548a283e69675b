#pragma once

#include "core/options.hpp"
#include "core/token_bucket.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vartalap::actors {

/// The message rate of one user, shared by all its connections on all shards.
class user_rate {
public:
  user_rate(double rate, double burst, core::mono_time now) noexcept
    : bucket_(rate, burst, now), burst_(burst) {
  }

  /// Counts `n` messages that were read already.
  /// @returns How long to read no more; zero where all is well.
  core::microseconds spend(double n, core::mono_time now);

  /// Counts `n` messages if they are within the rate.
  /// @returns Zero if they were, else how long to wait.
  core::microseconds try_spend(double n, core::mono_time now);

  /// True where forgetting what was spent makes no difference any more.
  bool is_full(core::mono_time now);

private:
  std::mutex mutex_;
  core::token_bucket bucket_;
  double burst_;
};

/// The rates of the users that send through this node. Any thread.
class rate_limits {
public:
  explicit rate_limits(const core::limit_options& limits) noexcept
    : limits_(limits) {
  }

  /// The user's rate; null where there is no limit. Kept until it is full
  /// again, so that neither reconnecting nor a new request refills it.
  std::shared_ptr<user_rate> of(std::string_view user, core::mono_time now);

private:
  const core::limit_options& limits_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<user_rate>> users_;
  std::size_t sweep_at_ = 1024;
};

} // namespace vartalap::actors
