#include "runtime/node_cluster.hpp"

#include "actors/gate_actor.hpp"
#include "actors/link_actor.hpp"
#include "actors/replicated_store.hpp"
#include "core/hash.hpp"
#include "runtime/peer_identity.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace vartalap::runtime {

namespace {

constexpr core::milliseconds look_within{500};
constexpr core::milliseconds end_within{2000};

core::replication_rules replication_of(const core::cluster_options& options) {
  core::replication_rules out;
  out.replicas = options.replication.replicas;
  out.min_copies = options.replication.copies();
  out.accept_when_short = options.replication.when_short == "accept";
  return out;
}

net::peer::hello
hello_of(const core::cluster_options& options, const core::node_options& me,
         const storage::identity& who, const core::placement& where) {
  net::peer::hello out;
  out.version_min = core::link_channel::version;
  out.version_max = core::link_channel::version;
  out.cluster = options.name;
  out.name = me.name;
  out.node_uuid = who.node_uuid;
  out.disk_uuid = who.disk_uuid;
  out.incarnation = who.incarnation;
  out.members_hash = where.hash();
  core::field_hasher rules{0};
  rules.add(options.replication.replicas);
  rules.add(options.replication.copies());
  out.rules_hash = rules.finish().a;
  return out;
}

} // namespace

bool node_cluster::is_wanted(const core::cluster_options& options) {
  return options.nodes.size() > 1;
}

void node_cluster::prepare(actors::node_context& context) {
  const auto rules = replication_of(context.options);
  for (const auto& shard : context.shards) {
    shard->mailboxes.needs_copies = rules.min_copies > 1;
    shard->mailboxes.may_merge = true;
    shard->copies = std::make_unique<actors::replicated_store>(
      shard->home.index(), rules,
      [to = shard.get()](std::uint64_t owner, storage::operation what) {
        to->store_here(owner, std::move(what));
      },
      [to = shard.get()](std::uint64_t owner) {
        const auto found = to->open_mailboxes.find(owner);
        return found == to->open_mailboxes.end()
                 ? std::vector<core::device_record>{}
                 : found->second->devices();
      });
  }
}

core::cluster_rules node_cluster::rules() const {
  core::cluster_rules out;
  out.replicas = context_.options.replication.replicas;
  if (context_.options.replication.when_short != "accept")
    out.live_min = context_.options.replication.copies();
  return out;
}

node_cluster::node_cluster(caf::actor_system& system,
                           actors::node_context& context,
                           const core::node_options& me, core::log_port& log)
  : system_(system), context_(context), me_(me), log_(log),
    members_(list_at_start()),
    where_(std::make_shared<const core::placement>(names_of(members_))),
    index_(where_->find(me.name)) {
  line_->owner = this;
  transport_ = std::make_unique<actors::peer_transport>(
    system, tunnel_settings_of(context.options, me), me.data, log);
  transport_->set_members(names_of(members_));
  gate_ = system.spawn<actors::gate_actor>(
    context.shards.front()->home, log,
    std::unordered_map<std::string, caf::actor>{});
  spawn_links();
  actors::cluster_settings settings;
  settings.where = where_;
  settings.me = index_;
  settings.rules = rules();
  settings.links = links_;
  settings.peers = context.store.peers();
  if (auto text = to_text(members_); text != context.store.members())
    settings.members_to_note = std::move(text);
  settings.phase_changed = [this](core::node_phase phase) {
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    changed_.notify_all();
  };
  settings.members_agreed = [line = line_, &workers = context.workers] {
    workers.post([line] {
      const std::lock_guard lock(line->mutex);
      if (line->owner != nullptr)
        line->owner->change_members();
    });
  };
  context.cluster = system.spawn<actors::cluster_actor>(*context.shards.front(),
                                                        std::move(settings));
  if (next_)
    caf::anon_send(
      context.cluster,
      actors::propose_members{core::placement(names_of(*next_)).hash()});
}

// The others may not have read a changed file yet: until they have, this node
// is one of the list that was in force when it ended.
member_list node_cluster::list_at_start() {
  auto wanted = members_of(context_.options);
  auto kept = parse_member_list(context_.store.members());
  if (!kept || names_of(*kept) == names_of(wanted)
      || std::none_of(kept->begin(), kept->end(), [&](const auto& each) {
           return each.name == me_.name;
         })) {
    return wanted;
  }
  for (auto& each : *kept) // addresses count at once
    for (const auto& one : wanted)
      if (one.name == each.name)
        each.peer = one.peer;
  log_.write(core::log_level::info, "cluster",
             "goes on with the nodes " + to_words(*kept) + " until all have "
               + to_words(wanted));
  next_ = std::move(wanted);
  return *kept;
}

void node_cluster::spawn_links() {
  const auto who = context_.store.who();
  links_.assign(members_.size(), nullptr);
  std::unordered_map<std::string, caf::actor> by_name;
  for (const auto& node : members_) {
    const auto index = where_->find(node.name);
    if (index == index_)
      continue;
    actors::link_settings settings;
    settings.peer = index;
    settings.name = node.name;
    settings.address = node.peer;
    settings.dials = me_.name < node.name;
    settings.hello = hello_of(context_.options, me_, who, *where_);
    auto& shard = *context_.shards[index % context_.shards.size()];
    links_[index]
      = system_.spawn<actors::link_actor>(shard, *transport_, settings);
    by_name[node.name] = links_[index];
  }
  caf::anon_send(gate_, actors::links_changed{std::move(by_name)});
}

std::string node_cluster::reload(const core::cluster_options& fresh) {
  const auto& own = context_.options;
  if (fresh.name != own.name)
    throw std::runtime_error("cluster.name has changed: that would be another "
                             "cluster; put \""
                             + own.name + "\" back");
  if (fresh.replication.replicas != own.replication.replicas
      || fresh.replication.copies() != own.replication.copies())
    throw std::runtime_error("[replication] has changed, which no node can "
                             "follow while it runs: put it back, or restart "
                             "all nodes with it");
  auto wanted = members_of(fresh);
  if (std::none_of(wanted.begin(), wanted.end(),
                   [&](const auto& each) { return each.name == me_.name; }))
    throw std::runtime_error("this node, " + me_.name
                             + ", is not in it any more: empty it with "
                               "vartalap drain, then read the file again on "
                               "the others");
  if (wanted.size() < 2)
    throw std::runtime_error("a cluster of one node needs a restart of it: "
                             "drain the others, then start it anew");
  const std::lock_guard lock(life_);
  if (!context_.cluster)
    throw std::runtime_error("this node is ending");
  for (const auto& each : wanted)
    if (const auto at = where_->find(each.name);
        at != core::no_node && links_[at])
      caf::anon_send(links_[at], actors::peer_moved{each.peer});
  if (names_of(wanted) == names_of(members_)) {
    members_ = std::move(wanted);
    next_.reset();
    caf::anon_send(context_.cluster, actors::propose_members{0});
    return "the member list is the one in force: " + to_words(members_);
  }
  next_ = wanted;
  caf::anon_send(context_.cluster, actors::propose_members{
                                     core::placement(names_of(wanted)).hash()});
  return to_words(wanted)
         + " are to be the nodes, once all that are live have read it";
}

// On a worker: waits for links to end. The cluster actor waits for the news.
void node_cluster::change_members() {
  const std::lock_guard lock(life_);
  if (!context_.cluster)
    return;
  // Where it was taken back too late the others follow it: this node goes on
  // with the list it has, and they say what is wrong.
  if (next_)
    members_ = *std::exchange(next_, std::nullopt);
  log_.write(core::log_level::info, "cluster",
             "the nodes are " + to_words(members_) + " from now on");
  for (const auto& link : replaced_)
    if (link)
      caf::anon_send(link, actors::end_cluster{});
  // Routers send to these until the cluster actor has told them.
  replaced_ = std::exchange(links_, {});
  auto left = std::make_shared<std::atomic<std::size_t>>(0);
  for (const auto& link : replaced_)
    *left += link ? 1U : 0U;
  auto all = std::make_shared<std::promise<void>>();
  auto ended = all->get_future();
  for (const auto& link : replaced_)
    if (link)
      caf::anon_send(link, actors::end_cluster{[left, all] {
                                                 if (--*left == 0)
                                                   all->set_value();
                                               },
                                               true});
  ended.wait_for(end_within);
  where_ = std::make_shared<const core::placement>(names_of(members_));
  index_ = where_->find(me_.name);
  transport_->set_members(names_of(members_));
  spawn_links();
  caf::anon_send(
    context_.cluster,
    actors::members_changed{where_, index_, links_, to_text(members_)});
}

node_cluster::~node_cluster() {
  stop();
}

void node_cluster::start() {
  transport_->start(gate_, [this](const std::string& peer) {
    const std::lock_guard lock(life_);
    const auto index = where_->find(peer);
    if (index != core::no_node && index < links_.size() && links_[index])
      caf::anon_send(links_[index],
                     actors::tunnel_ended{"the connection has ended"});
  });
}

bool node_cluster::wait_until_serving(core::milliseconds within) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(
    lock, within, [this] { return phase_ != core::node_phase::joining; });
}

core::node_phase node_cluster::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

bool node_cluster::drain(core::milliseconds within) {
  auto done = std::make_shared<bool>(false);
  caf::anon_send(context_.cluster, actors::drain_node{[this, done] {
                   const std::lock_guard lock(mutex_);
                   *done = true;
                   changed_.notify_all();
                 }});
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, [&] { return *done; });
}

node_cluster::picture node_cluster::look() const {
  struct gathered {
    std::mutex mutex;
    std::condition_variable all;
    picture seen;
    std::size_t left = 0;
  };
  auto shared = std::make_shared<gathered>();
  auto& seen = shared->seen;
  std::vector<caf::actor> links;
  caf::actor cluster;
  {
    const std::lock_guard lock(life_);
    seen.names = where_->members();
    seen.me = index_;
    seen.links.resize(seen.names.size());
    if (next_)
      seen.next = names_of(*next_);
    links = links_;
    cluster = context_.cluster;
  }
  if (!cluster)
    return seen; // it has ended
  shared->left = links.size();
  caf::anon_send(cluster, actors::look_at_cluster{[shared](auto report) {
                   const std::lock_guard lock(shared->mutex);
                   shared->seen.cluster = std::move(report);
                   if (--shared->left == 0)
                     shared->all.notify_all();
                 }});
  for (const auto& link : links)
    if (link)
      caf::anon_send(link, actors::look_at_link{[shared](auto figures) {
                       const std::lock_guard lock(shared->mutex);
                       shared->seen.links[figures.peer] = std::move(figures);
                       if (--shared->left == 0)
                         shared->all.notify_all();
                     }});
  std::unique_lock lock(shared->mutex);
  seen.complete = shared->all.wait_for(lock, look_within,
                                       [&] { return shared->left == 0; });
  return seen;
}

void node_cluster::look_at_tunnel(
  const std::function<void(const net::tunnel_counters&)>& look) const {
  const std::lock_guard lock(life_);
  if (transport_)
    look(transport_->tunnel().counters());
}

void node_cluster::reload_certificates() {
  transport_->tunnel().reload_certificates();
}

void node_cluster::stop() {
  {
    // Whatever changes members is over then, and nothing begins to.
    const std::lock_guard lock(line_->mutex);
    line_->owner = nullptr;
  }
  if (!transport_)
    return;
  auto links = links_;
  links.insert(links.end(), replaced_.begin(), replaced_.end());
  auto left = std::make_shared<std::atomic<std::size_t>>(2);
  for (const auto& link : links)
    *left += link ? 1U : 0U;
  const auto ended = [this, left] {
    const std::lock_guard lock(mutex_);
    if (--*left == 0)
      changed_.notify_all();
  };
  for (const auto& link : links)
    if (link)
      caf::anon_send(link, actors::end_cluster{ended});
  caf::anon_send(context_.cluster, actors::end_cluster{ended});
  caf::anon_send(gate_, actors::end_cluster{ended});
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, end_within, [&] { return *left == 0; });
  }
  transport_->stop();
  const std::lock_guard lock(life_);
  links.clear();
  links_.clear();
  replaced_.clear();
  gate_ = nullptr;
  context_.cluster = nullptr;
  // A link that did not end still knows it; then the process ends anyway.
  if (*left == 0)
    transport_.reset();
  else
    static_cast<void>(transport_.release());
}

} // namespace vartalap::runtime
