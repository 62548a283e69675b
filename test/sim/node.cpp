#include "test/sim/node.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::sim {

using namespace core;

namespace {

constexpr sim_time tick_interval = 200 * ms;
constexpr int ticks_to_deliver_again = 5;
constexpr int ticks_to_attach_again = 15;
constexpr sim_time remember_lately = 10 * s;
constexpr int tries_max = 30;

core::cluster_rules rules_of(const setup& how) {
  core::cluster_rules out;
  out.replicas = how.replicas;
  out.live_min = how.min_copies;
  out.wait_for_peers = milliseconds{2000};
  out.wait_for_step = milliseconds{8000};
  out.repair_interval = milliseconds{3'600'000};
  out.slice = 20;
  out.buckets_at_once = 3;
  out.release_at_once = 5;
  return out;
}

core::replication_rules copies_of(const setup& how) {
  core::replication_rules out;
  out.replicas = how.replicas;
  out.min_copies = how.defects.early_confirm ? 1 : how.min_copies;
  out.patience = milliseconds{1500};
  return out;
}

} // namespace

node::node(surroundings& around, node_index me)
  : around_(&around), world_(around.time), machine_(&(*around.machines)[me]),
    me_(me), queue_(*world_,
                    [this](sim_time delay, std::function<void()> what) {
                      later(delay, std::move(what));
                    }),
    clock_(me + 1U, ++machine_->incarnation),
    replicator_(copies_of(*around.how)) {
  for (const auto& [user, box] : store().all())
    for (const auto& [serverid, each] : box)
      clock_.observe(serverid);
  core_ = std::make_unique<cluster_core>(around.where, me,
                                         rules_of(*around.how), *this, now());
  later(world_->random(0, tick_interval), [this] { tick(); });
}

core::instant node::now() const {
  const auto wall = 1'000'000'000LL + world_->now() / ms
                    + machine_->clock_error;
  return {mono_time{microseconds{world_->now()}}, static_cast<wall_ms>(wall)};
}

/// What is scheduled ends with the node.
void node::later(sim_time delay, std::function<void()> what) {
  world_->after(
    delay, [alive = std::weak_ptr<const bool>(alive_), what = std::move(what)] {
      if (!alive.expired())
        what();
    });
}

void node::tick() {
  ++ticks_;
  core_->tick(now());
  replicator_effects effects;
  replicator_.tick(now().mono, effects);
  carry_out(std::move(effects));
  std::erase_if(removed_lately_, [this](const auto& each) {
    return each.at + remember_lately < world_->now();
  });
  if (ticks_ % ticks_to_deliver_again == 0)
    for (auto& [user, box] : mailboxes_)
      box.deliver_again();
  if (ticks_ % ticks_to_attach_again == 0)
    for (const auto& [key, who] : sessions_)
      reattach(who);
  later(tick_interval, [this] { tick(); });
}

/// Each message takes the sender's clock along: whoever has heard of something
/// numbers what comes later higher.
void node::tell(node_index peer, std::function<void(node&)> what) {
  around_->links->send(
    me_, peer, [clock = clock_.next(0), what = std::move(what)](node& to) {
      to.clock_.observe(clock);
      what(to);
    });
}

void node::link_up(node_index peer) {
  const auto& disk = (*around_->machines)[peer];
  const bool trusted = machine_->known_disks[peer] == disk.disk_number;
  world_->log("node ", me_, ": link to ", peer, " is up",
              trusted ? "" : ", it has lost its disk");
  core_->link_up(peer, trusted, now());
}

void node::link_down(node_index peer) {
  world_->log("node ", me_, ": link to ", peer, " is down");
  for (auto& [user, box] : mailboxes_)
    box.lose(peer);
  core_->link_down(peer, now());
}

void node::drain() {
  core_->drain(now());
}

void node::attach(const session& who) {
  sessions_[{who.user, who.device}] = who;
  route({request::kind::attach, who.user, who, 0, {}, 0});
}

void node::detach(const session& who) {
  const auto at = sessions_.find({who.user, who.device});
  if (at != sessions_.end() && at->second.number == who.number)
    sessions_.erase(at);
}

void node::route(const request& what) {
  if (what.what == request::kind::attach) {
    const auto at = sessions_.find({what.to, what.from.device});
    if (at == sessions_.end() || at->second.number != what.from.number)
      return; // the connection is gone
  }
  const auto owner = view_->owner(bucket_of(what.to));
  if (owner == me_)
    at_home(what);
  else if (owner == no_node || !view_->live[owner])
    try_route_again(what, world_->random(50 * ms, 300 * ms));
  else
    tell(owner, [what](node& home) { home.at_home(what); });
}

void node::try_route_again(const request& what, sim_time delay) {
  if (what.tries >= tries_max && what.what != request::kind::attach)
    return;
  auto again = what;
  ++again.tries;
  later(delay, [this, again] { route(again); });
}

/// A message for a user who should live here.
void node::at_home(request what) {
  const bool waits = what.what == request::kind::message && !view_->may_confirm;
  if (waits || releasing_.contains(bucket_of(what.to))) {
    held_.push_back(std::move(what));
    return;
  }
  hand_in(what);
}

void node::hand_in(const request& what) {
  if (view_->is_mine(bucket_of(what.to))) {
    const auto [at, fresh] = mailboxes_.try_emplace(what.to, what.to, *this);
    at->second.handle(what);
    if (!fresh)
      return;
    // Behind all that is in the queue: copies that came before are read.
    auto messages = std::make_shared<std::vector<stored>>();
    auto devices = std::make_shared<std::vector<device_record>>();
    queue_.add(
      [=, this, user = what.to] {
        *messages = store().messages(user);
        *devices = store().devices(user);
      },
      [=, this, user = what.to, number = ++openings_[what.to]] {
        const auto box = mailboxes_.find(user);
        if (box == mailboxes_.end() || openings_[user] != number)
          return;
        world_->log("node ", me_, ": mailbox of user ", user, " opens with ",
                    messages->size(), " messages");
        box->second.open(*messages, *devices);
      });
    return;
  }
  if (what.from.at == me_)
    try_route_again(what, world_->random(20 * ms, 100 * ms));
  else
    tell(what.from.at,
         [what](node& origin) { origin.try_route_again(what, 20 * ms); });
}

void node::end_mailbox(user_index user) {
  world_->log("node ", me_, ": mailbox of user ", user, " ends");
  const auto at = mailboxes_.find(user);
  for (const auto ticket : at->second.end()) {
    replicator_.drop(ticket);
    puts_.erase(ticket);
  }
  mailboxes_.erase(at);
}

void node::publish(cluster_view_ptr view) {
  const auto before = std::exchange(view_, view);
  for (std::size_t i = 0; i < view->counts.size(); ++i)
    if (view->counts[i])
      machine_->known_disks[i] = (*around_->machines)[i].disk_number;
  if (before && view->calm != before->calm)
    world_->log("node ", me_, view->calm ? ": calm" : ": not calm");
  if (before && before->calm && !view->calm)
    remember_removed_lately();
  for (auto& [user, box] : mailboxes_)
    if (before && !before->knows_devices(bucket_of(user))
        && view->knows_devices(bucket_of(user)))
      box.finish_acknowledged();
  std::vector<user_index> lost;
  for (const auto& [user, box] : mailboxes_)
    if (!view->is_mine(bucket_of(user)))
      lost.push_back(user);
  for (const auto user : lost)
    end_mailbox(user);
  replicator_effects effects;
  replicator_.set_view(view, now().mono, effects);
  carry_out(std::move(effects));
  std::erase_if(releasing_, [&](auto bucket) {
    return !view->is_mine(bucket) || released_.contains(bucket);
  });
  released_.clear();
  for (auto& each : std::exchange(held_, {}))
    at_home(std::move(each));
  for (const auto& [key, who] : sessions_) {
    const auto owner = view->owner(bucket_of(key.first));
    const bool same = before && before->owner(bucket_of(key.first)) == owner
                      && (owner == no_node || before->live[owner]);
    if (!same)
      reattach(who);
  }
}

void node::release(const std::vector<bucket_id>& buckets) {
  world_->log("node ", me_, ": releases ", buckets.size(), " buckets");
  releasing_.insert(buckets.begin(), buckets.end());
  to_release_.push_back(buckets);
  later(0, [this] { check_releases(); });
}

/// Ends the mailboxes of buckets to be released that nobody waits for.
void node::check_releases() {
  std::erase_if(to_release_, [&](const auto& buckets) {
    std::vector<user_index> users;
    for (const auto& [user, box] : mailboxes_)
      if (std::find(buckets.begin(), buckets.end(), bucket_of(user))
          != buckets.end()) {
        if (!box.is_settled())
          return false;
        users.push_back(user);
      }
    for (const auto user : users)
      end_mailbox(user);
    released_.insert(buckets.begin(), buckets.end());
    later(0, [this, buckets] { core_->released(buckets, now()); });
    return true;
  });
  if (!to_release_.empty())
    later(20 * ms, [this] { check_releases(); });
}

bool node::replicate(user_index user, const stored& what,
                     std::uint64_t& ticket) {
  ticket = ++last_ticket_;
  replicator_effects effects;
  if (!replicator_.put(ticket, bucket_of(user), what.serverid, now().mono,
                       effects))
    return false;
  world_->log("node ", me_, ": takes ", what.number, " as ", what.serverid,
              " for user ", user);
  puts_[ticket] = what;
  queue_.add([this, what] { store().put(what); },
             [this, ticket = ticket] {
               replicator_effects more;
               replicator_.committed_here(ticket, more);
               carry_out(std::move(more));
             });
  carry_out(std::move(effects));
  return true;
}

void node::remove(user_index user, server_id serverid, std::uint64_t ticket) {
  if (ticket != 0) {
    replicator_.drop(ticket);
    puts_.erase(ticket);
  }
  removal(++last_ticket_, {user_name(user), serverid, {}, 0});
}

void node::removal(std::uint64_t ticket, const say::removal& what) {
  const bool defect = around_->how->defects.no_tombstones;
  remove_here(what, defect ? 0 : 2, {});
  removals_[ticket] = what;
  replicator_effects effects;
  const auto bucket = bucket_of(user_number(what.user));
  const auto to = replicator_.remove(ticket, bucket, effects);
  const bool remember = !view_->calm && !defect;
  for (const auto peer : to)
    tell(peer, [from = me_, ticket, what, remember](node& replica) {
      replica.take_removal(from, ticket, what, remember);
    });
  carry_out(std::move(effects));
}

void node::acknowledge(user_index user, server_id serverid,
                       std::uint32_t device) {
  queue_.add([=, this] { store().acknowledge(user, serverid, device); });
  for (const auto peer : replicator_.targets(bucket_of(user)))
    tell(peer, [=](node& replica) {
      replica.queue_.add(
        [=, at = &replica] { at->store().acknowledge(user, serverid, device); },
        [=, at = &replica] { at->carried(bucket_of(user)); });
    });
}

device_record node::put_device(user_index user, std::uint32_t device) {
  device_record record;
  record.name = user_name(device);
  record.last_seen = now().wall;
  queue_.add([=, this] { store().put_device(user, record); });
  for (const auto peer : replicator_.targets(bucket_of(user)))
    tell(peer, [=](node& replica) {
      replica.queue_.add([=, at = &replica] { at->store_device(user, record); },
                         [=, at = &replica] { at->carried(bucket_of(user)); });
    });
  return record;
}

void node::remove_device(user_index user, std::uint32_t device) {
  removal(++last_ticket_, {user_name(user), {}, user_name(device), now().wall});
}

void node::deliver(const session& to, const stored& what) {
  world_->log("node ", me_, ": delivers ", what.number, " as ", what.serverid,
              " to user ", to.user, "/", to.device, " by node ", to.at);
  around_->book->check_delivery(me_, what);
  const auto over
    = [to, what](node& at) { at.around_->deliver(at.me_, to, what); };
  if (to.at == me_)
    later(0, [this, over] { over(*this); });
  else
    tell(to.at, over);
}

void node::answer(const request& what, bool ok) {
  const auto over = [what, ok](node& at) {
    at.around_->answer(at.me_, what.from.user, what.number, ok);
  };
  if (what.from.at == me_)
    later(0, [this, over] { over(*this); });
  else
    tell(what.from.at, over);
}

void node::confirmed(const stored& what, bool acknowledged) {
  world_->log("node ", me_, ": confirms ", what.number, " as ", what.serverid,
              acknowledged ? ", acknowledged" : "");
  around_->book->confirmed(what, acknowledged);
}

void node::reattach(const session& who) {
  const auto again = [who](node& at) {
    at.later(at.world_->random(0, 20 * ms), [=, at = &at] {
      at->route({request::kind::attach, who.user, who, 0, {}, 0});
    });
  };
  if (who.at == me_)
    again(*this);
  else
    tell(who.at, again);
}

server_id node::next_id() {
  return clock_.next(now().wall);
}

bool node::knows_devices(user_index user) const {
  return view_->knows_devices(bucket_of(user));
}

void node::carry_out(replicator_effects effects) {
  for (const auto& each : effects) {
    if (const auto* send = std::get_if<replicate::send>(&each)) {
      const auto at = puts_.find(send->ticket);
      if (at == puts_.end())
        continue;
      // A hint takes the devices along: its keeper may become the home, and
      // must know who owes.
      const auto box = mailboxes_.find(at->second.to);
      const auto devices = box != mailboxes_.end()
                             ? box->second.devices()
                             : std::vector<device_record>{};
      for (const auto peer : send->to)
        tell(peer, [from = me_, ticket = send->ticket, what = at->second,
                    devices](node& replica) {
          replica.take_put(from, ticket, what, devices);
        });
    } else if (const auto* done = std::get_if<replicate::confirmed>(&each)) {
      finish_put(done->ticket, true);
    } else if (const auto* no = std::get_if<replicate::refused>(&each)) {
      finish_put(no->ticket, false);
    } else if (const auto* gone = std::get_if<replicate::forget>(&each)) {
      const auto what = removals_.extract(gone->ticket);
      if (!what.empty())
        queue_.add([this, was = what.mapped()] { store().forget(was); });
    }
  }
}

void node::finish_put(std::uint64_t ticket, bool ok) {
  const auto at = puts_.extract(ticket);
  if (at.empty())
    return;
  const auto box = mailboxes_.find(at.mapped().to);
  if (box != mailboxes_.end())
    box->second.settled(at.mapped().serverid, ok);
}

} // namespace vartalap::sim
