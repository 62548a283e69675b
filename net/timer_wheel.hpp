#pragma once

#include "core/units.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace vartalap::net {

class timer_wheel;

/// Links of a circular list; a slot's head is a bare one.
struct timer_links {
  timer_links* next_link = this;
  timer_links* prev_link = this;
};

/// One deadline of one owner, linked into its shard's wheel while armed.
/// Derive from it or hold one with a callback. Leaves the wheel when
/// destroyed. Belongs to the shard's thread.
class timer_node : private timer_links {
public:
  timer_node() = default;
  timer_node(const timer_node&) = delete;
  timer_node& operator=(const timer_node&) = delete;

  bool armed() const noexcept {
    return wheel_ != nullptr;
  }

  /// When it fires; meaningless unless armed.
  core::mono_time deadline() const noexcept {
    return deadline_;
  }

protected:
  virtual ~timer_node();

private:
  friend class timer_wheel;

  /// Called once per arming, at the deadline or up to a tick later. May arm
  /// again, and may destroy the node.
  virtual void on_timer(core::mono_time now) = 0;

  timer_wheel* wheel_ = nullptr;
  core::mono_time deadline_{};
  std::uint16_t slot_ = 0;
};

/// The deadlines of one shard: a hashed timing wheel (Varghese and Lauck,
/// scheme 6) of 4,096 slots of 5 ms. Arming and cancelling are O(1) and touch
/// no system call; a deadline beyond one turn of the wheel goes round again.
class timer_wheel {
public:
  static constexpr core::microseconds tick{5000};

  explicit timer_wheel(core::mono_time now) noexcept;
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  /// (Re-)arms `node` for `deadline`; one in the past fires at the next
  /// `advance`.
  void arm(timer_node& node, core::mono_time deadline) noexcept;

  /// Harmless where it is not armed.
  void cancel(timer_node& node) noexcept;

  /// Fires what is due.
  void advance(core::mono_time now);

  /// No later than the next due slot; `mono_time::max()` if nothing is armed.
  core::mono_time next() const noexcept;

  std::size_t size() const noexcept {
    return size_;
  }

private:
  static constexpr std::size_t slot_count = 4096;

  /// What is being fired is in no slot.
  static constexpr std::uint16_t no_slot = 0xffff;

  std::uint64_t tick_of(core::mono_time t) const noexcept;
  void unlink(timer_node& node) noexcept;
  void fire_slot(std::size_t slot, core::mono_time now);

  core::mono_time origin_;
  std::uint64_t current_ = 0; ///< the last tick that was handled
  std::size_t size_ = 0;
  std::array<timer_links, slot_count> slots_{};
  std::array<std::uint64_t, slot_count / 64> occupied_{};
};

} // namespace vartalap::net
