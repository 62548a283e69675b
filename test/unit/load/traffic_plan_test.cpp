#include "load/traffic_plan.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace vartalap::load;

namespace {

load_options with(scenario which, std::uint32_t users) {
  load_options o;
  o.scenario = which;
  o.users = users;
  return o;
}

} // namespace

TEST_CASE("traffic_plan pairs is a permutation without fixed points") {
  const std::uint32_t users = GENERATE(2U, 3U, 10U, 101U);
  const traffic_plan plan(with(scenario::pairs, users), 1);
  std::set<std::uint32_t> partners;
  for (std::uint32_t u = 0; u < users; ++u) {
    CHECK(plan.sends(u));
    CHECK(plan.recipient(u, 0) != u);
    CHECK(plan.recipient(u, 5) == plan.recipient(u, 0));
    partners.insert(plan.recipient(u, 0));
  }
  CHECK(partners.size() == users);
}

TEST_CASE("traffic_plan never has a user write to itself or to nobody") {
  const auto which = GENERATE(scenario::pairs, scenario::fanin,
                              scenario::offline, scenario::churn,
                              scenario::slow, scenario::mixed);
  const std::uint32_t users = GENERATE(2U, 7U, 100U);
  const traffic_plan plan(with(which, users), 99);
  std::uint32_t senders = 0;
  for (std::uint32_t u = 0; u < users; ++u) {
    if (!plan.sends(u))
      continue;
    ++senders;
    for (std::uint64_t n = 0; n < 50; ++n) {
      CHECK(plan.recipient(u, n) < users);
      CHECK(plan.recipient(u, n) != u);
    }
  }
  CHECK(senders == plan.senders());
  CHECK(senders > 0);
}

TEST_CASE("traffic_plan offline has senders online and recipients away") {
  const traffic_plan plan(with(scenario::offline, 100), 1);
  CHECK(plan.stores_first());
  CHECK(plan.senders() == 10);
  std::set<std::uint32_t> reached;
  for (std::uint32_t u = 0; u < 10; ++u) {
    CHECK_FALSE(plan.is_away(u));
    for (std::uint64_t n = 0; n < 90; ++n) {
      CHECK(plan.is_away(plan.recipient(u, n)));
      reached.insert(plan.recipient(u, n));
    }
  }
  CHECK(reached.size() == 90);
}

TEST_CASE("traffic_plan fanin has few receivers") {
  auto o = with(scenario::fanin, 100);
  CHECK(traffic_plan(o, 1).senders() == 90);
  o.senders = 98;
  const traffic_plan plan(o, 1);
  CHECK(plan.senders() == 98);
  CHECK(plan.recipient(0, 0) >= 98);
}

TEST_CASE("traffic_plan slow picks about the wanted share of readers") {
  auto o = with(scenario::slow, 10'000);
  o.slow_fraction = 0.2;
  const traffic_plan plan(o, 5);
  int slow = 0;
  for (std::uint32_t u = 0; u < o.users; ++u)
    slow += plan.pauses(u) ? 1 : 0;
  CHECK(slow > 1800);
  CHECK(slow < 2200);
  CHECK_FALSE(plan.churns(0));
}

TEST_CASE("traffic_plan idle sends nothing") {
  const traffic_plan plan(with(scenario::idle, 1), 1);
  CHECK_FALSE(plan.has_traffic());
  CHECK_FALSE(plan.sends(0));
  CHECK(plan.senders() == 0);
}

TEST_CASE("traffic_plan repeats itself with the same seed only") {
  const auto o = with(scenario::mixed, 1000);
  const traffic_plan a(o, 7);
  const traffic_plan b(o, 7);
  const traffic_plan c(o, 8);
  int different = 0;
  for (std::uint32_t u = 0; u < o.users; ++u) {
    CHECK(a.recipient(u, 3) == b.recipient(u, 3));
    different += a.recipient(u, 3) != c.recipient(u, 3) ? 1 : 0;
  }
  CHECK(different > 900);
}
