#include "actors/records_actor.hpp"

#include "actors/cluster_messages.hpp"
#include "actors/group_actor.hpp"
#include "actors/group_list_actor.hpp"
#include "core/group.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace vartalap::actors {

namespace {

/// How long before a failed read of the disk is tried again.
constexpr core::milliseconds reload_after{1000};

} // namespace

records_actor::records_actor(caf::actor_config& config, shard_context& context,
                             std::string name, std::uint64_t owner)
  : pinned_actor(config, context.home), context_(context),
    name_(std::move(name)), owner_(owner),
    waiting_(std::make_unique<std::vector<std::function<void()>>>()) {
}

records_actor::~records_actor() = default;

caf::actor start_records(caf::scheduled_actor& parent, shard_context& context,
                         std::string name) {
  const auto owner = ++context.last_owner;
  auto handle
    = core::is_group_mailbox(name)
        ? parent.spawn<group_actor>(context, std::move(name), owner)
        : parent.spawn<group_list_actor>(context, std::move(name), owner);
  context.deliveries.emplace(owner, handle);
  ++context.open_records;
  return handle;
}

template <class F>
void records_actor::when_open(F&& event) {
  ++handled_;
  if (waiting_) {
    waiting_->emplace_back(std::forward<F>(event));
    return;
  }
  event();
  after();
}

void records_actor::begin_loading() {
  if (context_.copies_in_flight == 0)
    return load();
  behind_copies_ = true;
  context_.store_here(owner_, storage::op::barrier{});
}

void records_actor::load() {
  context_.node.workers.post([&store = context_.node.store,
                              &log = context_.node.log, name = name_,
                              me = caf::actor_cast<caf::actor>(this)] {
    records_loaded loaded;
    try {
      std::vector<core::server_id> all;
      for (const auto& one : store.snapshot(name).pending)
        all.push_back(one.serverid);
      loaded.found = store.fetch_stored(name, all);
    } catch (const std::exception& problem) {
      log.write(core::log_level::error, "group",
                std::string("cannot read a group's records, trying again: ")
                  + problem.what());
      loaded.failed = true;
    }
    tell(me, std::move(loaded));
  });
}

void records_actor::on_loaded(records_loaded& what) {
  if (!waiting_)
    return;
  if (what.failed) {
    context_.home.timers().arm(*this, context_.home.now() + reload_after);
    return;
  }
  opened(std::move(what.found));
  const auto events = std::move(waiting_);
  for (auto& event : *events)
    event();
  after();
}

void records_actor::on_storage(const storage_done& finished) {
  if (std::exchange(behind_copies_, false))
    return load();
  for (const auto& one : finished.items) {
    if (!one.was_put) {
      operations_ -= std::min<std::size_t>(operations_, 1);
      continue;
    }
    const auto found = puts_.find(one.serverid);
    if (found == puts_.end())
      continue;
    const auto then = std::move(found->second);
    puts_.erase(found);
    then(one.result != storage::outcome::failed
           && one.result != storage::outcome::full,
         one.copies);
  }
  after();
}

void records_actor::put(core::envelope_ptr record, stored then) {
  puts_.emplace(record->serverid, std::move(then));
  context_.store(owner_, storage::op::put{std::move(record), {}, false});
}

void records_actor::change(storage::operation what) {
  ++operations_;
  context_.store(owner_, std::move(what));
}

void records_actor::confirm(const core::origin_ref& to,
                            const core::envelope_ptr& what,
                            core::server_id serverid,
                            core::durability reached) {
  if (!to)
    return;
  core::effect::confirm how{to,
                            what,
                            serverid,
                            what->server_timestamp,
                            serverid ? core::ack_status::stored
                                     : core::ack_status::relayed,
                            reached};
  const auto& origin = origin_of(to);
  if (origin.connection)
    tell(origin.connection, confirm_batch{{std::move(how)}});
  else if (origin.confirmed)
    origin.confirmed(how);
}

void records_actor::refuse(const submission& item, core::refusal code) {
  if (!item.origin)
    return;
  core::effect::refuse why{item.origin, item.message, code};
  const auto& origin = origin_of(item.origin);
  if (origin.connection)
    tell(origin.connection, refuse_batch{{std::move(why)}});
  else if (origin.refused)
    origin.refused(why);
}

bool records_actor::is_idle() const {
  return !waiting_ && puts_.empty() && operations_ == 0
         && (ending_ || !is_busy());
}

/// After every event: what may go on goes on, and the next timer.
void records_actor::after() {
  if (waiting_)
    return;
  go_on();
  if (!is_idle())
    idle_since_ = core::mono_time::max();
  else if (idle_since_ == core::mono_time::max())
    idle_since_ = context_.home.now();
  if (is_idle() && ending_)
    return look_idle();
  auto next = next_due();
  if (is_idle())
    next = std::min(next,
                    idle_since_ + context_.node.options.delivery.mailbox_idle);
  if (next == core::mono_time::max())
    context_.home.timers().cancel(*this);
  else
    context_.home.timers().arm(*this, next);
}

void records_actor::look_idle() {
  const auto wait = context_.node.options.delivery.mailbox_idle;
  if (is_idle() && (ending_ || context_.home.now() - idle_since_ >= wait))
    tell(context_.router, mailbox_idle{name_, handled_});
}

void records_actor::on_timer(core::mono_time) {
  tell(caf::actor_cast<caf::actor>(this), timer_due{});
}

caf::behavior records_actor::make_behavior() {
  begin_loading();
  auto of_router = caf::message_handler{
    [this](submit& batch) {
      when_open([this, kept = std::make_shared<submit>(std::move(batch))] {
        for (auto& item : kept->items)
          take(std::move(item));
      });
    },
    [this](list_pending& what) {
      when_open([this, kept = std::make_shared<list_pending>(std::move(what))] {
        answer(*kept);
      });
    },
    [this](merge_copy& what) {
      when_open([this, kept = std::make_shared<merge_copy>(std::move(what))] {
        merged(kept->what);
      });
    },
    [this](messages_expired& what) {
      when_open([this, ids = std::move(what.serverids)] { expired(ids); });
    },
    [this](resume_outgoing&) { when_open([this] { ending_ = false; }); },
    [this](leave_mailbox) { when_open([this] { ending_ = true; }); },
    [this](end_deliveries&) { when_open([this] { ending_ = true; }); },
    // Nobody who is asked these is a user.
    [this](acknowledge& what) {
      ++handled_;
      if (what.answer)
        what.answer(0);
    },
    [this](inspect_user& what) {
      ++handled_;
      what.answer({});
    },
    [this](attach_device&) { ++handled_; },
    [this](detach_device&) { ++handled_; },
    [this](change_device&) { ++handled_; },
    [this](devices_known) { ++handled_; },
  };
  return of_router.or_else(caf::message_handler{
    [this](storage_done& finished) { on_storage(finished); },
    [this](records_loaded& loaded) { on_loaded(loaded); },
    [this](const confirm_batch& batch) {
      for (const auto& one : batch.items)
        sent(*one.what, core::refusal::none);
      after();
    },
    [this](const refuse_batch& batch) {
      for (const auto& one : batch.items)
        sent(*one.what, one.code);
      after();
    },
    [this](resends_merged) {},
    [this](timer_due) {
      if (waiting_)
        return load();
      after();
      look_idle();
    },
    [this](retire) {
      context_.home.timers().cancel(*this);
      context_.deliveries.erase(owner_);
      --context_.open_records;
      quit();
    },
  });
}

} // namespace vartalap::actors
