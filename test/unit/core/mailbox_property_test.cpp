#include "test/unit/core/mailbox_world.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace vartalap::test {

namespace {

// How many worlds, and from which seed on: VARTALAP_SEED=123 runs that one.
constexpr std::uint64_t worlds = 20'000;

int commands_of(std::uint64_t seed) {
  return 20 + static_cast<int>(seed % 120);
}

// What must have happened somewhere, or the worlds prove little.
struct totals {
  std::uint64_t acknowledged = 0;
  std::uint64_t refused = 0;
  std::uint64_t expired = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t undelivered = 0;
  std::uint64_t confirmed_memory = 0;
  std::uint64_t confirmed_disk = 0;

  void add(const core::mailbox_counters& x) {
    acknowledged += x.acknowledged;
    refused += x.refused;
    expired += x.expired;
    quarantined += x.quarantined;
    cancelled += x.cancelled;
    duplicates += x.duplicates;
    redelivered += x.redelivered;
    undelivered += x.undelivered;
    confirmed_memory += x.confirmed_memory;
    confirmed_disk += x.confirmed_disk;
  }
};

// Empty, or what was broken and how it came to that.
std::string story_of(std::uint64_t seed, totals& seen) {
  mailbox_world world{seed};
  try {
    world.run(commands_of(seed));
    world.settle();
    seen.add(world.counters());
    return {};
  } catch (const std::exception& broken) {
    std::string story = "seed " + std::to_string(seed) + ": " + broken.what();
    for (const auto& line : world.log()) {
      story += "\n  " + line;
    }
    return story;
  }
}

} // namespace

TEST_CASE("mailbox keeps its promises whatever happens") {
  std::uint64_t first = 1;
  std::uint64_t count = worlds;
  if (const char* seed = std::getenv("VARTALAP_SEED")) {
    first = std::stoull(seed);
    count = 1;
  }
  totals seen;
  for (auto seed = first; seed < first + count; ++seed) {
    const auto story = story_of(seed, seen);
    INFO(story);
    REQUIRE(story.empty());
  }
  if (count == worlds) {
    CHECK(seen.acknowledged > 100'000);
    CHECK(seen.refused > 1'000);
    CHECK(seen.expired > 1'000);
    CHECK(seen.quarantined > 100);
    CHECK(seen.cancelled > 1'000);
    CHECK(seen.duplicates > 1'000);
    CHECK(seen.redelivered > 1'000);
    CHECK(seen.undelivered > 1'000);
    CHECK(seen.confirmed_memory > 1'000);
    CHECK(seen.confirmed_disk > 1'000);
  }
}

} // namespace vartalap::test
