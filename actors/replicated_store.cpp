#include "actors/replicated_store.hpp"

#include "actors/shard_context.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace op = storage::op;
using storage::remembrance;

namespace {

/// In place of a ticket: the sender has been refused, and this node's own
/// completion of the put tells nobody anything.
constexpr std::uint64_t refused_already = 0;

core::bucket_id bucket_of(const storage::operation& what) {
  return std::visit(
    [](const auto& one) -> core::bucket_id {
      if constexpr (requires { one.user; })
        return core::bucket_of(one.user);
      else
        return 0;
    },
    what);
}

} // namespace

replicated_store::replicated_store(unsigned shard,
                                   const core::replication_rules& rules,
                                   local_store local, device_source devices)
  : shard_(shard), replicator_(rules), local_(std::move(local)),
    devices_(std::move(devices)) {
}

std::uint64_t replicated_store::next_number() noexcept {
  return std::uint64_t{shard_} << ticket_shift | ++last_number_;
}

void replicated_store::set_ties(cluster_ties_ptr ties, core::mono_time now) {
  const auto was_calm = ties_ && ties_->view->calm;
  ties_ = std::move(ties);
  if (was_calm && !ties_->view->calm)
    remember_recent();
  // Tombstones stay then, until passes have told everybody.
  if (!ties_->view->calm)
    std::erase_if(tickets_, [](const auto& one) { return !one.second.is_put; });
  replicator_.set_view(ties_->view, now, effects_);
  carry_out(ready_);
}

bool replicated_store::knows_devices(std::string_view user) const {
  return ties_ && ties_->view->knows_devices(core::bucket_of(user));
}

/// Not everybody may have heard of what was removed while all was calm.
void replicated_store::remember_recent() {
  for (const auto& each : recent_.all())
    remember(each);
}

void replicated_store::remember(const core::say::removal& what) {
  if (what.device.empty())
    local_(0, op::remove{what.user, what.serverid, remembrance::always});
  else
    local_(0, op::erase_device{what.user, what.device, what.at,
                               remembrance::always});
  keeps_.push_back(core::bucket_of(what.user));
}

std::vector<core::bucket_id> replicated_store::take_keeps() {
  auto out = std::exchange(keeps_, {});
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool replicated_store::admit(storage::operation& what, core::mono_time now) {
  const auto calm = ties_ && ties_->view->calm;
  // Our own view may know better than the peer's.
  const auto by_calm = calm ? remembrance::none : remembrance::if_held;
  if (auto* remove = std::get_if<op::remove>(&what)) {
    recent_.note({remove->user, remove->serverid, {}, 0}, now);
    remove->remember = std::max(remove->remember, by_calm);
    return true;
  }
  if (auto* erase = std::get_if<op::erase_device>(&what)) {
    recent_.note({erase->user, {}, erase->device, erase->at}, now);
    erase->remember = std::max(erase->remember, by_calm);
    return true;
  }
  core::say::removal known;
  if (const auto* put = std::get_if<op::put>(&what)) {
    if (!recent_.has(put->message->serverid))
      return true;
    known = {put->message->to, put->message->serverid, {}, 0};
    what = op::remove{known.user, known.serverid, remembrance::always};
  } else if (const auto* record = std::get_if<op::merge_device>(&what)) {
    const auto* found = recent_.removal_of({record->user, record->record});
    if (found == nullptr)
      return true;
    known = *found;
    what = op::erase_device{known.user, known.device, known.at,
                            remembrance::always};
  } else {
    return true;
  }
  keeps_.push_back(core::bucket_of(known.user));
  return false;
}

void replicated_store::store(std::uint64_t owner, storage::operation what,
                             core::mono_time now, core::wall_ms wall) {
  if (auto* erase = std::get_if<op::erase_device>(&what)) {
    // Also where another node's clock, ahead of ours, has seen the device.
    erase->at = std::max(erase->at, wall);
    recent_.note({erase->user, {}, erase->device, erase->at}, now);
    if (ties_) {
      op::forget after{erase->user, {}, erase->device};
      return store_removal(owner, std::move(*erase), std::move(after));
    }
    erase->remember = remembrance::always;
  }
  if (auto* remove = std::get_if<op::remove>(&what)) {
    recent_.note({remove->user, remove->serverid, {}, 0}, now);
    if (ties_) {
      end_put(remove->serverid);
      op::forget after{remove->user, remove->serverid, {}};
      return store_removal(owner, std::move(*remove), std::move(after));
    }
    remove->remember = remembrance::always;
  }
  if (!ties_)
    return local_(owner, std::move(what));
  if (auto* put = std::get_if<op::put>(&what))
    return store_put(owner, std::move(*put), now);
  const auto bucket = bucket_of(what);
  store_change(owner, std::move(what), bucket);
}

void replicated_store::store_put(std::uint64_t owner, op::put put,
                                 core::mono_time now) {
  const auto number = next_number();
  const auto serverid = put.message->serverid;
  const auto bucket = core::bucket_of(put.message->to);
  auto& kept = tickets_[number];
  kept = {owner, serverid, put, true};
  if (!replicator_.put(number, bucket, serverid, now, effects_)) {
    tickets_.erase(number);
    ready_.push_back({owner, serverid, storage::outcome::full, true});
    return carry_out(ready_);
  }
  puts_[serverid] = number;
  local_(owner, std::move(put));
  carry_out(ready_);
}

/// Whoever waits for this message's copies does not any more.
void replicated_store::end_put(core::server_id serverid) {
  const auto put = puts_.find(serverid);
  if (put == puts_.end() || put->second == refused_already)
    return;
  const auto kept = tickets_.find(put->second);
  replicator_.drop(put->second);
  // Its own completion has been kept back for the copies' sake.
  if (kept->second.here)
    ready_.push_back(
      {kept->second.owner, serverid, storage::outcome::annihilated, true});
  tickets_.erase(kept);
  puts_.erase(put);
}

template <class T>
void replicated_store::store_removal(std::uint64_t owner, T removal,
                                     op::forget after) {
  const auto number = next_number();
  const auto to
    = replicator_.remove(number, core::bucket_of(removal.user), effects_);
  const auto calm = ties_->view->calm;
  if (calm)
    tickets_[number] = {0, after.serverid, std::move(after), false};
  removal.remember = calm ? remembrance::none : remembrance::if_held;
  for (const auto node : to)
    send(node, calm ? number : 0, removal);
  // Who removed it tells everybody, until all know.
  removal.remember = remembrance::always;
  local_(owner, std::move(removal));
  carry_out(ready_);
}

void replicated_store::store_change(std::uint64_t owner,
                                    storage::operation what,
                                    core::bucket_id bucket) {
  for (const auto node : replicator_.targets(bucket))
    send(node, 0, what);
  local_(owner, std::move(what));
}

void replicated_store::send(core::node_index to, std::uint64_t number,
                            const storage::operation& what,
                            std::uint64_t owner) {
  if (to >= ties_->links.size())
    return;
  send_copies copies;
  const auto* put = std::get_if<op::put>(&what);
  // A hint takes the devices along: its keeper may become the home, and must
  // know who owes.
  if (put != nullptr
      && !ties_->is_holder(core::bucket_of(put->message->to), to))
    for (auto& record : devices_(owner))
      copies.items.push_back(
        {0, op::put_device{put->message->to, std::move(record)}});
  copies.items.push_back({number, what});
  tell(ties_->links[to], std::move(copies));
}

void replicated_store::completed(const storage::completion& one,
                                 std::vector<storage::completion>& out) {
  const auto put = one.was_put ? puts_.find(one.serverid) : puts_.end();
  if (put == puts_.end()) {
    out.push_back(one);
    return;
  }
  const auto number = put->second;
  if (number == refused_already) {
    puts_.erase(put);
    return;
  }
  if (one.result == storage::outcome::committed) {
    tickets_[number].here = true;
    replicator_.committed_here(number, effects_);
    return carry_out(out);
  }
  // Annihilated by its removal, or not stored at all.
  replicator_.drop(number);
  tickets_.erase(number);
  puts_.erase(put);
  out.push_back(one);
}

void replicated_store::peer_stored(const copies_stored& what,
                                   core::mono_time now,
                                   std::vector<storage::completion>& out) {
  for (const auto number : what.stored)
    if (tickets_.contains(number))
      replicator_.committed(number, what.peer, effects_);
  for (const auto number : what.failed)
    if (tickets_.contains(number))
      replicator_.failed(number, what.peer, now, effects_);
  carry_out(out);
}

void replicated_store::tick(core::mono_time now,
                            std::vector<storage::completion>& out) {
  recent_.expire(now);
  replicator_.tick(now, effects_);
  carry_out(out);
}

std::vector<storage::completion> replicated_store::take_ready() {
  return std::exchange(ready_, {});
}

void replicated_store::refuse(const ticket& which,
                              std::vector<storage::completion>& out) {
  // What is on disks stays: another home may have counted a copy of it by now,
  // and promised it. At worst it comes as a repeat.
  out.push_back({which.owner, which.serverid, storage::outcome::full, true});
}

void replicated_store::carry_out(std::vector<storage::completion>& out) {
  const auto effects = std::exchange(effects_, {});
  for (const auto& effect : effects) {
    const auto number
      = std::visit([](const auto& e) { return e.ticket; }, effect);
    const auto found = tickets_.find(number);
    if (found == tickets_.end())
      continue;
    if (const auto* more = std::get_if<core::replicate::send>(&effect)) {
      for (const auto node : more->to)
        send(node, number, found->second.what, found->second.owner);
      continue;
    }
    const auto kept = std::move(found->second);
    tickets_.erase(found);
    if (kept.is_put && std::holds_alternative<core::replicate::refused>(effect)
        && !kept.here)
      puts_[kept.serverid] = refused_already;
    else if (kept.is_put)
      puts_.erase(kept.serverid);
    if (const auto* done = std::get_if<core::replicate::confirmed>(&effect)) {
      storage::completion one{kept.owner, kept.serverid,
                              storage::outcome::committed, true};
      one.copies = static_cast<std::uint8_t>(std::min(done->copies, 100U));
      out.push_back(one);
    } else if (std::holds_alternative<core::replicate::refused>(effect)) {
      refuse(kept, out);
    } else {
      local_(0, kept.what);
    }
  }
}

} // namespace vartalap::actors
