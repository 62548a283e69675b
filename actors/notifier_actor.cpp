#include "actors/notifier_actor.hpp"

#include "net/codec.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <random>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace {

namespace step = core::push_step;

/// How the events on disk are walked: so many at a time, so often; and when
/// the walk begins anew.
constexpr std::size_t page_records = 1000;
constexpr core::milliseconds next_page_after{200};
constexpr core::milliseconds walk_every{10'000};

/// How often an operator is told that a provider refuses us.
constexpr core::milliseconds tell_every{60'000};

std::array<bool, core::push_platforms>
served(const net::push_sender* sender) noexcept {
  std::array<bool, core::push_platforms> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = sender != nullptr
             && sender->serves(static_cast<core::push_platform>(i));
  return out;
}

core::push_notice notice_of(const step::send& what, core::wall_ms now,
                            const std::string& frame) {
  core::push_notice out;
  out.user = what.user;
  out.episode = what.episode;
  out.pending = what.view.pending;
  if (what.view.newest)
    out.serverid = what.view.newest.to_hex();
  out.frame = frame;
  out.devices = what.view.devices;
  out.now = now;
  out.attempt = what.attempt;
  return out;
}

/// Sends a test to each target; the last answer completes it.
void run_test(net::push_sender& sender, const core::push_view& view,
              core::push_notice notice, const push_test& what) {
  struct progress {
    std::mutex mutex;
    std::vector<push_test_line> lines;
    std::size_t missing = 0;
    decltype(push_test::answer) answer;
  };
  auto shared = std::make_shared<progress>();
  shared->answer = what.answer;
  std::vector<core::push_target> targets;
  if (sender.serves(core::push_platform::webhook)) {
    shared->lines.push_back(
      {std::string(core::webhook_name), core::push_platform::webhook, {}});
    targets.push_back({core::push_platform::webhook, {}, 0});
  }
  for (const auto& [device, target] : view.targets) {
    shared->lines.push_back({device, target.platform, {}});
    targets.push_back(target);
  }
  shared->missing = targets.size();
  if (targets.empty())
    return what.answer(true, {});
  notice.test = true;
  notice.pending = view.pending;
  notice.devices = view.devices;
  for (std::size_t i = 0; i < targets.size(); ++i)
    sender.send(targets[i], notice, [shared, i](const core::push_outcome& how) {
      std::unique_lock lock(shared->mutex);
      shared->lines[i].how = how;
      if (--shared->missing > 0)
        return;
      lock.unlock();
      shared->answer(true, shared->lines);
    });
}

} // namespace

notifier_actor::notifier_actor(caf::actor_config& config,
                               shard_context& context,
                               net::push_sender* provider, push_board& board)
  : pinned_actor(config, context.home), context_(context), sender_(provider),
    board_(board), queue_(context.node.options.push, served(provider),
                          std::random_device{}()) {
}

void notifier_actor::on_exit() {
  context_.home.timers().cancel(*this);
}

void notifier_actor::on_offline(const user_offline& what) {
  auto& log = context_.node.log;
  if (log.enabled(core::log_level::debug))
    log.write(core::log_level::debug, "notifier",
              "messages wait for a user without a connected device: user="
                + what.user + " pending=" + std::to_string(what.pending));
  if (sender_ == nullptr)
    return;
  queue_.raised(what.user, what.episode, context_.now());
  carry_out();
}

void notifier_actor::carry_out() {
  const auto now = context_.now();
  queue_.advance(now, actions_);
  std::vector<step::send> sends;
  std::vector<storage::request> notes;
  for (auto& action : std::exchange(actions_, {})) {
    if (auto* one = std::get_if<step::locate>(&action)) {
      locate(one->user);
    } else if (auto* sent = std::get_if<step::send>(&action)) {
      sends.push_back(std::move(*sent));
    } else if (auto* note = std::get_if<step::note>(&action)) {
      // Nobody waits for it: what is lost costs a repeat.
      notes.push_back(
        {0, 0,
         storage::op::note_push{std::move(note->user), std::move(note->record),
                                false, false}});
    } else if (auto* drop = std::get_if<step::drop>(&action)) {
      const auto& router = context_.node.shard_of(drop->user).router;
      tell(router,
           drop_push_target{std::move(drop->user), std::move(drop->device),
                            std::move(drop->token)});
    }
  }
  if (!notes.empty())
    context_.node.store.submit(std::move(notes));
  if (!sends.empty())
    send(std::move(sends));
  board_.show(queue_.counters(), queue_.size());
  const auto next = std::min(queue_.next_deadline(), page_at_);
  if (next == core::mono_time::max())
    context_.home.timers().cancel(*this);
  else
    context_.home.timers().arm(*this, next);
}

void notifier_actor::locate(const std::string& user) {
  look_for_push ask;
  ask.user = user;
  ask.answer = [user, me = caf::actor_cast<caf::actor>(this)](
                 bool home, core::push_view view) {
    tell(me, push_located{user, home, std::move(view)});
  };
  tell(context_.node.shard_of(user).router, std::move(ask));
}

void notifier_actor::on_located(const push_located& what) {
  if (what.home)
    queue_.located(what.user, what.view, context_.now(), actions_);
  else
    queue_.lost(what.user);
  carry_out();
}

// All of one user: `located` gives them together.
void notifier_actor::send(std::vector<step::send> sends) {
  const auto& first = sends.front();
  if (context_.node.options.push.content && first.view.newest)
    return fetch_content(std::move(sends));
  for (auto& each : sends)
    dispatch(std::move(each), {});
}

void notifier_actor::fetch_content(std::vector<step::send> sends) {
  auto& store = context_.node.store;
  context_.node.workers.post(
    [&store, sends = std::move(sends),
     me = caf::actor_cast<caf::actor>(this)]() mutable {
      push_content result;
      try {
        const std::vector<core::server_id> wanted{sends.front().view.newest};
        const auto found = store.fetch(sends.front().user, wanted);
        if (!found.empty())
          net::encode_delivery(net::encoding::json_v2, *found.front(),
                               result.frame);
      } catch (const std::exception&) {
        // Without content it is a wake-up all the same; whoever reads the
        // mailbox tells of the disk.
        result.frame.clear();
      }
      result.sends = std::move(sends);
      tell(me, std::move(result));
    });
}

void notifier_actor::on_content(push_content& what) {
  for (auto& each : what.sends)
    dispatch(std::move(each), what.frame);
}

void notifier_actor::dispatch(step::send what, const std::string& frame) {
  auto notice = notice_of(what, context_.now().wall, frame);
  auto target = what.target;
  sender_->send(std::move(target), std::move(notice),
                [what = std::move(what),
                 me = caf::actor_cast<caf::actor>(this)](const auto& how) {
                  tell(me, push_answered{what, how});
                });
}

void notifier_actor::on_answered(const push_answered& what) {
  report(what.what, what.how);
  queue_.answered(what.what.user, what.what.episode, what.what.name,
                  what.what.target, what.how, context_.now(), actions_);
  carry_out();
}

// Never a token, a subscription's address or content.
void notifier_actor::report(const step::send& what,
                            const core::push_outcome& how) {
  auto& log = context_.node.log;
  const auto platform = what.target.platform;
  const auto text = std::string(core::to_string(platform)) + ": "
                    + std::string(core::to_string(how.what)) + ", " + how.why;
  if (how.what == core::push_outcome::misconfigured) {
    auto& told = told_[static_cast<std::size_t>(platform)];
    const auto now = context_.now().mono;
    if (told == core::mono_time{} || now - told >= tell_every) {
      told = now;
      log.write(core::log_level::error, "notifier",
                "a provider refuses this node; check [push] and see "
                "docs/push.md: "
                  + text);
    }
  }
  if (log.enabled(core::log_level::debug))
    log.write(core::log_level::debug, "notifier",
              "push: user=" + what.user + " device=" + what.name + " " + text);
}

void notifier_actor::read_page() {
  page_at_ = core::mono_time::max();
  queue_.begin_page();
  auto& store = context_.node.store;
  context_.node.workers.post(
    [&store, from = next_page_, me = caf::actor_cast<caf::actor>(this)] {
      push_page_read result;
      try {
        result.page = store.list_pushes(from, page_records);
      } catch (const std::exception&) {
        result.failed = true; // The walk begins anew.
      }
      tell(me, std::move(result));
    });
}

void notifier_actor::on_page(push_page_read& what) {
  const auto now = context_.now();
  for (auto& [user, record] : what.page.records)
    queue_.found(user, std::move(record), now);
  next_page_ = std::move(what.page.next);
  page_at_ = now.mono + (next_page_.empty() ? walk_every : next_page_after);
  carry_out();
}

void notifier_actor::on_test(push_test& what) {
  if (sender_ == nullptr)
    return what.answer(true, {});
  look_for_push ask;
  ask.user = what.user;
  ask.all = true;
  core::push_notice notice;
  notice.user = what.user;
  notice.now = context_.now().wall;
  ask.answer = [sender = sender_, notice = std::move(notice),
                what](bool home, const core::push_view& view) {
    if (!home)
      return what.answer(false, {});
    run_test(*sender, view, notice, what);
  };
  tell(context_.node.shard_of(what.user).router, std::move(ask));
}

void notifier_actor::on_timer(core::mono_time) {
  tell(caf::actor_cast<caf::actor>(this), timer_due{});
}

caf::behavior notifier_actor::make_behavior() {
  // What a crash or an earlier node left behind.
  if (sender_ != nullptr)
    read_page();
  return {
    [this](const user_offline& what) { on_offline(what); },
    [this](const user_online& what) {
      queue_.cleared(what.user);
      carry_out();
    },
    [this](const push_located& what) { on_located(what); },
    [this](const push_answered& what) { on_answered(what); },
    [this](push_content& what) { on_content(what); },
    [this](push_page_read& what) { on_page(what); },
    [this](push_test& what) { on_test(what); },
    [this](timer_due) {
      if (page_at_ <= context_.now().mono)
        read_page();
      carry_out();
    },
  };
}

} // namespace vartalap::actors
