#pragma once

#include "core/units.hpp"

namespace vartalap::core {

/// Token bucket (as in RFC 2697's single rate, without colours): `rate`
/// tokens a second flow in, up to `burst`. Rate 0 means no limit.
class token_bucket {
public:
  token_bucket(double rate, double burst, mono_time now) noexcept;

  /// Takes `n` tokens if they are there.
  /// @returns False, and takes nothing, where they are not.
  bool take(double n, mono_time now) noexcept;

  /// Takes `n` tokens even below zero: for messages that must not be refused.
  void force(double n, mono_time now) noexcept;

  /// How long until `n` tokens are there; zero if they are. At most one hour.
  microseconds wait_for(double n, mono_time now) const noexcept;

private:
  void refill(mono_time now) noexcept;

  double rate_;
  double burst_;
  double tokens_;
  mono_time last_;
};

} // namespace vartalap::core
