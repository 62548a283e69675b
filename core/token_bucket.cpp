#include "core/token_bucket.hpp"

#include <algorithm>
#include <chrono>

namespace vartalap::core {

namespace {

constexpr microseconds wait_max = std::chrono::hours{1};

} // namespace

token_bucket::token_bucket(double rate, double burst, mono_time now) noexcept
  : rate_(rate), burst_(std::max(burst, 1.0)), tokens_(burst_), last_(now) {
}

bool token_bucket::take(double n, mono_time now) noexcept {
  if (rate_ <= 0) {
    return true;
  }
  refill(now);
  // More than the bucket holds would wait for ever: a full bucket lets it
  // through and owes the rest.
  if (tokens_ < std::min(n, burst_)) {
    return false;
  }
  tokens_ -= n;
  return true;
}

void token_bucket::force(double n, mono_time now) noexcept {
  if (rate_ <= 0) {
    return;
  }
  refill(now);
  tokens_ -= n;
}

microseconds token_bucket::wait_for(double n, mono_time now) const noexcept {
  if (rate_ <= 0) {
    return microseconds{0};
  }
  token_bucket then = *this;
  then.refill(now);
  const double missing = std::min(n, burst_) - then.tokens_;
  if (missing <= 0) {
    return microseconds{0};
  }
  // Rounded up: whoever waits this long must find its tokens.
  const double wait = missing / rate_ * 1e6 + 1;
  if (wait >= static_cast<double>(wait_max.count())) {
    return wait_max;
  }
  return microseconds{static_cast<microseconds::rep>(wait)};
}

void token_bucket::refill(mono_time now) noexcept {
  if (now <= last_) {
    return;
  }
  const std::chrono::duration<double> passed = now - last_;
  tokens_ = std::min(burst_, tokens_ + passed.count() * rate_);
  last_ = now;
}

} // namespace vartalap::core
