#include "load/traffic_plan.hpp"

#include "core/hash.hpp"

#include <algorithm>

namespace vartalap::load {

namespace {

/// Contacts of a user in `mixed`: enough to cross, few enough to check order.
constexpr std::uint64_t contacts = 8;

constexpr double mixed_churning = 0.1;
constexpr double mixed_slow = 0.05;

std::uint32_t default_senders(const load_options& options) {
  // fanin: nine send to one; offline: one fills the mailboxes of nine.
  const auto tenth = std::max(options.users / 10, 1U);
  return options.scenario == scenario::fanin ? options.users - tenth : tenth;
}

} // namespace

traffic_plan::traffic_plan(const load_options& options, std::uint64_t seed)
  : scenario_(options.scenario), users_(options.users),
    senders_(options.senders != 0 ? options.senders : default_senders(options)),
    slow_fraction_(options.slow_fraction), seed_(seed) {
}

double traffic_plan::lot(std::uint32_t user,
                         std::uint64_t salt) const noexcept {
  const auto bits = core::mix64(core::mix64(seed_ + salt) ^ user) >> 11;
  return static_cast<double>(bits) / 9007199254740992.0; // 2^53
}

bool traffic_plan::sends(std::uint32_t user) const noexcept {
  return has_traffic() && (!few_send() || user < senders_);
}

std::uint32_t traffic_plan::senders() const noexcept {
  if (!has_traffic())
    return 0;
  return few_send() ? senders_ : users_;
}

std::uint32_t traffic_plan::recipient(std::uint32_t user,
                                      std::uint64_t n) const noexcept {
  if (few_send())
    return senders_
           + static_cast<std::uint32_t>((user + n) % (users_ - senders_));
  if (scenario_ == scenario::mixed) {
    const auto which = core::mix64(seed_ ^ n) % contacts;
    const auto step
      = 1 + core::mix64(seed_ + which * users_ + user) % (users_ - 1);
    return static_cast<std::uint32_t>((user + step) % users_);
  }
  // A permutation without fixed points; for an even number, mutual pairs.
  return (user + users_ / 2) % users_;
}

bool traffic_plan::churns(std::uint32_t user) const noexcept {
  return scenario_ == scenario::churn
         || (scenario_ == scenario::mixed && lot(user, 1) < mixed_churning);
}

bool traffic_plan::pauses(std::uint32_t user) const noexcept {
  const auto share = scenario_ == scenario::slow    ? slow_fraction_
                     : scenario_ == scenario::mixed ? mixed_slow
                                                    : 0.0;
  return lot(user, 2) < share;
}

} // namespace vartalap::load
