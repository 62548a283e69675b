#pragma once

#include "load/options.hpp"

#include <cstdint>

namespace vartalap::load {

/// Who does what in a scenario: a pure function of the options and the seed.
class traffic_plan {
public:
  traffic_plan(const load_options& options, std::uint64_t seed);

  std::uint32_t users() const noexcept {
    return users_;
  }
  bool has_traffic() const noexcept {
    return scenario_ != scenario::idle;
  }
  /// True where recipients are away while messages are sent to them.
  bool stores_first() const noexcept {
    return scenario_ == scenario::offline || scenario_ == scenario::drain;
  }

  bool sends(std::uint32_t user) const noexcept;
  std::uint32_t senders() const noexcept;

  /// To whom the `n`-th message of `user` goes. @pre `sends(user)`.
  std::uint32_t recipient(std::uint32_t user, std::uint64_t n) const noexcept;

  /// Away while messages are sent (`stores_first`).
  bool is_away(std::uint32_t user) const noexcept {
    return stores_first() && !sends(user);
  }
  /// Leaves and returns at random.
  bool churns(std::uint32_t user) const noexcept;
  /// Stops reading at times.
  bool pauses(std::uint32_t user) const noexcept;

private:
  bool few_send() const noexcept {
    return scenario_ == scenario::fanin || stores_first();
  }
  double lot(std::uint32_t user, std::uint64_t salt) const noexcept;

  enum scenario scenario_;
  std::uint32_t users_;
  std::uint32_t senders_;
  double slow_fraction_;
  std::uint64_t seed_;
};

} // namespace vartalap::load
