#include "load/latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vartalap::load {

latency_histogram::latency_histogram() : slots_(slot_of(longest_us) + 1) {
}

std::size_t latency_histogram::slot_of(std::uint64_t us) noexcept {
  if (us < 2 * half)
    return us;
  // Eleven leading bits are kept: 1,024 slots for each further power of two.
  const auto shift = static_cast<unsigned>(std::bit_width(us)) - 11;
  return shift * half + (us >> shift);
}

std::uint64_t latency_histogram::last_of(std::size_t slot) noexcept {
  if (slot < 2 * half)
    return slot;
  const auto shift = slot / half - 1;
  const auto lead = slot - shift * half;
  return ((lead + 1) << shift) - 1;
}

void latency_histogram::record(std::uint64_t us) noexcept {
  us = std::min(us, longest_us);
  ++slots_[slot_of(us)];
  ++count_;
  max_ = std::max(max_, us);
}

void latency_histogram::add(const latency_histogram& other) noexcept {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    slots_[i] += other.slots_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t latency_histogram::percentile(double percent) const noexcept {
  if (count_ == 0)
    return 0;
  // A hair less: 99.9 % of 1,000 is 999, not what rounding makes of it.
  const auto rank
    = std::ceil(percent / 100 * static_cast<double>(count_) - 1e-6);
  const auto wanted
    = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rank), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    seen += slots_[i];
    if (seen >= wanted)
      return std::min(last_of(i), max_);
  }
  return max_;
}

} // namespace vartalap::load
