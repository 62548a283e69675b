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

// Empty, or what was broken and how it came to that.
std::string story_of(std::uint64_t seed) {
  mailbox_world world{seed};
  try {
    world.run(commands_of(seed));
    world.settle();
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
  for (auto seed = first; seed < first + count; ++seed) {
    const auto story = story_of(seed);
    INFO(story);
    REQUIRE(story.empty());
  }
}

} // namespace vartalap::test
