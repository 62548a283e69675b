// A group's messages on their way to its members.

#include "core/fan_out.hpp"

#include <catch2/catch.hpp>

#include <random>

namespace vartalap::test {

using core::fan_out;
using core::refusal;
using core::server_id;
using namespace std::chrono_literals;

namespace {

server_id at(std::uint64_t n) {
  return {n, 1};
}

fan_out::roster names(std::vector<std::string> all) {
  return std::make_shared<const std::vector<std::string>>(std::move(all));
}

/// "1→bob 1→carl": what is to be sent now.
std::string sent(fan_out& from) {
  std::vector<fan_out::item> items;
  from.next(items);
  std::string out;
  for (const auto& one : items)
    out += (out.empty() ? "" : " ") + std::to_string(one.message.high) + ">"
           + std::string(one.to);
  return out;
}

constexpr core::mono_time start{};

} // namespace

TEST_CASE("fan-out sends to all but the sender") {
  fan_out it;
  const auto all = names({"alice", "bob", "carl"});
  REQUIRE(it.add(at(1), all, "alice", 0));
  CHECK(sent(it) == "1>bob 1>carl");
  CHECK(sent(it).empty());
  CHECK_FALSE(it.answered("bob", refusal::none, start).finished);
  const auto last = it.answered("carl", refusal::none, start);
  CHECK(last.finished);
  CHECK(last.message == at(1));
  CHECK(it.empty());
}

TEST_CASE("fan-out to nobody is none") {
  fan_out it;
  CHECK_FALSE(it.add(at(1), names({"alice"}), "alice", 0));
  CHECK_FALSE(it.add(at(2), names({}), "", 0));
  CHECK_FALSE(it.add(at(3), names({"bob"}), "", ~std::uint64_t{0}));
  CHECK(it.empty());
}

TEST_CASE("fan-out keeps each member's order, and others go on") {
  fan_out it;
  const auto all = names({"bob", "carl"});
  for (std::uint64_t n = 1; n <= 3; ++n)
    it.add(at(n), all, "", 0);
  CHECK(sent(it) == "1>bob 1>carl");
  it.answered("bob", refusal::none, start);
  CHECK(sent(it) == "2>bob");
  CHECK(it.answered("carl", refusal::mailbox_full, start).will_retry);
  it.answered("bob", refusal::none, start);
  CHECK(sent(it) == "3>bob");
  it.answered("bob", refusal::none, start);
  CHECK(sent(it).empty());
  CHECK(it.next_deadline() == start + 1s);
  it.timer(start + 999ms);
  CHECK(sent(it).empty());
  it.timer(start + 1s);
  CHECK(sent(it) == "1>carl");
}

TEST_CASE("fan-out asks again later and later") {
  fan_out it;
  it.add(at(1), names({"bob"}), "", 0);
  auto now = start;
  for (const auto wait :
       {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
    CHECK(sent(it) == "1>bob");
    it.answered("bob", refusal::unavailable, now);
    CHECK(it.next_deadline() == now + wait);
    now += wait;
    it.timer(now);
  }
  CHECK(sent(it) == "1>bob");
  CHECK(it.answered("bob", refusal::none, now).finished);
}

TEST_CASE("fan-out takes a refusal for good as an answer") {
  fan_out it;
  it.add(at(1), names({"bob"}), "", 0);
  sent(it);
  const auto how = it.answered("bob", refusal::forbidden, start);
  CHECK(how.refused);
  CHECK(how.finished);
}

TEST_CASE("fan-out bounds what is under way") {
  fan_out it{{2, 1000ms, 1000ms}};
  it.add(at(1), names({"a", "b", "c"}), "", 0);
  CHECK(sent(it) == "1>a 1>b");
  it.answered("b", refusal::none, start);
  CHECK(sent(it) == "1>c");
}

TEST_CASE("fan-out goes on with the slices that are not done") {
  std::vector<std::string> all;
  for (int i = 0; i < 1000; ++i)
    all.push_back("u" + std::to_string(i));
  const auto to = names(all);
  std::uint64_t done = 0;
  std::size_t answered = 0;
  {
    fan_out it;
    it.add(at(1), to, "", 0);
    std::vector<fan_out::item> items;
    it.next(items);
    for (const auto& one : items) {
      if (++answered > 900)
        break;
      const auto how = it.answered(one.to, refusal::none, start);
      if (how.slice != fan_out::slices)
        done |= std::uint64_t{1} << how.slice;
    }
    REQUIRE(done != 0);
  }
  fan_out again;
  REQUIRE(again.add(at(1), to, "", done));
  std::vector<fan_out::item> items;
  again.next(items);
  CHECK(items.size() >= 100);
  CHECK(items.size() < 1000);
  bool finished = false;
  for (const auto& one : items)
    finished = again.answered(one.to, refusal::none, start).finished;
  CHECK(finished);
}

TEST_CASE("fan-out gives a message up") {
  fan_out it;
  const auto all = names({"bob", "carl"});
  it.add(at(1), all, "", 0);
  it.add(at(2), all, "", 0);
  sent(it);
  it.answered("carl", refusal::none, start);
  it.answered("bob", refusal::mailbox_full, start);
  CHECK(it.oldest() == at(1));
  CHECK(it.only_retries(at(1)));
  CHECK_FALSE(it.only_retries(at(2)));
  CHECK_FALSE(it.only_retries(at(3)));
  CHECK(it.give_up(at(1)) == 1);
  CHECK(it.give_up(at(1)) == 0);
  CHECK(it.oldest() == at(2));
  it.timer(it.next_deadline());
  CHECK(sent(it) == "2>carl 2>bob");
  // What was under way when it was given up ends nobody's queue.
  it.give_up(at(2));
  it.add(at(3), all, "", 0);
  CHECK(sent(it).empty());
  it.answered("bob", refusal::unavailable, start);
  CHECK(sent(it) == "3>bob");
}

TEST_CASE("fan-out takes an older message late") {
  fan_out it;
  const auto all = names({"bob", "carl"});
  it.add(at(5), all, "", 0);
  sent(it);
  it.answered("bob", refusal::none, start);
  it.add(at(3), all, "", 0);
  CHECK(sent(it) == "3>bob");
  CHECK_FALSE(it.answered("bob", refusal::none, start).finished);
  CHECK(sent(it).empty());
  CHECK(it.answered("carl", refusal::none, start).finished);
  CHECK(sent(it) == "3>carl");
  CHECK(it.answered("carl", refusal::none, start).finished);
  CHECK(it.empty());
}

TEST_CASE(
  "fan-out brings everything to everybody, in order, whatever happens") {
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    fan_out it{{1 + random() % 5, 10ms, 40ms}};
    auto now = start;
    std::map<std::string, std::vector<std::uint64_t>> got;
    std::map<std::string, std::size_t> owed;
    std::vector<std::string> under_way;
    std::uint64_t n = 0;
    std::size_t kept = 0;
    std::size_t finished = 0;
    for (int step = 0; step < 300 || !it.empty(); ++step) {
      if (step < 300 && random() % 4 == 0) {
        std::vector<std::string> to;
        for (const auto* name : {"a", "b", "c", "d", "e"})
          if (random() % 3 != 0) {
            to.emplace_back(name);
            ++owed[name];
          }
        kept += it.add(at(++n), names(to), "", 0) ? 1 : 0;
      }
      std::vector<fan_out::item> items;
      it.next(items);
      for (const auto& one : items) {
        auto& all = got[std::string(one.to)];
        // A repeat of what was refused, or the next.
        CHECK((all.empty() || all.back() < one.message.high));
        all.push_back(one.message.high);
        under_way.emplace_back(one.to);
      }
      if (!under_way.empty() && random() % 2 == 0) {
        const auto which = random() % under_way.size();
        const auto name = under_way[which];
        under_way.erase(under_way.begin() + static_cast<long>(which));
        const auto refuse = random() % 5 == 0;
        const auto how = it.answered(
          name, refuse ? refusal::mailbox_full : refusal::none, now);
        if (refuse)
          got[name].pop_back();
        finished += how.finished ? 1 : 0;
      }
      now += 5ms;
      it.timer(now);
    }
    CHECK(finished == kept);
    for (const auto& [name, count] : owed)
      CHECK(got[name].size() == count);
  }
}

} // namespace vartalap::test
