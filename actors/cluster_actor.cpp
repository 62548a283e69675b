#include "actors/cluster_actor.hpp"

#include "actors/replicated_store.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

namespace vartalap::actors {

namespace {

namespace op = storage::op;
namespace say = core::say;

constexpr core::milliseconds tick_every{100};

/// From when this node knows that all agree on another member list until it
/// ends its links: the others hear of it too meanwhile. Who does not would take
/// all its peers for lost, and could confirm nothing.
constexpr core::milliseconds others_agree_within{1000};

/// How many messages go to a peer in one step of a copy.
constexpr std::size_t fetch_at_once = 256;

say::listing to_listing(core::bucket_id bucket, storage::bucket_listing&& in) {
  say::listing out;
  out.bucket = bucket;
  for (auto& one : in.messages)
    out.messages.push_back({std::move(one.user), one.serverid, one.acks});
  for (auto& [user, record] : in.devices)
    out.devices.push_back({user, std::move(record)});
  for (auto& one : in.removals)
    out.removals.push_back(
      {std::move(one.user), one.serverid, std::move(one.device), one.at});
  return out;
}

} // namespace

cluster_actor::cluster_actor(caf::actor_config& config, shard_context& context,
                             cluster_settings settings)
  : pinned_actor(config, context.home), context_(context),
    settings_(std::move(settings)) {
}

cluster_actor::~cluster_actor() = default;

caf::actor cluster_actor::me() {
  return caf::actor_cast<caf::actor>(this);
}

caf::behavior cluster_actor::make_behavior() {
  owner_ = ++context_.last_owner;
  context_.deliveries.emplace(owner_, me());
  if (!settings_.members_to_note.empty())
    context_.store_here(0,
                        op::note_members{std::move(settings_.members_to_note)});
  hellos_.resize(settings_.links.size());
  sessions_.resize(settings_.links.size());
  core_ = std::make_unique<core::cluster_core>(
    settings_.where, settings_.me, settings_.rules, *this, context_.now());
  after_event();
  open_links();
  context_.home.timers().arm(*this, context_.home.now() + tick_every);
  return {
    [this](const link_is_up& what) {
      if (is_changing_)
        return;
      const auto trusted = is_trusted(what.hello);
      hellos_[what.peer]
        = {what.hello.node_uuid, what.hello.disk_uuid, what.hello.commits};
      sessions_[what.peer] = what.session;
      core_->link_up(what.peer, trusted, context_.now());
      after_event();
    },
    [this](const link_is_down& what) {
      if (is_changing_)
        return;
      sessions_[what.peer] = 0;
      core_->link_down(what.peer, context_.now());
      after_event();
    },
    [this](cluster_speaks& what) {
      core_->received(what.peer, std::move(what.what), context_.now());
      after_event();
    },
    [this](sums_are_read& what) {
      core_->sums_read(what.request, what.sums, what.with_removals,
                       context_.now());
      after_event();
    },
    [this](bucket_is_read& what) {
      core_->bucket_read(what.request, std::move(what.content), context_.now());
      after_event();
    },
    [this](copies_are_read& what) { on_copies_read(what); },
    [this](const copies_stored& what) { on_stored(what); },
    [this](const buckets_released& what) { on_released(what); },
    [this](const keep_buckets& what) {
      for (const auto bucket : what.buckets)
        core_->keeps(bucket, context_.now());
      after_event();
    },
    [this](const fence_passed& what) { on_fence_passed(what); },
    [this](const storage_done&) { on_barrier(); },
    [this](const propose_members& what) {
      core_->propose(what.next, context_.now());
      after_event();
    },
    [this](members_changed& what) { on_members(what); },
    [this](timer_due) { on_tick(); },
    [this](const look_at_cluster& what) { what.answer(core_->look()); },
    [this](drain_node& what) {
      drained_ = std::move(what.done);
      core_->drain(context_.now());
      after_event();
    },
    [this](const end_cluster& what) {
      context_.home.timers().cancel(*this);
      context_.deliveries.erase(owner_);
      settings_.links.clear();
      settings_.phase_changed = nullptr;
      settings_.members_agreed = nullptr;
      quit();
      if (what.ended)
        what.ended();
    },
  };
}

bool cluster_actor::is_trusted(const net::peer::hello& hello) {
  auto& known = settings_.peers;
  const auto at = std::find_if(known.begin(), known.end(), [&](const auto& x) {
    return x.node_uuid == hello.node_uuid;
  });
  const auto is_new = at == known.end();
  const auto is_intact
    = is_new
      || (at->disk_uuid == hello.disk_uuid && at->commits <= hello.commits);
  if (!is_intact)
    context_.node.log.write(
      core::log_level::error, "cluster",
      hello.name
        + (at->disk_uuid == hello.disk_uuid
             ? " has lost confirmed data: its disk has gone back in time (from "
               "commit "
                 + std::to_string(at->commits) + " to "
                 + std::to_string(hello.commits) + ")"
             : std::string(" has another disk than before"))
        + "; what it lacks is copied to it before its copies count again");
  return is_intact;
}

/// What a peer has lost is known until it is repaired: its disk is noted once
/// its copies count.
void cluster_actor::note_trusted(const core::cluster_view& view) {
  for (std::size_t i = 0; i < view.counts.size(); ++i) {
    if (!view.counts[i] || !hellos_[i])
      continue;
    const auto note = *std::exchange(hellos_[i], std::nullopt);
    auto& known = settings_.peers;
    const auto at = std::find_if(
      known.begin(), known.end(),
      [&](const auto& each) { return each.node_uuid == note.node_uuid; });
    if (at == known.end())
      known.push_back(note);
    else
      *at = note;
    context_.store_here(
      0, op::note_peer{note.node_uuid, note.disk_uuid, note.commits});
  }
}

void cluster_actor::send(core::node_index peer, core::cluster_message message) {
  // A link that has come up anew meanwhile is not to carry what was meant for
  // the time before.
  tell(settings_.links[peer],
       tell_peer{net::peer::cluster{std::move(message)}, sessions_[peer]});
}

void cluster_actor::publish(core::cluster_view_ptr view) {
  note_trusted(*view);
  const auto ties = std::make_shared<const cluster_ties>(
    cluster_ties{std::move(view), settings_.links, settings_.rules.replicas});
  for (const auto& shard : context_.node.shards)
    tell(shard->router, ties_changed{ties});
}

void cluster_actor::release(const std::vector<core::bucket_id>& buckets) {
  const auto shared
    = std::make_shared<const std::vector<core::bucket_id>>(buckets);
  releases_[shared.get()] = context_.node.shards.size();
  for (const auto& shard : context_.node.shards)
    tell(shard->router, release_buckets{shared});
}

void cluster_actor::on_released(const buckets_released& what) {
  const auto found = releases_.find(what.buckets.get());
  if (found == releases_.end() || --found->second > 0)
    return;
  releases_.erase(found);
  core_->released(*what.buckets, context_.now());
  after_event();
}

void cluster_actor::read(std::function<void()> what) {
  reads_.push_back(std::move(what));
  start_reads();
}

void cluster_actor::start_reads() {
  if (!fenced_.empty() || reads_.empty())
    return;
  fenced_ = std::exchange(reads_, {});
  ++last_fence_;
  fences_left_ = context_.node.shards.size();
  for (const auto& shard : context_.node.shards)
    tell(shard->router, fence{last_fence_, me()});
}

void cluster_actor::on_fence_passed(const fence_passed& what) {
  if (what.number == last_fence_ && --fences_left_ == 0)
    context_.store_here(owner_, op::barrier{});
}

void cluster_actor::on_barrier() {
  for (auto& each : std::exchange(fenced_, {}))
    context_.node.workers.post(std::move(each));
  start_reads();
}

void cluster_actor::read_sums(std::uint64_t request, core::bucket_id first,
                              std::uint32_t count) {
  read([&store = context_.node.store, &log = context_.node.log, self = me(),
        request, first, count] {
    sums_are_read out;
    out.request = request;
    try {
      for (const auto& one : store.digests(first, count)) {
        if (one.messages + one.devices > 0)
          out.sums.push_back({one.bucket, one.messages + one.devices, one.sum});
        if (one.removals > 0)
          out.with_removals.push_back(one.bucket);
      }
    } catch (const std::exception& problem) {
      log.write(core::log_level::error, "cluster",
                std::string("cannot read storage: ") + problem.what());
    }
    tell(self, std::move(out));
  });
}

void cluster_actor::read_bucket(std::uint64_t request, core::bucket_id bucket) {
  read([&store = context_.node.store, &log = context_.node.log, self = me(),
        request, bucket] {
    bucket_is_read out;
    out.request = request;
    out.content.bucket = bucket;
    try {
      out.content = to_listing(bucket, store.list_bucket(bucket));
    } catch (const std::exception& problem) {
      log.write(core::log_level::error, "cluster",
                std::string("cannot read storage: ") + problem.what());
    }
    tell(self, std::move(out));
  });
}

void cluster_actor::copy(std::uint64_t request, core::node_index peer,
                         core::bucket_id,
                         const std::vector<say::message_mark>& messages) {
  std::map<std::string, std::vector<core::server_id>> by_user;
  for (const auto& one : messages)
    by_user[one.user].push_back(one.serverid);
  read([&store = context_.node.store, &log = context_.node.log, self = me(),
        request, peer, by_user = std::move(by_user)]() mutable {
    copies_are_read out;
    out.request = request;
    out.peer = peer;
    try {
      for (auto& [user, ids] : by_user) {
        std::sort(ids.begin(), ids.end());
        for (std::size_t i = 0; i < ids.size(); i += fetch_at_once) {
          const auto n = std::min(fetch_at_once, ids.size() - i);
          auto some = store.fetch_stored(user, {ids.data() + i, n});
          std::move(some.begin(), some.end(), std::back_inserter(out.messages));
        }
      }
    } catch (const std::exception& problem) {
      out.ok = false;
      log.write(core::log_level::error, "cluster",
                std::string("cannot read storage: ") + problem.what());
    }
    tell(self, std::move(out));
  });
}

void cluster_actor::on_copies_read(copies_are_read& result) {
  if (result.messages.empty() || !result.ok) {
    core_->copied(result.request, result.ok, context_.now());
    return after_event();
  }
  const auto group = ++last_group_;
  groups_[group]
    = {result.request, result.messages.size(), true, true, result.peer};
  send_copies batch;
  for (auto& one : result.messages) {
    const auto ticket = cluster_tickets << ticket_shift | ++last_ticket_;
    tickets_[ticket] = group;
    batch.items.push_back(
      {ticket, op::put{std::move(one.message), std::move(one.acked), false}});
  }
  tell(settings_.links[result.peer], std::move(batch));
}

void cluster_actor::settle_request(std::uint64_t ticket, bool ok) {
  const auto found = tickets_.find(ticket);
  if (found == tickets_.end())
    return;
  const auto group = groups_.find(found->second);
  tickets_.erase(found);
  auto& all = group->second;
  all.ok = all.ok && ok;
  if (--all.left > 0)
    return;
  const auto finished = all;
  groups_.erase(group);
  if (finished.is_copy)
    core_->copied(finished.request, finished.ok, context_.now());
  else
    core_->applied(finished.request, context_.now());
}

void cluster_actor::on_stored(const copies_stored& what) {
  for (const auto ticket : what.stored)
    settle_request(ticket, true);
  for (const auto ticket : what.failed)
    settle_request(ticket, false);
  if (!what.failed.empty() && what.peer != core::no_node)
    core_->out_of_step(what.peer, context_.now());
  after_event();
}

void cluster_actor::apply(std::uint64_t request,
                          const std::vector<say::removal>& removals,
                          const std::vector<say::device_of>& devices) {
  std::vector<std::pair<std::string, storage::operation>> all;
  for (const auto& one : removals) {
    if (one.device.empty()) {
      op::remove remove;
      remove.user = one.user;
      remove.serverid = one.serverid;
      remove.remember = storage::remembrance::if_held;
      all.emplace_back(one.user, std::move(remove));
    } else {
      op::erase_device erase;
      erase.user = one.user;
      erase.device = one.device;
      erase.at = one.at;
      erase.remember = storage::remembrance::if_held;
      all.emplace_back(one.user, std::move(erase));
    }
  }
  for (const auto& one : devices)
    all.emplace_back(one.user, op::merge_device{one.user, one.record});
  store_for_request(request, std::move(all));
}

void cluster_actor::store_for_request(
  std::uint64_t request,
  std::vector<std::pair<std::string, storage::operation>> all) {
  if (all.empty()) {
    // Never from within the core's call.
    const auto group = ++last_group_;
    groups_[group] = {request, 1, true, false, core::no_node};
    const auto ticket = cluster_tickets << ticket_shift | ++last_ticket_;
    tickets_[ticket] = group;
    return tell(me(), copies_stored{core::no_node, {ticket}, {}});
  }
  const auto group = ++last_group_;
  groups_[group] = {request, all.size(), true, false, core::no_node};
  const auto hear = std::make_shared<const std::function<void(
    std::vector<std::uint64_t>, std::vector<std::uint64_t>)>>(
    [self = me()](std::vector<std::uint64_t> stored,
                  std::vector<std::uint64_t> failed) {
      // What failed here is found again by the next pass.
      stored.insert(stored.end(), failed.begin(), failed.end());
      tell(self, copies_stored{core::no_node, std::move(stored), {}});
    });
  std::map<shard_context*, store_copies> by_shard;
  for (auto& [user, what] : all) {
    const auto ticket = cluster_tickets << ticket_shift | ++last_ticket_;
    tickets_[ticket] = group;
    by_shard[&context_.node.shard_of(user)].items.push_back(
      {ticket, std::move(what)});
  }
  for (auto& [shard, batch] : by_shard) {
    batch.done = hear;
    tell(shard->router, std::move(batch));
  }
}

void cluster_actor::drop(const std::vector<say::message_mark>& messages) {
  for (const auto& one : messages) {
    op::remove remove;
    remove.user = one.user;
    remove.serverid = one.serverid;
    context_.store_here(0, std::move(remove));
  }
}

void cluster_actor::drop_devices(const std::vector<say::device_of>& devices) {
  for (const auto& one : devices)
    context_.store_here(0, op::drop_device{one.user, one.record});
}

void cluster_actor::forget(const std::vector<say::removal>& removals) {
  for (const auto& one : removals)
    context_.store_here(0, op::forget{one.user, one.serverid, one.device});
}

void cluster_actor::agreed() {
  is_changing_ = true;
  change_at_ = context_.home.now() + others_agree_within;
}

void cluster_actor::change_members() {
  change_at_ = core::mono_time::max();
  if (settings_.members_agreed)
    settings_.members_agreed();
}

void cluster_actor::on_members(members_changed& what) {
  settings_.where = what.where;
  settings_.me = what.me;
  settings_.links = std::move(what.links);
  context_.store_here(0, op::note_members{std::move(what.text)});
  hellos_.assign(settings_.links.size(), std::nullopt);
  sessions_.assign(settings_.links.size(), 0);
  // Whoever asked for these has forgotten them.
  tickets_.clear();
  groups_.clear();
  is_changing_ = false;
  links_due_ = context_.home.now() + links_within;
  core_->set_members(settings_.where, settings_.me, context_.now());
  after_event();
  open_links();
}

void cluster_actor::open_links() {
  for (const auto& link : settings_.links)
    if (link)
      tell(link, open_link{});
}

void cluster_actor::lose_missing_links() {
  links_due_ = core::mono_time::max();
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    if (const auto node = static_cast<core::node_index>(i);
        node != settings_.me && sessions_[i] == 0 && core_->view()->live[i])
      core_->link_down(node, context_.now());
}

void cluster_actor::after_event() {
  const auto phase = core_->phase();
  if (phase != phase_) {
    phase_ = phase;
    if (settings_.phase_changed)
      settings_.phase_changed(phase);
  }
  if (drained_ && core_->is_empty())
    std::exchange(drained_, nullptr)();
}

void cluster_actor::on_tick() {
  if (context_.home.now() >= links_due_)
    lose_missing_links();
  if (context_.home.now() >= change_at_)
    change_members();
  core_->tick(context_.now());
  after_event();
  context_.home.timers().arm(*this, context_.home.now() + tick_every);
}

void cluster_actor::on_timer(core::mono_time) {
  tell(me(), timer_due{});
}

} // namespace vartalap::actors
