#include "test/fault/crash_rig.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace vartalap::fault;

namespace {

crash_plan churn(std::uint32_t seed) {
  crash_plan plan;
  plan.server = VARTALAP_BINARY;
  plan.seed = seed;
  plan.load = {"--scenario", "churn", "--users",       "40",
               "--rate",     "400",   "--warmup",      "500ms",
               "--duration", "14s",   "--churn-every", "1s"};
  return plan;
}

crash_plan offline(std::uint32_t seed) {
  auto plan = churn(seed);
  plan.load = {"--scenario", "offline", "--users",     "40",       "--senders",
               "20",         "--rate",  "1500",        "--warmup", "500ms",
               "--duration", "14s",     "--then-drain"};
  return plan;
}

void require_kept(const crash_result& got) {
  INFO(got.text);
  REQUIRE(got.load_status == 0);
  CHECK(got.lost == 0);
  CHECK(got.reordered == 0);
  CHECK(got.unexpected == 0);
  CHECK(got.last_end == 0);
}

/// A planted fault must be seen within a few runs of different seeds.
void require_red(crash_plan (*make)(std::uint32_t), const char* server) {
  constexpr std::uint32_t tries = 3;
  for (std::uint32_t seed = 1; seed <= tries; ++seed) {
    auto plan = make(seed);
    plan.server = server;
    // What is lost is waited for in vain.
    plan.load.insert(plan.load.end(), {"--drain-timeout", "10s"});
    const auto got = run_crashes(plan);
    if (got.load_status != 0 && got.lost > 0)
      return;
    UNSCOPED_INFO(got.text);
  }
  FAIL("the planted fault was not found");
}

} // namespace

TEST_CASE("crashes lose nothing that was confirmed while users churn",
          "[churn]") {
  const auto got = run_crashes(churn(1001));
  require_kept(got);
  CHECK(got.kills >= 20);
  CHECK(got.confirmed > 1000);
}

TEST_CASE("crashes lose nothing that waits for users who are away",
          "[offline]") {
  const auto got = run_crashes(offline(2002));
  require_kept(got);
  CHECK(got.kills >= 20);
  CHECK(got.confirmed > 1000);
}

TEST_CASE("crashes lose nothing while acknowledgements are due at once",
          "[retry]") {
  auto plan = churn(3003);
  plan.delivery = "ack_timeout = \"60ms\"\nmax_retries = 2\n"
                  "spill_after = \"5ms\"\nspill_max = \"20ms\"\n";
  const auto got = run_crashes(plan);
  require_kept(got);
  CHECK(got.kills >= 20);
  CHECK(got.confirmed > 1000);
}

TEST_CASE("shutdowns under load end in order and lose nothing", "[shutdown]") {
  auto plan = churn(4004);
  plan.signal = SIGTERM;
  plan.kills = 3;
  plan.least = std::chrono::milliseconds{1500};
  plan.most = std::chrono::milliseconds{2500};
  const auto got = run_crashes(plan);
  require_kept(got);
  CHECK(got.kills == 3);
  CHECK(got.confirmed > 1000);
}

TEST_CASE("crash tests see a server that confirms before it commits",
          "[fault-commit]") {
  require_red(offline, VARTALAP_EARLY_CONFIRM);
}

TEST_CASE("crash tests see a server that deletes what it has written",
          "[fault-delete]") {
  require_red(churn, VARTALAP_EARLY_DELETE);
}
