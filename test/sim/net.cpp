#include "test/sim/net.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::sim {

net::net(world& in, std::size_t nodes, hooks calls)
  : world_(&in), nodes_(nodes), calls_(std::move(calls)), ends_(nodes * nodes) {
}

void net::send(node_index from, node_index to,
               std::function<void(node&)> what) {
  auto& way = at(from, to);
  if (!at(to, from).up || way.cut || way.lost)
    return;
  const auto delay = slow_ && world_->chance(0.2)
                       ? world_->random(20 * ms, 800 * ms)
                       : world_->random(200, 4 * ms);
  way.last = std::max(way.last, world_->now() + delay);
  world_->after(
    way.last - world_->now(),
    [this, from, to, session = at(to, from).session, what = std::move(what)] {
      const auto& way_back = at(from, to);
      auto* const receiver = calls_.find(to);
      if (receiver && way_back.up && way_back.session == session
          && !way_back.lost)
        what(*receiver);
    });
}

void net::cut(node_index from, node_index to) {
  at(from, to).cut = true;
  at(from, to).lost = true;
  break_pair(from, to);
}

void net::mend_all() {
  for (auto& each : ends_)
    each.cut = false;
  for (std::size_t a = 0; a < nodes_; ++a)
    for (std::size_t b = 0; b < a; ++b)
      connect_later(static_cast<node_index>(a), static_cast<node_index>(b));
}

void net::flap(node_index a, node_index b) {
  at(a, b).lost = at(b, a).lost = true;
  break_pair(a, b);
}

void net::node_up(node_index which) {
  for (std::size_t i = 0; i < nodes_; ++i)
    if (i != which)
      connect_later(which, static_cast<node_index>(i));
}

void net::node_down(node_index which) {
  for (std::size_t i = 0; i < nodes_; ++i) {
    const auto other = static_cast<node_index>(i);
    if (other == which)
      continue;
    at(other, which).up = false;
    at(which, other).lost = at(which, other).lost || world_->chance(0.5);
    lose_end(which, other);
  }
}

void net::break_pair(node_index a, node_index b) {
  lose_end(a, b);
  lose_end(b, a);
}

/// The receiver `to` finds out that the session is over.
void net::lose_end(node_index from, node_index to) {
  if (!at(from, to).up)
    return;
  world_->after(world_->random(5 * ms, 3 * s),
                [this, from, to, session = at(from, to).session] {
                  end_session(from, to, session);
                });
}

void net::end_session(node_index from, node_index to, std::uint64_t session) {
  auto& way = at(from, to);
  if (!way.up || way.session != session)
    return;
  way.up = false;
  if (auto* const receiver = calls_.find(to))
    calls_.down(*receiver, from);
  connect_later(from, to);
}

void net::connect_later(node_index a, node_index b) {
  world_->after(world_->random(20 * ms, 600 * ms),
                [=, this] { connect(a, b); });
}

void net::connect(node_index a, node_index b) {
  auto& there = at(a, b);
  auto& back = at(b, a);
  if (there.up || back.up || there.cut || back.cut || !calls_.find(a)
      || !calls_.find(b) || there.session != back.session)
    return;
  const auto session = ++sessions_;
  there.lost = back.lost = false;
  there.session = back.session = session;
  // Both find out at different times; nothing arrives before.
  there.last = world_->now() + world_->random(0, 20 * ms);
  back.last = world_->now() + world_->random(0, 20 * ms);
  there.up = back.up = true;
  world_->after(there.last - world_->now(), [=, this] { open(a, b, session); });
  world_->after(back.last - world_->now(), [=, this] { open(b, a, session); });
}

void net::open(node_index from, node_index to, std::uint64_t session) {
  auto* const receiver = calls_.find(to);
  if (receiver && at(from, to).up && at(from, to).session == session)
    calls_.up(*receiver, from);
}

} // namespace vartalap::sim
