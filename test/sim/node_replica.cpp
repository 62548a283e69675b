// A node as a replica of others, and its answers to its cluster_core.
#include "core/cluster_answer.hpp"
#include "test/sim/node.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::sim {

using namespace core;

void node::take_put(node_index from, std::uint64_t ticket, const stored& what,
                    const std::vector<device_record>& devices) {
  if (!view_->is_held_here(bucket_of(what.to)) && !full_)
    queue_.add([=, this] {
      for (const auto& each : devices)
        store_device(what.to, each);
    });
  take_copies({what}, [this, from, ticket](bool ok) {
    tell(from, [=, me = me_](node& home) {
      replicator_effects effects;
      if (ok) {
        home.replicator_.committed(ticket, me, effects);
      } else {
        home.replicator_.failed(ticket, me, home.now().mono, effects);
        home.core_->out_of_step(me, home.now());
      }
      home.carry_out(std::move(effects));
    });
  });
}

/// Commits copies; `done` hears whether they are durable.
void node::take_copies(std::vector<stored> copies,
                       std::function<void(bool)> done) {
  if (full_) {
    done(false);
    return;
  }
  auto held = std::make_shared<std::vector<stored>>();
  queue_.add(
    [=, this] {
      for (const auto& each : copies) {
        clock_.observe(each.serverid);
        if (is_removed_lately(each.serverid)) {
          remember({user_name(each.to), each.serverid, {}, 0});
          continue;
        }
        if (const auto* now = store().put(each))
          held->push_back(*now);
        world_->log("node ", me_, ": stores a copy of ", each.number, " as ",
                    each.serverid);
      }
    },
    [=, this] {
      for (const auto& each : *held) {
        const auto box = mailboxes_.find(each.to);
        if (box != mailboxes_.end())
          box->second.merge(each);
        carried(bucket_of(each.to));
      }
      done(true);
    });
}

void node::take_removal(node_index from, std::uint64_t ticket,
                        const say::removal& what, bool remember) {
  // Our own view may know better than the sender's.
  const bool calm = !remember && view_->calm;
  const bool defect = around_->how->defects.no_tombstones;
  remove_here(what, calm || defect ? 0 : 1, [=, this] {
    tell(from, [ticket, me = me_](node& home) {
      replicator_effects effects;
      home.replicator_.committed(ticket, me, effects);
      home.carry_out(std::move(effects));
    });
    carried(bucket_of(user_number(what.user)));
  });
}

void node::remove_here(const say::removal& what, int remember,
                       std::function<void()> then) {
  const auto user = user_number(what.user);
  queue_.add(
    [=, this] {
      removed_lately_.push_back({what, world_->now()});
      if (what.device.empty()) {
        const bool held = store().remove(user, what.serverid, remember);
        world_->log("node ", me_, ": removes ", what.serverid,
                    held ? ", held" : ", not held", ", remember ", remember);
        if (held)
          around_->book->removed(me_, what.serverid);
      } else {
        store().remove_device(user, what.device, what.at, remember);
      }
    },
    [=, this] {
      const auto box = mailboxes_.find(user);
      if (box != mailboxes_.end()) {
        if (what.device.empty())
          box->second.erase(what.serverid);
        else
          box->second.erase_device(what.device);
      }
      if (then)
        then();
    });
}

bool node::is_removed_lately(server_id serverid) const {
  return std::any_of(
    removed_lately_.begin(), removed_lately_.end(), [&](const auto& each) {
      return each.what.device.empty() && each.what.serverid == serverid;
    });
}

void node::store_device(user_index user, const device_record& record) {
  const say::device_of device{user_name(user), record};
  for (const auto& each : removed_lately_)
    if (removes(each.what, device)) {
      remember(each.what);
      return;
    }
  store().put_device(user, record);
}

/// Who still holds what was removed here lately has to hear of it.
void node::remember(const say::removal& what) {
  if (around_->how->defects.no_tombstones)
    return;
  const auto user = user_number(what.user);
  if (what.device.empty())
    store().remove(user, what.serverid, 2);
  else
    store().remove_device(user, what.device, what.at, 2);
  later(0, [this, user] { core_->keeps(bucket_of(user), now()); });
}

/// The calm has ended: not all may have heard of these.
void node::remember_removed_lately() {
  for (const auto& each : removed_lately_)
    queue_.add([this, what = each.what] { remember(what); });
}

/// Something was stored that came from another node.
void node::carried(bucket_id bucket) {
  if (view_->keeps_for_others(bucket))
    core_->keeps(bucket, now());
}

void node::send(node_index peer, cluster_message message) {
  tell(peer, [from = me_, message = std::move(message)](node& to) {
    to.core_->received(from, message, to.now());
  });
}

void node::read_sums(std::uint64_t request, bucket_id first,
                     std::uint32_t count) {
  auto sums = std::make_shared<std::vector<say::bucket_sum>>();
  auto graves = std::make_shared<std::vector<bucket_id>>();
  queue_.add([=, this] { *sums = store().sums(first, count, *graves); },
             [=, this] { core_->sums_read(request, *sums, *graves, now()); });
}

void node::read_bucket(std::uint64_t request, bucket_id bucket) {
  auto content = std::make_shared<say::listing>();
  queue_.add([=, this] { *content = store().list(bucket); },
             [=, this] { core_->bucket_read(request, *content, now()); });
}

void node::copy(std::uint64_t request, node_index peer, bucket_id,
                const std::vector<say::message_mark>& messages) {
  auto copies = std::make_shared<std::vector<stored>>();
  queue_.add(
    [=, this] {
      for (const auto& each : messages)
        if (const auto* held
            = store().find(user_number(each.user), each.serverid))
          if (!around_->how->defects.forgets_copy || !world_->chance(0.3))
            copies->push_back(*held);
    },
    [=, this] {
      tell(peer, [=, from = me_](node& replica) {
        replica.take_copies(*copies, [=, at = &replica](bool ok) {
          at->tell(from, [=](node& home) {
            home.core_->copied(request, ok, home.now());
          });
        });
      });
    });
}

void node::apply(std::uint64_t request,
                 const std::vector<say::removal>& removals,
                 const std::vector<say::device_of>& devices) {
  const int remember = around_->how->defects.no_tombstones ? 0 : 1;
  for (const auto& each : removals)
    remove_here(each, remember, {});
  queue_.add(
    [=, this] {
      for (const auto& each : devices)
        store_device(user_number(each.user), each.record);
    },
    [=, this] {
      for (const auto& each : devices) {
        const auto box = mailboxes_.find(user_number(each.user));
        if (box != mailboxes_.end())
          box->second.merge_device(each.record);
      }
      core_->applied(request, now());
    });
}

void node::drop(const std::vector<say::message_mark>& messages) {
  queue_.add([=, this] {
    for (const auto& each : messages) {
      world_->log("node ", me_, ": drops ", each.serverid);
      store().drop(user_number(each.user), each.serverid);
    }
  });
}

void node::drop_devices(const std::vector<say::device_of>& devices) {
  queue_.add([=, this] {
    for (const auto& each : devices) {
      world_->log("node ", me_, ": drops user ", each.user, "/",
                  each.record.name);
      store().drop_device(each);
    }
  });
}

void node::forget(const std::vector<say::removal>& removals) {
  queue_.add([=, this] {
    for (const auto& each : removals) {
      world_->log("node ", me_, ": forgets ", each.serverid);
      store().forget(each);
    }
  });
}

} // namespace vartalap::sim
