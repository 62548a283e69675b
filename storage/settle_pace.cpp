#include "storage/settle_pace.hpp"

#include <algorithm>

namespace vartalap::storage {

namespace {

// Of a commit, in µs: while confirmations wait, when idle (twice as much
// with every commit that nobody has waited for), and when the journal is at
// its bound.
constexpr double busy_us = 5'000;
constexpr double idle_us = 10'000;
constexpr unsigned idle_doublings_max = 4;
constexpr double full_us = 50'000;
constexpr std::size_t records_min = 32;
constexpr std::size_t records_max = 16384;

} // namespace

settle_pace::settle_pace(core::milliseconds after, std::uint64_t journal_bytes)
  : after_(after), journal_bytes_max_(journal_bytes) {
}

void settle_pace::appended(std::uint64_t last, core::mono_time now) {
  last_ = last;
  if (!marks_.empty() && now - marks_.back().since < after_ / 100)
    marks_.back().last = last;
  else
    marks_.push_back({now, last});
}

settle_pace::share settle_pace::next(std::size_t waiting, std::size_t puts,
                                     std::uint64_t journal_bytes,
                                     core::mono_time now) {
  while (!marks_.empty()
         && marks_.front().since + after_ + after_ / 100 <= now) {
    due_upto_ = marks_.front().last;
    marks_.pop_front();
  }
  const auto over = journal_bytes > journal_bytes_max_;
  const auto upto = over ? last_ : due_upto_;
  if (upto <= done_upto_)
    return {};
  idle_ = waiting > 0 ? 0 : std::min(idle_ + 1, idle_doublings_max);
  auto budget = waiting > 0 ? busy_us : idle_us * (1U << idle_);
  if (over)
    budget = std::max(budget, full_us);
  auto records = static_cast<std::size_t>(budget / cost_us_);
  // At the bound the journal must shrink, whatever that costs the commit.
  if (over)
    records = std::max(records, 2 * puts);
  return {std::clamp(records, records_min, records_max), upto};
}

void settle_pace::settled(const share& asked, std::size_t records,
                          core::microseconds took) {
  if (records < asked.records)
    done_upto_ = std::max(done_upto_, asked.upto);
  if (records < records_min)
    return;
  const auto cost = static_cast<double>(took.count())
                    / static_cast<double>(records);
  cost_us_ = std::clamp(0.8 * cost_us_ + 0.2 * cost, 1.0, 1000.0);
}

core::mono_time settle_pace::due() const noexcept {
  if (due_upto_ > done_upto_)
    return core::mono_time{};
  if (marks_.empty())
    return core::mono_time::max();
  return marks_.front().since + after_ + after_ / 100;
}

} // namespace vartalap::storage
