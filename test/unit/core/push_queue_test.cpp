#include "core/push_queue.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <map>

using namespace vartalap::core;
using namespace std::chrono_literals;

namespace {

using platforms = std::array<bool, push_platforms>;

/// All but `none`.
constexpr platforms everything{false, true, true, true, true};
constexpr platforms devices_only{false, true, true, true, false};

/// A queue with a clock that is moved by hand; `out` is what the last event
/// has brought about.
struct push_fixture {
  push_options options;
  platforms serves = devices_only;
  std::optional<push_queue> queue;
  instant now{mono_time{1h}, 1'700'000'000'000};
  push_actions out;
  /// What is on disk, as the notes would have it.
  std::map<std::string, push_record> disk;

  push_fixture() {
    restart();
  }

  void restart() {
    queue.emplace(options, serves, 7);
  }

  void raise(const std::string& user, std::uint64_t episode) {
    disk[user] = {episode, now.wall, false, {}};
    queue->raised(user, episode, now);
  }

  void clear(const std::string& user) {
    disk.erase(user);
    queue->cleared(user);
  }

  void keep_notes() {
    for (const auto& each : out)
      if (const auto* note = std::get_if<push_step::note>(&each))
        if (const auto found = disk.find(note->user);
            found != disk.end()
            && found->second.episode == note->record.episode)
          found->second = note->record;
  }

  void pass(milliseconds span) {
    now.mono += span;
    now.wall += static_cast<wall_ms>(span.count());
    out.clear();
    queue->advance(now, out);
  }

  /// Lets time pass until somebody is to be located.
  milliseconds wait_for_locate() {
    const auto begin = now.mono;
    out.clear();
    for (int i = 0; i < 100 && count<push_step::locate>() == 0; ++i) {
      const auto next = queue->next_deadline();
      REQUIRE(next != mono_time::max());
      pass(std::chrono::ceil<milliseconds>(
        std::max(next - now.mono, microseconds{0})));
    }
    REQUIRE(count<push_step::locate>() > 0);
    return std::chrono::duration_cast<milliseconds>(now.mono - begin);
  }

  void locate(const std::string& user, const push_view& view) {
    out.clear();
    queue->located(user, view, now, out);
    keep_notes();
  }

  void answer(const push_step::send& sent, push_outcome how) {
    out.clear();
    queue->answered(sent.user, sent.episode, sent.name, sent.target, how, now,
                    out);
    keep_notes();
  }

  template <class Step>
  std::vector<Step> all() const {
    std::vector<Step> found;
    for (const auto& each : out)
      if (const auto* one = std::get_if<Step>(&each))
        found.push_back(*one);
    return found;
  }

  template <class Step>
  std::size_t count() const {
    return all<Step>().size();
  }
};

push_view view_of(const std::vector<std::string>& devices,
                  push_platform platform = push_platform::fcm) {
  push_view out;
  out.waiting = true;
  out.pending = 2;
  out.devices = devices;
  for (const auto& each : devices)
    out.targets.emplace_back(each, push_target{platform, "token-" + each, 1});
  return out;
}

push_outcome outcome(push_outcome::kind what, milliseconds after = 0ms,
                     bool pause = false) {
  return {what, after, pause, {}};
}

} // namespace

TEST_CASE_METHOD(push_fixture, "a user is woken once, after the delay",
                 "[push]") {
  raise("bob", 1);
  pass(options.delay - 1ms);
  CHECK(out.empty());
  pass(1ms);
  REQUIRE(count<push_step::locate>() == 1);
  locate("bob", view_of({"phone", "tab"}));
  const auto sends = all<push_step::send>();
  REQUIRE(sends.size() == 2);
  CHECK(sends[0].name == "phone");
  CHECK(sends[0].target.token == "token-phone");
  CHECK(sends[1].name == "tab");
  answer(sends[0], outcome(push_outcome::delivered));
  CHECK(out.empty());
  answer(sends[1], outcome(push_outcome::delivered));
  REQUIRE(count<push_step::note>() == 1);
  CHECK(disk["bob"].done);
  CHECK(queue->size() == 0);
  CHECK(queue->next_deadline() == mono_time::max());
}

TEST_CASE_METHOD(push_fixture, "a device that is quicker is not woken",
                 "[push]") {
  SECTION("within the delay") {
    raise("bob", 1);
    clear("bob");
    pass(1h);
    CHECK(out.empty());
  }
  SECTION("while its mailbox is asked") {
    raise("bob", 1);
    wait_for_locate();
    clear("bob");
    locate("bob", view_of({"phone"}));
    CHECK(out.empty());
  }
  SECTION("as its mailbox says") {
    raise("bob", 1);
    wait_for_locate();
    auto view = view_of({"phone"});
    view.waiting = false;
    locate("bob", view);
    CHECK(count<push_step::send>() == 0);
    CHECK(disk["bob"].done);
  }
  SECTION("between two attempts") {
    raise("bob", 1);
    wait_for_locate();
    locate("bob", view_of({"phone"}));
    answer(all<push_step::send>().at(0), outcome(push_outcome::retry));
    clear("bob");
    pass(24h);
    CHECK(out.empty());
  }
  CHECK(queue->size() == 0);
  CHECK(queue->counters().cancelled == 1);
}

TEST_CASE_METHOD(push_fixture, "waits grow, with jitter, to their bound",
                 "[push]") {
  options.give_up_after = 1000h;
  restart();
  raise("bob", 1);
  auto least = options.retry_first / 2;
  wait_for_locate();
  for (unsigned attempt = 0; attempt < 16; ++attempt) {
    locate("bob", view_of({"phone"}));
    const auto sends = all<push_step::send>();
    REQUIRE(sends.size() == 1);
    CHECK(sends[0].attempt == attempt);
    answer(sends[0], outcome(push_outcome::retry));
    const auto waited = wait_for_locate();
    CHECK(waited >= least);
    CHECK(waited <= least * 2 + 1ms);
    least = std::min(least * 2, options.retry_max / 2);
  }
  CHECK(disk["bob"].targets.at(0).attempts == 16);
}

TEST_CASE_METHOD(push_fixture, "jitter tells users apart", "[push]") {
  std::set<milliseconds> waits;
  for (int i = 0; i < 20; ++i) {
    const auto user = "user" + std::to_string(i);
    raise(user, 1);
    wait_for_locate();
    locate(user, view_of({"phone"}));
    answer(all<push_step::send>().at(0), outcome(push_outcome::retry));
    waits.insert(wait_for_locate());
    clear(user);
  }
  CHECK(waits.size() > 15);
}

TEST_CASE_METHOD(push_fixture, "only who has not been told is told again",
                 "[push]") {
  serves = everything;
  restart();
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone", "tab"}));
  const auto sends = all<push_step::send>();
  REQUIRE(sends.size() == 3);
  CHECK(sends[0].name == webhook_name);
  CHECK(sends[0].target.platform == push_platform::webhook);
  answer(sends[0], outcome(push_outcome::delivered));
  answer(sends[1], outcome(push_outcome::retry));
  answer(sends[2], outcome(push_outcome::rejected));
  wait_for_locate();
  locate("bob", view_of({"phone", "tab"}));
  const auto again = all<push_step::send>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].name == "phone");
  answer(again[0], outcome(push_outcome::delivered));
  CHECK(disk["bob"].done);
}

TEST_CASE_METHOD(push_fixture,
                 "a device that has acknowledged owes nothing "
                 "and is left out of the next attempt",
                 "[push]") {
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone", "tab"}));
  for (const auto& each : all<push_step::send>())
    answer(each, outcome(push_outcome::retry));
  wait_for_locate();
  locate("bob", view_of({"tab"}));
  for (const auto& each : all<push_step::send>()) {
    CHECK(each.name == "tab");
    answer(each, outcome(push_outcome::retry));
  }
  CHECK(disk["bob"].targets.size() == 1);
}

TEST_CASE_METHOD(push_fixture,
                 "a dead token is dropped, even of a wake-up "
                 "that is over",
                 "[push]") {
  const bool is_over = GENERATE(false, true);
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone"}));
  const auto sent = all<push_step::send>().at(0);
  if (is_over)
    clear("bob");
  answer(sent, outcome(push_outcome::dead));
  const auto drops = all<push_step::drop>();
  REQUIRE(drops.size() == 1);
  CHECK(drops[0].user == "bob");
  CHECK(drops[0].device == "phone");
  CHECK(drops[0].token == "token-phone");
  CHECK(queue->size() == 0);
  CHECK(queue->counters().dropped == 1);
}

TEST_CASE_METHOD(push_fixture, "what a provider asks for is kept to by all",
                 "[push]") {
  raise("ann", 1);
  raise("bob", 2);
  wait_for_locate();
  locate("ann", view_of({"phone"}));
  answer(all<push_step::send>().at(0),
         outcome(push_outcome::retry, 10min, true));
  locate("bob", view_of({"phone"}));
  CHECK(count<push_step::send>() == 0);
  CHECK(disk["bob"].targets.at(0).attempts == 0);
  // Another provider's users are not concerned.
  raise("eve", 3);
  wait_for_locate();
  locate("eve", view_of({"mac"}, push_platform::apns));
  CHECK(count<push_step::send>() == 1);
  CHECK(wait_for_locate() >= 9min);
}

TEST_CASE_METHOD(push_fixture,
                 "an operator's mistake is not tried by the "
                 "second",
                 "[push]") {
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone"}));
  answer(all<push_step::send>().at(0), outcome(push_outcome::misconfigured));
  CHECK(count<push_step::drop>() == 0);
  CHECK(wait_for_locate() >= 150s);
}

TEST_CASE_METHOD(push_fixture, "it ends some day", "[push]") {
  raise("bob", 1);
  wait_for_locate();
  for (int i = 0; i < 1000 && queue->size() > 0; ++i) {
    locate("bob", view_of({"phone"}));
    answer(all<push_step::send>().at(0), outcome(push_outcome::retry));
    if (queue->size() > 0)
      wait_for_locate();
  }
  CHECK(queue->size() == 0);
  CHECK(disk["bob"].done);
  CHECK(queue->counters().gave_up == 1);
}

TEST_CASE_METHOD(push_fixture, "a user without a target is done with",
                 "[push]") {
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({}));
  CHECK(disk["bob"].done);
  CHECK(queue->counters().nobody == 1);
  raise("eve", 2);
  wait_for_locate();
  locate("eve", view_of({"x"}, push_platform::none));
  CHECK(queue->counters().nobody == 2);
}

TEST_CASE_METHOD(push_fixture, "a new event is another one", "[push]") {
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone"}));
  const auto old = all<push_step::send>().at(0);
  clear("bob");
  raise("bob", 2);
  // The late answer is not of this one.
  answer(old, outcome(push_outcome::delivered));
  CHECK_FALSE(disk["bob"].done);
  wait_for_locate();
  locate("bob", view_of({"phone"}));
  REQUIRE(count<push_step::send>() == 1);
  CHECK(all<push_step::send>()[0].episode == 2);
}

TEST_CASE_METHOD(push_fixture, "after a crash it goes on where it was",
                 "[push]") {
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone", "tab"}));
  const auto sends = all<push_step::send>();
  answer(sends[0], outcome(push_outcome::delivered));
  answer(sends[1], outcome(push_outcome::retry));
  raise("ann", 2); // nobody has looked at it yet
  restart();
  queue->begin_page();
  for (const auto& [user, record] : disk)
    queue->found(user, record, now);
  std::set<std::string> told;
  for (int i = 0; i < 10 && queue->size() > 0; ++i) {
    wait_for_locate();
    for (const auto& each : all<push_step::locate>()) {
      locate(each.user, view_of({"phone", "tab"}));
      for (const auto& sent : all<push_step::send>()) {
        told.insert(sent.user + "/" + sent.name);
        answer(sent, outcome(push_outcome::delivered));
      }
    }
  }
  CHECK(told == std::set<std::string>{"ann/phone", "ann/tab", "bob/tab"});
  CHECK(disk["bob"].done);
  CHECK(disk["ann"].done);
}

TEST_CASE_METHOD(push_fixture, "after a restart devices get time to be back",
                 "[push]") {
  queue->found("bob", {}, now);
  const auto waited = wait_for_locate();
  CHECK(waited >= options.restart_delay);
  CHECK(waited <= options.restart_delay * 2);
}

TEST_CASE_METHOD(push_fixture, "what is done is not found again", "[push]") {
  push_record done;
  done.done = true;
  queue->found("bob", done, now);
  CHECK(queue->size() == 0);
  // A page that was read before this one was finished.
  raise("eve", 1);
  const auto before = disk["eve"];
  queue->begin_page();
  wait_for_locate();
  locate("eve", view_of({"phone"}));
  answer(all<push_step::send>().at(0), outcome(push_outcome::delivered));
  queue->found("eve", before, now);
  CHECK(queue->size() == 0);
  queue->begin_page();
  queue->found("eve", before, now);
  CHECK(queue->size() == 0);
  queue->begin_page();
  queue->found("eve", before, now);
  CHECK(queue->size() == 1);
}

TEST_CASE_METHOD(push_fixture, "memory is bounded, and the rest found later",
                 "[push]") {
  options.queue = 3;
  restart();
  for (std::uint64_t i = 1; i <= 5; ++i)
    raise("user" + std::to_string(i), i);
  CHECK(queue->size() == 3);
  std::size_t told = 0;
  for (int i = 0; i < 20 && told < 5; ++i) {
    wait_for_locate();
    for (const auto& each : all<push_step::locate>()) {
      locate(each.user, view_of({"phone"}));
      for (const auto& sent : all<push_step::send>()) {
        ++told;
        answer(sent, outcome(push_outcome::delivered));
      }
    }
    queue->begin_page();
    queue->begin_page();
    for (const auto& [user, record] : disk)
      queue->found(user, record, now);
  }
  CHECK(told == 5);
}

TEST_CASE_METHOD(push_fixture, "so many are under way at a time", "[push]") {
  options.in_flight = 2;
  restart();
  for (std::uint64_t i = 1; i <= 5; ++i)
    raise("user" + std::to_string(i), i);
  pass(options.delay);
  const auto asked = all<push_step::locate>();
  REQUIRE(asked.size() == 2);
  pass(1s);
  CHECK(out.empty());
  locate(asked[0].user, view_of({"phone"}));
  const auto sent = all<push_step::send>().at(0);
  pass(0ms);
  CHECK(out.empty());
  answer(sent, outcome(push_outcome::delivered));
  pass(0ms);
  CHECK(count<push_step::locate>() == 1);
}

TEST_CASE_METHOD(push_fixture, "a mailbox that does not answer is asked again",
                 "[push]") {
  options.in_flight = 1;
  restart();
  raise("bob", 1);
  raise("eve", 2);
  pass(options.delay);
  REQUIRE(count<push_step::locate>() == 1);
  pass(59s);
  CHECK(out.empty());
  pass(1s);
  CHECK(count<push_step::locate>() == 1);
}

TEST_CASE_METHOD(push_fixture, "what another node is home of is its business",
                 "[push]") {
  queue->found("bob", {}, now);
  wait_for_locate();
  queue->lost("bob");
  CHECK(queue->size() == 0);
  CHECK(queue->next_deadline() == mono_time::max());
  queue->begin_page();
  queue->found("bob", {}, now); // it may be ours by now
  CHECK(queue->size() == 1);
}

TEST_CASE_METHOD(push_fixture, "a wall clock that was wrong costs an hour",
                 "[push]") {
  raise("bob", 1);
  wait_for_locate();
  locate("bob", view_of({"phone"}));
  answer(all<push_step::send>().at(0), outcome(push_outcome::retry));
  auto kept = disk["bob"];
  kept.targets.at(0).due = now.wall + 365ULL * 24 * 3600 * 1000;
  restart();
  queue->found("bob", kept, now);
  wait_for_locate();
  locate("bob", view_of({"phone"}));
  CHECK(count<push_step::send>() == 0);
  CHECK(wait_for_locate() <= 1h);
}
