// What a router does where its node is one of several.

#include "actors/replicated_store.hpp"
#include "actors/router_actor.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace {

/// How long a request waits for somebody who can take it.
constexpr core::milliseconds patience{5000};

/// How often what is held is tried again without any news.
constexpr core::milliseconds retry_every{25};

/// A shard that did not tick for so long stood still: others may have taken
/// over what this node believes to be its own. Requests wait this long for
/// news of it; the links need less to come up again, on a busy machine too.
constexpr core::milliseconds stood_still{1000};
constexpr core::milliseconds hear_first{2000};

/// How often copies that take too long are looked for.
constexpr core::milliseconds look_every{200};

bool is_from_peer(const submission& item) {
  return item.origin && origin_of(item.origin).token != 0;
}

void give_up(acknowledge& what) {
  if (what.not_home)
    what.not_home();
  else if (what.answer)
    what.answer(0);
}

void give_up(list_pending& what) {
  if (what.not_home)
    return what.not_home();
  pending_page page;
  page.failed = true;
  what.answer(std::move(page));
}

void give_up(inspect_user& what) {
  if (what.not_home)
    what.not_home();
  else
    what.answer({});
}

void give_up(change_device&) {
  // Nobody waits for it; the device is known again by its next connection.
}

bool is_asked_by_peer(const acknowledge& what) {
  return what.not_home != nullptr;
}
bool is_asked_by_peer(const list_pending& what) {
  return what.not_home != nullptr;
}
bool is_asked_by_peer(const inspect_user& what) {
  return what.not_home != nullptr;
}
bool is_asked_by_peer(const change_device& what) {
  return what.from_peer;
}

} // namespace

router_actor::destination router_actor::whose(core::bucket_id bucket) const {
  // What is held goes first.
  if (held_.holds(bucket) || context_.home.now() < suspect_until_)
    return {destination::nobody};
  return home_of(bucket);
}

router_actor::destination router_actor::home_of(core::bucket_id bucket) const {
  if (is_releasing_[bucket])
    return {destination::nobody};
  const auto owner = ties_->view->owner(bucket);
  if (owner == ties_->view->me)
    return {destination::here, owner};
  if (owner == core::no_node || lost_[owner] || !ties_->links[owner])
    return {destination::nobody};
  return {destination::peer, owner};
}

void router_actor::look_at_clock() {
  const auto now = context_.home.now();
  if (now - last_tick_ >= stood_still)
    suspect_until_ = now + hear_first;
  last_tick_ = now;
}

void router_actor::route_around(submit& batch) {
  look_at_clock();
  submit mine;
  std::vector<submit> others;
  for (auto& item : batch.items) {
    const auto bucket = core::bucket_of(item.message->to);
    const auto to = whose(bucket);
    if (to.where == destination::here && ties_->view->may_confirm) {
      mine.items.push_back(std::move(item));
    } else if (to.where != destination::peer) {
      hold(bucket, std::move(item));
    } else if (is_from_peer(item)) {
      send_back(item);
    } else {
      others.resize(ties_->links.size());
      others[to.node].items.push_back(std::move(item));
    }
  }
  for (std::size_t i = 0; i < others.size(); ++i)
    if (!others[i].items.empty())
      tell(ties_->links[i], std::move(others[i]));
  if (!mine.items.empty())
    route_here(mine);
}

void router_actor::send_back(const submission& item) {
  const auto& origin = origin_of(item.origin);
  tell(origin.connection, not_home_here{origin.token, 0});
}

void router_actor::refuse(const submission& item) {
  if (!item.origin)
    return;
  if (is_from_peer(item))
    return send_back(item);
  core::effect::refuse why{item.origin, item.message,
                           core::refusal::unavailable};
  const auto& origin = origin_of(item.origin);
  if (origin.connection)
    tell(origin.connection, refuse_batch{{std::move(why)}});
  else
    origin.refused(why);
}

void router_actor::hold(core::bucket_id bucket, submission item) {
  held_.add(bucket, context_.home.now() + patience,
            [this, item = std::move(item)](bool in_vain) {
              if (in_vain)
                return refuse(item);
              submit again;
              again.items.push_back(item);
              route_around(again);
            });
  tick_soon();
}

template <class T>
void router_actor::direct(std::string user, T& what) {
  if (!ties_)
    return forward(user, std::move(what));
  look_at_clock();
  const auto bucket = core::bucket_of(user);
  const auto to = whose(bucket);
  if (to.where == destination::here)
    return forward(user, std::move(what));
  if (to.where == destination::peer && !is_asked_by_peer(what))
    return tell(ties_->links[to.node], std::move(what));
  if (to.where == destination::peer
      && !std::is_same_v<T, change_device>) // nobody would hear of that
    return give_up(what);
  held_.add(bucket, context_.home.now() + patience,
            [this, user = std::move(user),
             kept = std::make_shared<T>(std::move(what))](bool in_vain) {
              if (in_vain)
                give_up(*kept);
              else
                direct(user, *kept);
            });
  tick_soon();
}

template void router_actor::direct(std::string, acknowledge&);
template void router_actor::direct(std::string, list_pending&);
template void router_actor::direct(std::string, change_device&);
template void router_actor::direct(std::string, inspect_user&);

void router_actor::attach(attach_device& what) {
  const auto user = what.where->user;
  if (!context_.copies)
    return forward(user, std::move(what));
  const auto bucket = core::bucket_of(user);
  if (what.from_peer) {
    if (ties_ && whose(bucket).where == destination::here)
      return forward(user, std::move(what));
    return tell(what.where->connection, not_home_here{0, what.where->id});
  }
  auto& all = here_[user];
  all.push_back({what.where});
  unsettled_ = true;
  if (ties_)
    settle(bucket, all.back());
}

void router_actor::detach(detach_device& what) {
  const auto user = what.where->user;
  if (!context_.copies)
    return forward(user, std::move(what));
  auto at = ties_ ? ties_->view->me : core::no_node;
  if (const auto found = here_.find(user); found != here_.end()) {
    auto& all = found->second;
    const auto one = std::find_if(all.begin(), all.end(), [&](const auto& x) {
      return x.where == what.where;
    });
    if (one != all.end()) {
      at = one->at;
      all.erase(one);
    }
    if (all.empty())
      here_.erase(found);
  }
  if (!ties_)
    return;
  if (at != core::no_node && at != ties_->view->me)
    return tell(ties_->links[at], std::move(what));
  if (const auto found = table_.find(user); found != table_.end()) {
    ++found->second.forwarded;
    tell(found->second.delivery, std::move(what));
  }
}

void router_actor::settle(core::bucket_id bucket, connection_here& one) {
  const auto to = home_of(bucket);
  const auto target = to.where == destination::nobody ? core::no_node : to.node;
  if (target == one.at) {
    unsettled_ = unsettled_ || target == core::no_node;
    return;
  }
  const auto me = ties_->view->me;
  if (one.at != core::no_node) {
    // Acknowledgements wait for the next mailbox.
    tell(one.where->connection, attached{nullptr, one.where->id});
    if (one.at != me)
      tell(ties_->links[one.at], detach_device{one.where});
  }
  one.at = target;
  if (target == core::no_node) {
    unsettled_ = true;
    tick_soon();
  } else if (target == me)
    forward(one.where->user, attach_device{one.where});
  else
    tell(ties_->links[target], attach_device{one.where});
}

void router_actor::settle_all() {
  unsettled_ = false;
  for (auto& [user, all] : here_) {
    const auto bucket = core::bucket_of(user);
    for (auto& one : all)
      settle(bucket, one);
  }
}

void router_actor::leave(entry& one) {
  one.leaving = true;
  ++one.forwarded;
  tell(one.delivery, leave_mailbox{});
}

void router_actor::on_ties(ties_changed& what) {
  const auto before = std::exchange(ties_, std::move(what.ties));
  if (!before)
    last_tick_ = context_.home.now();
  const auto& view = *ties_->view;
  context_.copies->set_ties(ties_, context_.home.now());
  context_.hand_out(context_.copies->take_ready());
  tell_keeps();
  lost_.assign(ties_->links.size(), false);
  if (before && before->view->where != view.where)
    renumber(before->view->me);
  is_releasing_.resize(core::bucket_count, false);
  std::erase_if(releasing_, [this](const auto& one) {
    if (one.left == 0)
      for (const auto bucket : *one.buckets)
        is_releasing_[bucket] = false;
    return one.left == 0;
  });
  if (!before)
    index_table();
  look_at_owners(before ? before->view.get() : nullptr);
  if (!before || before->view->owners != view.owners)
    look_for_groups();
  settle_all();
  on_tick();
}

void router_actor::index_table() {
  by_bucket_.resize(core::bucket_count);
  for (auto& one : table_)
    by_bucket_[core::bucket_of(one.first)].push_back(&one);
}

/// Tells the deliveries of those buckets for which the view has changed.
void router_actor::look_at_owners(const core::cluster_view* before) {
  const auto& view = *ties_->view;
  const bool know_alike = before != nullptr && before->where == view.where
                          && before->met == view.met;
  const bool same_me = before != nullptr && before->me == view.me;
  for (std::size_t i = 0; i < by_bucket_.size(); ++i) {
    const auto here = static_cast<core::bucket_id>(i);
    const bool stays = same_me && before->owner(here) == view.owner(here);
    if (stays && know_alike)
      continue;
    const auto& all = by_bucket_[i];
    if (!know_alike && view.knows_devices(here)
        && !(before != nullptr && before->knows_devices(here)))
      for (auto* one : all) {
        ++one->second.forwarded;
        tell(one->second.delivery, devices_known{});
      }
    if (stays)
      continue;
    const bool mine = view.is_mine(here);
    for (auto* one : all)
      if (!mine && !one->second.leaving)
        leave(one->second);
      else if (mine && !is_releasing_[here])
        one->second.leaving = false;
  }
}

/// Another member list: nodes have other numbers, and their links are new.
void router_actor::renumber(core::node_index me_before) {
  for (auto& [user, all] : here_)
    for (auto& one : all)
      if (one.at == me_before) {
        one.at = ties_->view->me;
      } else if (one.at != core::no_node) {
        one.at = core::no_node;
        tell(one.where->connection, attached{nullptr, one.where->id});
      }
}

void router_actor::on_lost(core::node_index peer) {
  if (peer >= lost_.size())
    return;
  lost_[peer] = true;
  for (auto& [user, all] : here_)
    for (auto& one : all)
      if (one.at == peer) {
        one.at = core::no_node;
        unsettled_ = true;
        tell(one.where->connection, attached{nullptr, one.where->id});
      }
}

void router_actor::on_given_back(given_back& what) {
  if (what.lost)
    on_lost(what.peer);
  // In order, and not at once: whoever sent them back knows something that
  // this node has yet to hear.
  for (auto& item : what.items) {
    const auto bucket = core::bucket_of(item.message->to);
    hold(bucket, std::move(item));
  }
}

void router_actor::on_release(release_buckets& what) {
  for (const auto bucket : *what.buckets)
    is_releasing_[bucket] = true;
  auto& one = releasing_.emplace_back();
  one.buckets = what.buckets;
  std::vector<bool> here(core::bucket_count, false);
  for (const auto bucket : *what.buckets) {
    here[bucket] = true;
    for (auto* each : by_bucket_[bucket]) {
      ++one.left;
      leave(each->second);
    }
  }
  for (auto& [user, all] : here_)
    if (const auto bucket = core::bucket_of(user); here[bucket])
      for (auto& each : all)
        settle(bucket, each);
  if (one.left == 0)
    tell(context_.node.cluster, buckets_released{one.buckets});
}

void router_actor::released_one(std::string_view user) {
  if (releasing_.empty())
    return;
  const auto bucket = core::bucket_of(user);
  for (auto& one : releasing_) {
    const auto& all = *one.buckets;
    if (one.left == 0 || std::find(all.begin(), all.end(), bucket) == all.end())
      continue;
    if (--one.left == 0)
      tell(context_.node.cluster, buckets_released{one.buckets});
  }
}

void router_actor::on_tick() {
  if (!ties_)
    return;
  look_at_clock();
  const auto now = context_.home.now();
  std::vector<storage::completion> through;
  context_.copies->tick(now, through);
  context_.hand_out(std::move(through));
  held_.retry(now);
  if (unsettled_)
    settle_all();
  const auto soon = !held_.empty() || unsettled_;
  context_.home.timers().arm(*this, now + (soon ? retry_every : look_every));
}

void router_actor::tick_soon() {
  const auto soon = context_.home.now() + retry_every;
  if (!armed() || deadline() > soon)
    context_.home.timers().arm(*this, soon);
}

void router_actor::on_timer(core::mono_time) {
  tell(caf::actor_cast<caf::actor>(this), timer_due{});
}

caf::message_handler router_actor::cluster_behavior() {
  if (!context_.copies)
    return {};
  owner_ = ++context_.last_owner;
  context_.deliveries.emplace(owner_, caf::actor_cast<caf::actor>(this));
  context_.home.timers().arm(*this, context_.home.now() + look_every);
  return {
    [this](ties_changed& what) { on_ties(what); },
    [this](given_back& what) { on_given_back(what); },
    [this](const attach_again& what) {
      if (const auto found = here_.find(what.where->user); found != here_.end())
        for (auto& one : found->second)
          if (one.where == what.where && one.at == what.peer) {
            one.at = core::no_node;
            unsettled_ = true;
            tick_soon();
          }
    },
    [this](release_buckets& what) { on_release(what); },
    [this](store_copies& what) { on_copies(what); },
    [this](const storage_done& what) { on_storage(what); },
    [this](const copies_stored& what) { on_peer_stored(what); },
    [this](const fence& what) {
      context_.flush_now();
      tell(what.cluster, fence_passed{what.number});
    },
    [this](timer_due) { on_tick(); },
  };
}

} // namespace vartalap::actors
