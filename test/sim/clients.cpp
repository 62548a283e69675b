#include "test/sim/clients.hpp"

#include <utility>

namespace vartalap::sim {

clients::clients(const setup& how, world& in, ledger& book,
                 std::function<node*(node_index)> find)
  : how_(how), world_(&in), book_(&book), find_(std::move(find)) {
}

void clients::start() {
  for (user_index user = 0; user < how_.users; ++user) {
    devices_[{user, 0}];
    connect_later({user, 0});
    world_->after(world_->random(3 * s, 6 * s), [this, user] { talk(user); });
    if (how_.has(fault::moves)) {
      move_later({user, 0});
      if (world_->chance(0.3))
        second_device(user);
    }
  }
}

void clients::quiet() {
  quiet_ = true;
}

void clients::connect_later(key who) {
  world_->after(world_->random(20 * ms, 2 * s), [this, who] { connect(who); });
}

void clients::connect(key who) {
  auto& each = devices_.at(who);
  if (each.at.at != core::no_node || each.gone)
    return;
  const auto at = static_cast<node_index>(
    world_->random(0, static_cast<std::int64_t>(how_.nodes) - 1));
  auto* const found = find_(at);
  if (!found) {
    connect_later(who);
    return;
  }
  each.at = {who.first, who.second, at, ++sessions_};
  world_->log("user ", who.first, "/", who.second, " connects to node ", at);
  found->attach(each.at);
  for (const auto& [number, to] : each.unconfirmed)
    submit(who.first, number);
}

void clients::disconnect(key who) {
  auto& each = devices_.at(who);
  if (auto* const found = find_(each.at.at))
    found->detach(each.at);
  each.at.at = core::no_node;
}

void clients::node_down(node_index which) {
  for (auto& [who, each] : devices_)
    if (each.at.at == which) {
      each.at.at = core::no_node;
      connect_later(who);
    }
}

void clients::move_later(key who) {
  world_->after(world_->random(2 * s, 20 * s), [this, who] {
    if (quiet_ || devices_.at(who).gone)
      return;
    disconnect(who);
    connect_later(who);
    move_later(who);
  });
}

/// A device that comes, and is deleted some time later.
void clients::second_device(user_index user) {
  const key who{user, 1};
  world_->after(world_->random(1 * s, 10 * s), [this, who] {
    devices_[who];
    connect(who);
  });
  world_->after(world_->random(12 * s, 25 * s), [this, who] {
    auto& each = devices_[who];
    auto* const found = find_(each.at.at);
    if (!found)
      return;
    each.gone = true;
    found->route({request::kind::leave, who.first, each.at, 0, {}, 0});
    disconnect(who);
  });
}

void clients::talk(user_index user) {
  if (quiet_)
    return;
  const auto to = static_cast<user_index>(
    world_->random(0, static_cast<std::int64_t>(how_.users) - 1));
  const auto number = book_->sent(user, to);
  devices_.at({user, 0}).unconfirmed.emplace(number, to);
  submit(user, number);
  world_->after(world_->random(200 * ms, 4 * s), [this, user] { talk(user); });
}

void clients::submit(user_index user, message_number number) {
  auto& each = devices_.at({user, 0});
  const auto at = each.unconfirmed.find(number);
  if (at == each.unconfirmed.end())
    return;
  if (auto* const found = find_(each.at.at))
    found->route({request::kind::message, at->second, each.at, number, {}, 0});
  world_->after(world_->random(2 * s, 5 * s),
                [this, user, number] { submit(user, number); });
}

void clients::deliver(node_index at, const session& to, const stored& what) {
  auto& each = devices_.at({to.user, to.device});
  if (each.at.number != to.number || each.at.at != at || each.gone)
    return;
  if (what.to != to.user)
    throw violation("a message was delivered to somebody else");
  book_->delivered(what, to.device);
  world_->after(world_->random(1 * ms, 60 * ms), [=, this] {
    auto* const found = find_(at);
    if (found && devices_.at({to.user, to.device}).at.number == to.number)
      found->route({request::kind::acknowledge, to.user, to, what.number,
                    what.serverid, 0});
  });
}

void clients::answer(node_index at, user_index user, message_number number,
                     bool ok) {
  auto& each = devices_.at({user, 0});
  if (ok && each.at.at == at && each.unconfirmed.erase(number) != 0)
    book_->told(number);
}

bool clients::all_confirmed() const {
  for (const auto& [who, each] : devices_)
    if (!each.unconfirmed.empty())
      return false;
  return true;
}

} // namespace vartalap::sim
