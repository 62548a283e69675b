#include "net/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace vartalap::net {

timer_node::~timer_node() {
  if (wheel_ != nullptr)
    wheel_->cancel(*this);
}

timer_wheel::timer_wheel(core::mono_time now) noexcept : origin_(now) {
}

std::uint64_t timer_wheel::tick_of(core::mono_time t) const noexcept {
  if (t <= origin_)
    return 0;
  // Rounded up: a timer may be late by a tick, never early. A deadline of
  // `max` must not overflow, hence no addition to it.
  const auto since = t - origin_;
  const auto whole = static_cast<std::uint64_t>(since / tick);
  return since % tick == core::microseconds::zero() ? whole : whole + 1;
}

void timer_wheel::arm(timer_node& node, core::mono_time deadline) noexcept {
  if (node.wheel_ != nullptr)
    unlink(node);
  const auto due = std::max(tick_of(deadline), current_ + 1);
  const auto slot = static_cast<std::size_t>(due % slot_count);
  node.deadline_ = deadline;
  node.wheel_ = this;
  node.slot_ = static_cast<std::uint16_t>(slot);
  node.prev_link = &slots_[slot];
  node.next_link = slots_[slot].next_link;
  node.next_link->prev_link = &node;
  node.prev_link->next_link = &node;
  occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  ++size_;
}

void timer_wheel::cancel(timer_node& node) noexcept {
  if (node.wheel_ != nullptr)
    unlink(node);
}

void timer_wheel::unlink(timer_node& node) noexcept {
  node.prev_link->next_link = node.next_link;
  node.next_link->prev_link = node.prev_link;
  if (node.slot_ != no_slot) {
    const auto slot = static_cast<std::size_t>(node.slot_);
    if (slots_[slot].next_link == &slots_[slot])
      occupied_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  }
  node.wheel_ = nullptr;
  --size_;
}

void timer_wheel::fire_slot(std::size_t slot, core::mono_time now) {
  // What is due is taken off first: a callback may arm into this very slot,
  // and may cancel or destroy others that are due.
  timer_links due;
  for (auto* link = slots_[slot].next_link; link != &slots_[slot];) {
    auto& node = static_cast<timer_node&>(*link);
    link = link->next_link;
    if (node.deadline_ > now)
      continue;
    unlink(node);
    node.wheel_ = this;
    node.slot_ = no_slot;
    ++size_;
    node.next_link = &due;
    node.prev_link = due.prev_link;
    node.prev_link->next_link = &node;
    due.prev_link = &node;
  }
  while (due.next_link != &due) {
    auto& node = static_cast<timer_node&>(*due.next_link);
    unlink(node);
    node.on_timer(now);
  }
}

void timer_wheel::advance(core::mono_time now) {
  if (now < origin_)
    return;
  // Rounded down: only ticks that are over.
  const auto target = static_cast<std::uint64_t>((now - origin_) / tick);
  if (target <= current_)
    return;
  const auto turns = std::min<std::uint64_t>(target - current_, slot_count);
  const auto first = target - turns + 1;
  current_ = target;
  for (auto t = first; t <= target; ++t) {
    const auto slot = static_cast<std::size_t>(t % slot_count);
    if ((occupied_[slot / 64] >> (slot % 64) & 1) != 0)
      fire_slot(slot, now);
  }
}

core::mono_time timer_wheel::next() const noexcept {
  if (size_ == 0)
    return core::mono_time::max();
  const auto start = static_cast<std::size_t>((current_ + 1) % slot_count);
  for (std::size_t passed = 0; passed <= slot_count;) {
    const auto slot = (start + passed) % slot_count;
    const auto word = occupied_[slot / 64] >> (slot % 64);
    if (word != 0) {
      passed += static_cast<std::size_t>(std::countr_zero(word));
      return origin_ + tick * static_cast<std::int64_t>(current_ + 1 + passed);
    }
    passed += 64 - slot % 64;
  }
  return core::mono_time::max();
}

} // namespace vartalap::net
