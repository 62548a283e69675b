#include "actors/delivery_actor.hpp"

#include "actors/cluster_messages.hpp"
#include "actors/replicated_store.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace {

/// How long before a failed read of the disk is tried again.
constexpr core::milliseconds reload_after{1000};

} // namespace

delivery_actor::delivery_actor(caf::actor_config& config,
                               shard_context& context, std::string user,
                               std::uint64_t owner)
  : pinned_actor(config, context.home), context_(context), owner_(owner),
    mailbox_(std::move(user), context.mailboxes),
    waiting_(std::make_unique<std::vector<std::function<void()>>>()) {
  if (context_.copies && !context_.copies->knows_devices(mailbox_.user()))
    mailbox_.know_all_devices(false, context_.now(), context_.effects);
}

delivery_actor::~delivery_actor() = default;

void delivery_actor::log_failed_read(core::log_port& log,
                                     const std::string& user,
                                     const std::exception& problem) {
  log.write(core::log_level::error, "mailbox",
            "cannot read the mailbox of " + user
              + ", trying again: " + problem.what());
}

caf::actor start_delivery(caf::scheduled_actor& parent, shard_context& context,
                          std::string user) {
  const auto owner = ++context.last_owner;
  auto handle = parent.spawn<delivery_actor>(context, std::move(user), owner);
  context.deliveries.emplace(owner, handle);
  return handle;
}

template <class F>
void delivery_actor::when_open(F&& event) {
  if (!waiting_)
    return event();
  waiting_->emplace_back(std::forward<F>(event));
}

void delivery_actor::begin_loading() {
  if (context_.copies_in_flight == 0)
    return load_snapshot();
  behind_copies_ = true;
  context_.store_here(owner_, storage::op::barrier{});
}

void delivery_actor::load_snapshot() {
  auto& store = context_.node.store;
  context_.node.workers.post([&store, &log = context_.node.log,
                              user = mailbox_.user(),
                              me = caf::actor_cast<caf::actor>(this)] {
    snapshot_loaded loaded;
    try {
      loaded.snapshot
        = std::make_shared<core::mailbox_snapshot>(store.snapshot(user));
    } catch (const std::exception& problem) {
      log_failed_read(log, user, problem);
      loaded.snapshot = nullptr;
    }
    tell(me, std::move(loaded));
  });
}

void delivery_actor::on_snapshot(const snapshot_loaded& loaded) {
  if (!waiting_)
    return;
  if (!loaded.snapshot) {
    context_.home.timers().arm(*this, context_.home.now() + reload_after);
    return;
  }
  mailbox_.open(std::move(*loaded.snapshot), context_.now());
  context_.open_mailboxes.emplace(owner_, &mailbox_);
  const auto events = std::move(waiting_);
  for (auto& event : *events)
    event();
  carry_out();
}

void delivery_actor::on_submit(submit& batch) {
  const auto now = context_.now();
  for (auto& item : batch.items) {
    // Kept alive here: `own_device` looks into it.
    const auto own = item.message->from == mailbox_.user() ? item.origin
                                                           : core::origin_ref{};
    const auto own_device = own ? std::string_view{origin_of(own).device}
                                : std::string_view{};
    mailbox_.receive(std::move(item.message), std::move(item.origin), now,
                     context_.effects, own_device);
  }
  carry_out();
}

void delivery_actor::on_attach(const attach_device& what) {
  ending_ = false;
  attachments_.push_back(what.where);
  tell(what.where->connection,
       attached{caf::actor_cast<caf::actor>(this), what.where->id});
  mailbox_.attach(what.where->device, what.where->id, context_.now(),
                  context_.effects, what.where->came_by);
  carry_out();
}

void delivery_actor::on_acknowledge(acknowledge& what) {
  const auto now = context_.now();
  auto& out = context_.effects;
  std::uint64_t known = 0;
  for (const auto id : what.serverids)
    known += mailbox_.ack(what.device, id, now, out) ? 1U : 0U;
  for (const auto& id : what.in_flight)
    known += mailbox_.ack_in_flight(what.connection, id, now, out) ? 1U : 0U;
  for (const auto& one : what.named)
    known += mailbox_.ack_by_id(what.device, one.from, one.id, now, out) ? 1U
                                                                         : 0U;
  carry_out();
  if (what.answer)
    what.answer(known);
}

void delivery_actor::on_storage(const storage_done& finished) {
  if (std::exchange(behind_copies_, false))
    return load_snapshot();
  const auto now = context_.now();
  auto& out = context_.effects;
  for (const auto& one : finished.items) {
    if (!one.was_put) {
      mailbox_.op_done(one.result == storage::outcome::failed
                       || one.result == storage::outcome::full);
      continue;
    }
    switch (one.result) {
      case storage::outcome::committed:
      case storage::outcome::annihilated:
      case storage::outcome::done:
      // Its copies are gone everywhere: nothing to wait for any more.
      case storage::outcome::removed:
        mailbox_.committed(one.serverid, now, out, one.copies);
        break;
      case storage::outcome::failed:
      case storage::outcome::full:
        mailbox_.commit_failed(one.serverid, core::refusal::unavailable, now,
                               out);
        break;
    }
  }
  carry_out();
}

attachment* delivery_actor::find(core::attachment_id id) noexcept {
  for (const auto& one : attachments_)
    if (one->id == id)
      return one.get();
  return nullptr;
}

void delivery_actor::rearm() {
  if (waiting_)
    return;
  if (mailbox_.idle()) {
    if (idle_since_ == core::mono_time::max())
      idle_since_ = context_.home.now();
  } else {
    idle_since_ = core::mono_time::max();
  }
  auto next = mailbox_.next_deadline();
  if (idle_since_ != core::mono_time::max()) {
    if (ending_)
      return look_idle();
    next = std::min(next,
                    idle_since_ + context_.node.options.delivery.mailbox_idle);
  }
  if (next == core::mono_time::max())
    context_.home.timers().cancel(*this);
  else if (!armed() || next < deadline()
           || next > deadline() + core::milliseconds{20})
    context_.home.timers().arm(*this, next);
}

void delivery_actor::on_timer(core::mono_time) {
  tell(caf::actor_cast<caf::actor>(this), timer_due{});
}

void delivery_actor::take_written(const attachment& from) {
  const auto ordinal = from.written.load(std::memory_order_acquire);
  mailbox_.written(from.id, ordinal, from.written_time());
}

void delivery_actor::on_timer_due() {
  if (waiting_)
    return load_snapshot();
  for (const auto& one : attachments_)
    take_written(*one);
  mailbox_.timer(context_.now(), context_.effects);
  carry_out();
  look_idle();
}

void delivery_actor::look_idle() {
  if (!mailbox_.idle())
    return;
  const auto wait = context_.node.options.delivery.mailbox_idle;
  if (ending_ || context_.home.now() - idle_since_ >= wait)
    tell(context_.router, mailbox_idle{mailbox_.user(), handled_});
}

void delivery_actor::on_end() {
  ending_ = true;
  when_open([this] { look_idle(); });
}

void delivery_actor::on_list(list_pending& what) {
  const bool known
    = mailbox_.add_device(what.device, context_.now(), context_.effects);
  carry_out();
  if (!known) {
    pending_page page;
    page.too_many_devices = true;
    return what.answer(std::move(page));
  }
  bool more = false;
  const auto views
    = mailbox_.list(what.device, core::server_id{}, what.limit, more);
  // Pages are read from the disk where an envelope is not in memory, and put
  // together in order by the worker.
  auto& store = context_.node.store;
  context_.node.workers.post(
    [&store, user = mailbox_.user(), views, more, bytes_max = what.bytes_max,
     me = caf::actor_cast<caf::actor>(this), answer = std::move(what.answer)] {
      pending_page page;
      page.more = more;
      std::vector<core::server_id> missing;
      for (const auto& view : views)
        if (!view.message)
          missing.push_back(view.serverid);
      std::vector<core::envelope_ptr> found;
      try {
        if (!missing.empty())
          found = store.fetch(user, missing);
      } catch (const std::exception&) {
        page.failed = true;
      }
      messages_fetched damaged;
      std::size_t bytes = 0;
      for (const auto& view : views) {
        auto message = view.message;
        if (!message) {
          const auto at = std::find_if(
            found.begin(), found.end(),
            [&](const auto& one) { return one->serverid == view.serverid; });
          if (at == found.end()) {
            damaged.asked.push_back(view.serverid);
            continue;
          }
          message = *at;
        }
        bytes += message->weight();
        if (bytes_max != 0 && bytes > bytes_max && !page.messages.empty()) {
          page.more = true;
          break;
        }
        page.messages.push_back(std::move(message));
      }
      // What cannot be read leaves the mailbox, or it would be asked for again
      // and again. (What was removed meanwhile is gone from it already.)
      if (!page.failed && !damaged.asked.empty())
        tell(me, std::move(damaged));
      answer(std::move(page));
    });
}

caf::behavior delivery_actor::make_behavior() {
  begin_loading();
  return {
    [this](submit& batch) {
      ++handled_;
      if (!waiting_)
        return on_submit(batch);
      when_open([this, kept = std::make_shared<submit>(std::move(batch))] {
        on_submit(*kept);
      });
    },
    [this](acknowledge& what) {
      // Those of connections do not pass the router, and are not counted.
      if (what.connection == 0)
        ++handled_;
      if (!waiting_)
        return on_acknowledge(what);
      when_open([this, kept = std::make_shared<acknowledge>(std::move(what))] {
        on_acknowledge(*kept);
      });
    },
    [this](storage_done& finished) { on_storage(finished); },
    [this](timer_due) { on_timer_due(); },
    [this](attach_device& what) {
      ++handled_;
      when_open([this, what] { on_attach(what); });
    },
    [this](detach_device& what) {
      ++handled_;
      when_open([this, where = what.where] {
        take_written(*where);
        mailbox_.detach(where->id, context_.now(), context_.effects);
        std::erase(attachments_, where);
        carry_out();
      });
    },
    [this](snapshot_loaded& loaded) { on_snapshot(loaded); },
    [this](messages_fetched& result) {
      if (result.failed)
        mailbox_.fetch_failed(context_.now());
      else
        mailbox_.fetched(result.asked, std::move(result.found), context_.now(),
                         context_.effects);
      carry_out();
    },
    [this](messages_expired& what) {
      ++handled_;
      when_open([this, ids = std::move(what.serverids)] {
        mailbox_.expired(ids, context_.now(), context_.effects);
        carry_out();
      });
    },
    [this](set_block& what) {
      ++handled_;
      when_open([this, what] { mailbox_.block(what.sender, what.blocked); });
    },
    [this](list_pending& what) {
      ++handled_;
      when_open([this, kept = std::make_shared<list_pending>(std::move(what))] {
        on_list(*kept);
      });
    },
    [this](change_device& what) {
      ++handled_;
      when_open([this, what]() mutable { on_change(what); });
    },
    [this](look_for_push& what) {
      ++handled_;
      when_open([this, what]() mutable { on_push(what); });
    },
    [this](drop_push_target& what) {
      ++handled_;
      when_open([this, what] { on_push(what); });
    },
    [this](inspect_user& what) {
      ++handled_;
      when_open([this, answer = std::move(what.answer)] {
        answer(mailbox_.inspect());
        rearm();
      });
    },
    [this](merge_copy& what) {
      ++handled_;
      when_open([this, kept = std::make_shared<merge_copy>(std::move(what))] {
        on_merge(kept->what);
      });
    },
    [this](devices_known) {
      ++handled_;
      when_open([this] {
        mailbox_.know_all_devices(true, context_.now(), context_.effects);
        carry_out();
      });
    },
    [this](leave_mailbox) {
      ++handled_;
      when_open([this] { on_leave(); });
    },
    [this](end_deliveries&) {
      ++handled_;
      on_end();
    },
    [this](retire) {
      context_.home.timers().cancel(*this);
      context_.deliveries.erase(owner_);
      context_.open_mailboxes.erase(owner_);
      quit();
    },
  };
}

} // namespace vartalap::actors
