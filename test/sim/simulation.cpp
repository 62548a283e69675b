#include "test/sim/simulation.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace vartalap::sim {

namespace {

constexpr sim_time faults_from = 5 * s;
constexpr sim_time faults_until = 30 * s;
constexpr sim_time healed_after_max = 120 * s;

/// Made once for each size: all runs share them.
std::shared_ptr<const core::placement> placement_of(std::size_t nodes) {
  static const auto all = [] {
    std::vector<std::shared_ptr<const core::placement>> out;
    for (std::size_t count = 0; count <= 5; ++count) {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i)
        names.push_back("n" + std::to_string(i));
      out.push_back(std::make_shared<core::placement>(names, sim_buckets));
    }
    return out;
  }();
  return all.at(nodes);
}

} // namespace

simulation::simulation(const setup& how)
  : how_(how), world_(how), book_(how), machines_(how.nodes), nodes_(how.nodes),
    net_(world_, how.nodes,
         {[this](node_index which) { return nodes_[which].get(); },
          [](node& at, node_index peer) { at.link_up(peer); },
          [](node& at, node_index peer) { at.link_down(peer); }}),
    clients_(how, world_, book_, [this](node_index which) {
      return which == core::no_node ? nullptr : nodes_[which].get();
    }) {
  around_ = {&how_,
             &world_,
             &net_,
             &book_,
             placement_of(how.nodes),
             &machines_,
             [this](node_index at, const session& to, const stored& what) {
               clients_.deliver(at, to, what);
             },
             [this](node_index at, user_index user, message_number number,
                    bool ok) { clients_.answer(at, user, number, ok); }};
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    auto& each = machines_[i];
    each.known_disks.assign(how.nodes, 0);
    each.clock_error = world_.random(-1000, 1000);
    each.store.on_copy = [this, i](const stored& what, bool held) {
      book_.copy(static_cast<node_index>(i), what, held);
    };
  }
}

result simulation::run() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    world_.after(world_.random(0, 1 * s),
                 [this, i] { start(static_cast<node_index>(i)); });
  clients_.start();
  world_.after(faults_from, [this] { fault_later(); });
  world_.after(faults_until, [this] { heal(); });
  while (!faults_over_)
    world_.step();
  const auto from = world_.now();
  auto look_at = from + 1 * s;
  for (std::string wrong = "?"; !wrong.empty(); world_.step()) {
    if (world_.now() < look_at)
      continue;
    look_at = world_.now() + 500 * ms;
    wrong = disorder();
    if (!wrong.empty() && world_.now() > from + healed_after_max)
      throw violation("not in order after "
                      + std::to_string(healed_after_max / s) + " s: " + wrong);
  }
  return {world_.steps(), book_.messages(), book_.confirmations(),
          book_.repeats(), world_.now() - from};
}

void simulation::start(node_index which) {
  if (nodes_[which])
    return;
  world_.log("node ", which, " starts");
  if (how_.defects.hints_lost) {
    auto& store = machines_[which].store;
    std::vector<stored> hints;
    for (const auto& [user, box] : store.all())
      if (around_.where->rank(bucket_of(user), which) > how_.replicas)
        for (const auto& [serverid, each] : box)
          hints.push_back(each);
    for (const auto& each : hints)
      store.drop(each.to, each.serverid);
  }
  book_.started(which, machines_[which].store);
  nodes_[which] = std::make_unique<node>(around_, which);
  net_.node_up(which);
}

void simulation::stop(node_index which) {
  nodes_[which].reset();
  net_.node_down(which);
  clients_.node_down(which);
}

void simulation::fault_later() {
  if (faults_over_ || how_.faults.empty())
    return;
  auto kind = how_.faults.begin();
  std::advance(
    kind, world_.random(0, static_cast<std::int64_t>(how_.faults.size()) - 1));
  do_fault(*kind);
  const bool single = how_.faults.size() == 1;
  world_.after(single ? 12 * s : world_.random(500 * ms, 5 * s),
               [this] { fault_later(); });
}

void simulation::do_fault(fault kind) {
  world_.log("fault: ", name_of(kind));
  const auto which = any_node();
  switch (kind) {
    case fault::crash:
      crash(which, false);
      break;
    case fault::wipe:
      if (may_wipe())
        crash(which, true);
      break;
    case fault::partition:
    case fault::one_way:
    case fault::partial:
    case fault::flap:
      cut_links(kind, which);
      break;
    case fault::slow_disk:
    case fault::slow_link:
    case fault::full:
      hinder(kind, which);
      break;
    case fault::drain:
      if (nodes_[which]) {
        nodes_[which]->drain();
        drain(which, 50);
      }
      break;
    case fault::moves:
      break; // the clients see to it
  }
}

void simulation::cut_links(fault kind, node_index a) {
  const auto others = static_cast<std::int64_t>(how_.nodes) - 1;
  const auto b = static_cast<node_index>(
    (a + static_cast<std::size_t>(world_.random(1, others))) % how_.nodes);
  if (kind == fault::flap) {
    for (int i = 0; i < 4; ++i)
      world_.after(world_.random(0, 3 * s), [=, this] { net_.flap(a, b); });
    return;
  }
  world_.after(world_.random(1 * s, 9 * s), [this] { net_.mend_all(); });
  if (kind != fault::partition) {
    net_.cut(a, b);
    if (kind == fault::partial)
      net_.cut(b, a);
    return;
  }
  std::vector<bool> side(how_.nodes);
  for (std::size_t i = 0; i < side.size(); ++i)
    side[i] = world_.chance(0.5);
  for (std::size_t i = 0; i < side.size(); ++i)
    for (std::size_t j = 0; j < side.size(); ++j)
      if (side[i] != side[j])
        net_.cut(static_cast<node_index>(i), static_cast<node_index>(j));
}

/// Makes something slow, or a node refuse copies, for a while.
void simulation::hinder(fault kind, node_index which) {
  const auto set = [=, this](bool bad) {
    if (kind == fault::slow_link)
      net_.set_slow(bad);
    else if (nodes_[which] && kind == fault::slow_disk)
      nodes_[which]->set_slow(bad);
    else if (nodes_[which])
      nodes_[which]->set_full(bad);
  };
  set(true);
  world_.after(world_.random(1 * s, 9 * s), [set] { set(false); });
}

void simulation::crash(node_index which, bool wipe) {
  if (!nodes_[which])
    return;
  world_.log("node ", which, wipe ? " loses its disk" : " crashes");
  stop(which);
  if (wipe) {
    wiped_ = true;
    auto& each = machines_[which];
    ++each.disk_number;
    each.store.wipe();
    for (std::size_t i = 0; i < machines_.size(); ++i)
      each.known_disks[i] = machines_[i].disk_number;
  }
  world_.after(world_.random(100 * ms, 10 * s),
               [this, which] { start(which); });
}

/// A drained node ends and is started again.
void simulation::drain(node_index which, int tries) {
  if (!nodes_[which])
    return;
  if (tries == 0 || nodes_[which]->is_drained()) {
    world_.log("node ", which, tries == 0 ? " is not drained" : " is drained");
    stop(which);
    world_.after(world_.random(100 * ms, 3 * s),
                 [this, which] { start(which); });
    return;
  }
  world_.after(200 * ms, [this, which, tries] { drain(which, tries - 1); });
}

/// One disk is lost at a time: its node has to be repaired before the next.
bool simulation::may_wipe() const {
  if (!wiped_)
    return true;
  return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& each) {
    return each && each->view()->calm;
  });
}

node_index simulation::any_node() {
  return static_cast<node_index>(
    world_.random(0, static_cast<std::int64_t>(how_.nodes) - 1));
}

void simulation::heal() {
  world_.log("all faults are mended");
  faults_over_ = true;
  clients_.quiet();
  net_.set_slow(false);
  net_.mend_all();
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (auto& each = nodes_[i]; each) {
      each->set_slow(false);
      each->set_full(false);
    } else {
      start(static_cast<node_index>(i));
    }
}

std::string simulation::disorder() const {
  if (!clients_.all_confirmed())
    return "a client waits for a confirmation";
  if (!book_.all_delivered())
    return "not delivered: " + book_.undelivered();
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (auto wrong = disorder_of(static_cast<node_index>(i)); !wrong.empty())
      return "node " + std::to_string(i) + ": " + wrong;
  return unequal_disks();
}

std::string simulation::disorder_of(node_index which) const {
  if (!nodes_[which])
    return "is down";
  const auto look = nodes_[which]->look();
  const auto view = nodes_[which]->view();
  if (look.phase != core::node_phase::serving)
    return "does not serve";
  if (look.claims != 0)
    return "claims " + std::to_string(look.claims);
  if (look.ownerless != 0)
    return "knows buckets without an owner";
  for (std::size_t i = 0; i < sim_buckets; ++i)
    if (const auto bucket = static_cast<bucket_id>(i);
        view->owner(bucket) != view->where->line(bucket)[0])
      return "bucket " + std::to_string(i) + " is not home";
  if (look.foreign != 0)
    return "holds " + std::to_string(look.foreign) + " for others";
  if (look.under_replicated != 0)
    return "knows messages that lack a copy";
  if (!look.calm)
    return "is not calm; in step with"
           + std::accumulate(
             look.peers.begin(), look.peers.end(), std::string{},
             [](std::string all, const auto& each) {
               return std::move(all) + (each.in_step ? " yes" : " no");
             });
  const auto& store = machines_[which].store;
  if (store.tombstones() != 0)
    return "has " + std::to_string(store.tombstones()) + " tombstones";
  for (const auto& [user, box] : store.all())
    if (!view->is_held_here(bucket_of(user)))
      return "holds messages of user " + std::to_string(user) + " for nobody";
  return {};
}

std::string simulation::unequal_disks() const {
  const auto content = [this](node_index which, bucket_id bucket) {
    const auto list = machines_[which].store.list(bucket);
    auto text = " " + std::to_string(which) + " has";
    for (const auto& each : list.messages)
      text += " " + each.serverid.to_hex() + "/" + std::to_string(each.acks);
    for (const auto& each : list.devices)
      text += " " + each.user + "/" + each.record.name + "@"
              + std::to_string(each.record.last_seen);
    return text;
  };
  for (std::size_t i = 0; i < sim_buckets; ++i) {
    const auto bucket = static_cast<bucket_id>(i);
    std::vector<bucket_id> graves;
    const auto holders = around_.where->holders(bucket, how_.replicas);
    const auto first = machines_[holders[0]].store.sums(bucket, 1, graves);
    for (const auto each : holders)
      if (machines_[each].store.sums(bucket, 1, graves) != first)
        return "bucket " + std::to_string(i) + " differs:"
               + content(holders[0], bucket) + "," + content(each, bucket);
  }
  return {};
}

} // namespace vartalap::sim
