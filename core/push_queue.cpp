#include "core/push_queue.hpp"

#include "core/hash.hpp"

#include <algorithm>

namespace vartalap::core {

namespace {

/// A mailbox that has not answered by then is asked again.
constexpr milliseconds locate_within{60'000};

/// What an operator has to mend does not get better by the second.
constexpr milliseconds misconfigured_wait{5LL * 60 * 1000};

wall_ms wall(milliseconds span) noexcept {
  return static_cast<wall_ms>(std::max<milliseconds::rep>(span.count(), 0));
}

push_record::target* find(push_record& record, std::string_view name) {
  for (auto& each : record.targets) {
    if (each.name == name) {
      return &each;
    }
  }
  return nullptr;
}

bool is_done(const push_record& record) noexcept {
  return std::all_of(record.targets.begin(), record.targets.end(),
                     [](const auto& each) { return each.done; });
}

} // namespace

push_queue::push_queue(const push_options& options,
                       std::array<bool, push_platforms> serves,
                       std::uint64_t seed)
  : options_(options), serves_(serves), random_(seed) {
}

void push_queue::raised(const std::string& user, std::uint64_t episode,
                        instant now) {
  finished_.erase(user);
  finished_before_.erase(user);
  if (const auto known = jobs_.find(user); known != jobs_.end()) {
    erase(known);
  } else if (jobs_.size() >= options_.queue) {
    return; // It is on disk.
  }
  ++counters_.events;
  auto& one = jobs_[user];
  one.record.episode = episode;
  one.record.raised = now.wall;
  schedule(user, one, now.mono + options_.delay);
}

void push_queue::cleared(const std::string& user) {
  finished_.insert(user);
  const auto known = jobs_.find(user);
  if (known == jobs_.end()) {
    return;
  }
  ++counters_.cancelled;
  erase(known);
}

void push_queue::begin_page() {
  finished_before_ = std::move(finished_);
  finished_.clear();
}

void push_queue::found(const std::string& user, push_record record,
                       instant now) {
  if (record.done || jobs_.contains(user) || finished_.contains(user)
      || finished_before_.contains(user) || jobs_.size() >= options_.queue) {
    return;
  }
  ++counters_.events;
  auto& one = jobs_[user];
  one.record = std::move(record);
  if (one.record.raised == 0) {
    one.record.raised = now.wall;
  }
  // Those of a node that was down for long do not all begin at once.
  auto wait = options_.restart_delay
              + milliseconds{random() % (wall(options_.restart_delay) + 1)};
  if (!one.record.targets.empty()) {
    wait = milliseconds{random() % (wall(options_.retry_first) + 1)};
  }
  schedule(user, one, now.mono + wait);
}

void push_queue::located(const std::string& user, const push_view& view,
                         instant now, push_actions& out) {
  const auto known = jobs_.find(user);
  if (known == jobs_.end() || known->second.at != state::locating) {
    return;
  }
  auto& one = known->second;
  unschedule(user, one);
  one.at = state::sending; // not in the order of time meanwhile
  if (!view.waiting) {
    // What the mailbox knows nothing of any more is not to be found again.
    ++counters_.cancelled;
    return finish(known, out);
  }
  match(one.record, view);
  if (one.record.targets.empty()) {
    ++counters_.nobody;
  }
  std::vector<push_step::send> sends;
  for (auto& each : one.record.targets) {
    if (each.done) {
      continue;
    }
    push_target target;
    if (each.name == webhook_name) {
      target.platform = push_platform::webhook;
    } else {
      for (const auto& [name, of_device] : view.targets) {
        if (name == each.name) {
          target = of_device;
        }
      }
    }
    each.due = std::max(each.due, resume(target.platform, now));
    if (each.due <= now.wall) {
      sends.push_back({user, one.record.episode, each.name, std::move(target),
                       each.attempts, view});
    }
  }
  one.in_flight = static_cast<unsigned>(sends.size());
  in_flight_ += sends.size();
  if (sends.empty()) {
    return settle(known, now, out);
  }
  for (auto& each : sends) {
    out.emplace_back(std::move(each));
  }
}

void push_queue::lost(const std::string& user) {
  const auto known = jobs_.find(user);
  if (known != jobs_.end() && known->second.at == state::locating) {
    erase(known);
  }
}

void push_queue::answered(const std::string& user, std::uint64_t episode,
                          const std::string& name, const push_target& target,
                          const push_outcome& how, instant now,
                          push_actions& out) {
  const auto platform = static_cast<std::size_t>(target.platform);
  --in_flight_;
  ++counters_.outcomes[platform][how.what];
  if (how.what == push_outcome::dead) {
    ++counters_.dropped;
    out.emplace_back(push_step::drop{user, name, target.token});
  }
  if (how.pause) {
    paused_[platform] = std::max(paused_[platform], now.wall + wall(how.after));
  }
  const auto known = jobs_.find(user);
  if (known == jobs_.end() || known->second.record.episode != episode
      || known->second.at != state::sending) {
    return;
  }
  auto& one = known->second;
  if (auto* each = find(one.record, name)) {
    const bool is_to_be_repeated = how.what == push_outcome::retry
                                   || how.what == push_outcome::misconfigured;
    const bool is_late = now.wall
                         >= one.record.raised + wall(options_.give_up_after);
    each->done = !is_to_be_repeated || is_late;
    counters_.gave_up += is_to_be_repeated && is_late ? 1 : 0;
    if (!each->done) {
      each->attempts = static_cast<std::uint16_t>(
        std::min<unsigned>(each->attempts + 1U, 0xFFFFU));
      each->due
        = now.wall
          + wall(std::max(how.after, backoff(each->attempts, how.what)));
    }
  }
  if (--one.in_flight == 0) {
    settle(known, now, out);
  }
}

// Everybody has been asked: it is over, or there is a next time.
void push_queue::settle(jobs::iterator where, instant now, push_actions& out) {
  auto& one = where->second;
  if (is_done(one.record)) {
    return finish(where, out);
  }
  auto next = ~wall_ms{0};
  for (const auto& each : one.record.targets) {
    if (!each.done) {
      next = std::min(next, each.due);
    }
  }
  out.emplace_back(push_step::note{where->first, one.record});
  const auto wait = next > now.wall ? next - now.wall : 0;
  // A wall clock that was set back must not keep anybody waiting for years.
  const auto most = std::max(wall(options_.retry_max), wall_ms{3'600'000});
  one.at = state::waiting;
  schedule(
    where->first, one,
    now.mono
      + milliseconds{static_cast<milliseconds::rep>(std::min(wait, most))});
}

void push_queue::finish(jobs::iterator where, push_actions& out) {
  auto record = std::move(where->second.record);
  record.done = true;
  record.targets.clear();
  finished_.insert(where->first);
  out.emplace_back(push_step::note{where->first, std::move(record)});
  erase(where);
}

// Takes over what the mailbox says of targets; what was done stays done.
void push_queue::match(push_record& record, const push_view& view) const {
  std::vector<push_record::target> now;
  const auto add = [&](std::string_view name) {
    const auto* before = find(record, name);
    now.push_back(before != nullptr
                    ? *before
                    : push_record::target{std::string(name), 0, false, 0});
  };
  if (serves_[static_cast<std::size_t>(push_platform::webhook)]) {
    add(webhook_name);
  }
  for (const auto& [name, target] : view.targets) {
    const auto platform = static_cast<std::size_t>(target.platform);
    if (platform < push_platforms && serves_[platform]) {
      add(name);
    }
  }
  record.targets = std::move(now);
}

// When a provider that asked for patience is tried again: not by everybody in
// the same moment.
wall_ms push_queue::resume(push_platform platform, instant now) {
  const auto until = paused_[static_cast<std::size_t>(platform)];
  if (until <= now.wall) {
    return 0;
  }
  return until + random() % ((until - now.wall) / 8 + 1);
}

milliseconds push_queue::backoff(unsigned attempts, push_outcome::kind what) {
  auto wait = std::max(options_.retry_first, milliseconds{1});
  for (unsigned i = 1; i < attempts && wait < options_.retry_max; ++i) {
    wait *= 2;
  }
  wait = std::min(wait, std::max(options_.retry_max, options_.retry_first));
  if (what == push_outcome::misconfigured) {
    wait = std::max(wait, misconfigured_wait);
  }
  const auto half = wall(wait) / 2;
  return milliseconds{
    static_cast<milliseconds::rep>(half + random() % (half + 1))};
}

std::uint64_t push_queue::random() noexcept {
  random_ += 0x9e3779b97f4a7c15ULL;
  return mix64(random_);
}

void push_queue::advance(instant now, push_actions& out) {
  while (!asked_.empty() && asked_.begin()->first <= now.mono) {
    const auto user = asked_.begin()->second;
    auto& silent = jobs_.at(user);
    unschedule(user, silent);
    silent.at = state::waiting;
    schedule(user, silent, now.mono);
  }
  while (!by_time_.empty() && by_time_.begin()->first <= now.mono
         && asked_.size() + in_flight_ < options_.in_flight) {
    const auto user = by_time_.begin()->second;
    auto& one = jobs_.at(user);
    unschedule(user, one);
    one.at = state::locating;
    schedule(user, one, now.mono + locate_within);
    out.emplace_back(push_step::locate{user});
  }
}

mono_time push_queue::next_deadline() const noexcept {
  auto next = mono_time::max();
  if (!asked_.empty()) {
    next = asked_.begin()->first;
  }
  if (!by_time_.empty() && asked_.size() + in_flight_ < options_.in_flight) {
    next = std::min(next, by_time_.begin()->first);
  }
  return next;
}

void push_queue::schedule(const std::string& user, job& one, mono_time due) {
  one.due = due;
  (one.at == state::locating ? asked_ : by_time_).emplace(due, user);
}

void push_queue::unschedule(const std::string& user, const job& one) {
  if (one.at != state::sending) {
    (one.at == state::locating ? asked_ : by_time_).erase({one.due, user});
  }
}

void push_queue::erase(jobs::iterator where) {
  unschedule(where->first, where->second);
  jobs_.erase(where);
}

} // namespace vartalap::core
