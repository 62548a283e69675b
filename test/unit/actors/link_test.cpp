#include "test/unit/actors/link_rig.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

using namespace vartalap;
using test::link_node;

namespace {

core::wall_ms wall_now() {
  return static_cast<core::wall_ms>(
    std::chrono::duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
}

std::filesystem::path folder() {
  return std::filesystem::temp_directory_path()
         / ("vartalap_link_" + std::to_string(::getpid()));
}

/// Two nodes that are not linked yet.
struct pair_of_nodes {
  link_node one{test::secret_settings("n1"), folder()};
  link_node two{test::secret_settings("n2"), folder()};

  void link_up() {
    two.start("n1", one.address());
    // A node listens once it has started: n2 first, which does not dial.
    one.start("n2", two.address());
    REQUIRE(one.up.wait());
    REQUIRE(two.up.wait());
  }

  /// Sends messages over the link and waits for their confirmations.
  /// @returns The greatest serverId.
  core::server_id cross(std::size_t count) {
    test::event all;
    std::size_t left = count;
    core::server_id greatest;
    for (std::size_t i = 0; i < count; ++i)
      one.submit({test::message_of(200, i)},
                 [&](const core::effect::confirm& how) {
                   greatest = std::max(greatest, how.serverid);
                   if (--left == 0)
                     all.set();
                 });
    REQUIRE(all.wait());
    return greatest;
  }
};

} // namespace

TEST_CASE("link carries messages there and their confirmations back") {
  pair_of_nodes both;
  both.link_up();
  both.cross(2000);
  const auto seen = both.one.figures();
  CHECK(seen.up);
  CHECK(seen.unanswered == 0);
  CHECK(seen.channel.items_out == 2000);
  CHECK(seen.channel.items_in == 2000);
  // One after the other they would be 2000 blobs; 2 ms gathers many.
  CHECK(seen.channel.blobs_out < 1000);
}

TEST_CASE("link gives back what still comes when another one takes its place") {
  pair_of_nodes both;
  both.link_up();
  both.cross(10);
  both.one.replace_link();
  both.cross(10);
  CHECK_FALSE(both.one.figures().up);
  CHECK(both.one.figures().given_back == 10);
}

TEST_CASE("link that was never up is not lost: routers are to try it again") {
  pair_of_nodes both;
  both.two.start("n1", both.one.address());
  both.one.prepare("n2", both.two.address());
  both.cross(1); // given back, and confirmed by the router here
  CHECK_FALSE(both.one.lost);
  both.one.open_link();
  REQUIRE(both.one.up.wait());
  both.cross(1);
}

TEST_CASE("link keeps copies until it comes up for the first time") {
  pair_of_nodes both;
  both.two.start("n1", both.one.address());
  both.one.prepare("n2", both.two.address());
  both.one.copy(storage::op::put{test::message_of(200, 1), {}, false});
  CHECK_FALSE(both.one.figures().up);
  both.one.open_link();
  CHECK(both.one.copied.wait());
}

TEST_CASE("link tells its peer that it leaves, which tries again soon") {
  pair_of_nodes both;
  both.link_up();
  both.two.replace_link();
  // Not after the 12 s that greeting may take.
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds{8};
  std::string problem;
  while (problem.find("another member list") == std::string::npos
         && std::chrono::steady_clock::now() < soon)
    problem = both.one.figures().problem;
  CHECK(problem.find("it is just leaving") != std::string::npos);
}

TEST_CASE("link refuses a node that speaks another version, and says why") {
  pair_of_nodes both;
  both.one.version = core::link_channel::version - 1;
  both.two.start("n1", both.one.address());
  both.one.start("n2", both.two.address());
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds{8};
  std::string problem;
  while (problem.find("another version") == std::string::npos
         && std::chrono::steady_clock::now() < soon)
    problem = both.one.figures().problem;
  CHECK(problem.find("the peer refuses: another version") != std::string::npos);
  CHECK_FALSE(both.one.figures().up);
  CHECK_FALSE(both.two.figures().up);
  CHECK(both.two.log.text().find("refused: another version")
        != std::string::npos);
}

TEST_CASE("link moves a node past the clock of its peer") {
  pair_of_nodes both;
  const auto ahead = (wall_now() + 600'000) << 16;
  both.one.clock().raise(ahead);
  both.link_up();
  // What comes after a message gets a later time than what came before it.
  CHECK(both.cross(1).high > ahead);
  CHECK(both.two.clock().read(0) > ahead);
  CHECK(both.two.log.text().empty());
}

TEST_CASE("link does not follow a clock that is absurdly ahead") {
  pair_of_nodes both;
  both.one.clock().raise((wall_now() + 2 * 3'600'000) << 16);
  both.link_up();
  const auto given = both.cross(1);
  CHECK(given.clock_ms() <= wall_now());
  CHECK(both.two.log.text().find("s ahead of ours") != std::string::npos);
}
