#include "test/sim/world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace vartalap::sim {

std::string_view name_of(fault kind) noexcept {
  constexpr std::array<std::string_view, fault_kinds> names{
    "crash",     "wipe",      "partition", "one_way", "partial", "flap",
    "slow_disk", "slow_link", "full",      "drain",   "moves"};
  return names[static_cast<std::size_t>(kind)];
}

setup draw_setup(std::uint64_t seed) {
  std::mt19937_64 dice{seed * 0x9e3779b97f4a7c15ULL + 1};
  const auto draw = [&](std::uint64_t below) { return dice() % below; };
  setup out;
  out.seed = seed;
  out.nodes = 3 + draw(3);
  out.users = 6 + draw(7);
  constexpr std::array<unsigned, 6> replicas{0, 1, 1, 1, 2, 2};
  out.replicas = replicas[draw(replicas.size())];
  out.min_copies = std::min(2U, out.replicas + 1);
  // One seed in four has a single kind of fault, one in sixteen none: there
  // the stricter rules hold.
  const auto kind = draw(16);
  for (std::size_t i = 0; i < fault_kinds; ++i)
    if (kind >= 5 && draw(2) == 0)
      out.faults.insert(static_cast<fault>(i));
  if (kind >= 1 && kind < 5)
    out.faults.insert(static_cast<fault>(draw(fault_kinds)));
  if (out.replicas == 0)
    out.faults.erase(fault::wipe); // nothing could survive it
  return out;
}

std::string describe(const setup& of) {
  auto out = "seed " + std::to_string(of.seed) + ": " + std::to_string(of.nodes)
             + " nodes, " + std::to_string(of.users) + " users, replicas "
             + std::to_string(of.replicas) + ", min_copies "
             + std::to_string(of.min_copies) + ", faults:";
  for (const auto kind : of.faults)
    out.append(" ").append(name_of(kind));
  return out;
}

std::string user_name(user_index user) {
  return std::to_string(user);
}

user_index user_number(std::string_view name) {
  user_index out = 0;
  for (const char digit : name)
    out = out * 10 + static_cast<user_index>(digit - '0');
  return out;
}

world::world(const setup& how) : how_(how), dice_(how.seed) {
}

void world::after(sim_time delay, std::function<void()> what) {
  events_.push({now_ + delay, ++order_,
                std::make_shared<std::function<void()>>(std::move(what))});
}

bool world::step() {
  if (events_.empty())
    return false;
  const auto next = events_.top();
  events_.pop();
  now_ = next.at;
  ++steps_;
  (*next.what)();
  return true;
}

std::int64_t world::random(std::int64_t low, std::int64_t high) {
  const auto span = static_cast<std::uint64_t>(high - low) + 1;
  return low + static_cast<std::int64_t>(dice_() % span);
}

bool world::chance(double probability) {
  return static_cast<double>(dice_() >> 11) * 0x1p-53 < probability;
}

void world::write_line(std::initializer_list<std::string> parts) const {
  std::string line;
  for (const auto& part : parts)
    line.append(part);
  std::printf("%10.3f %s\n", static_cast<double>(now_) / 1e6, line.c_str());
}

} // namespace vartalap::sim
