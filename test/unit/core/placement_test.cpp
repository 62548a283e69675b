#include "core/placement.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace vartalap::core {

namespace {

std::vector<std::string> names(std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back("n" + std::to_string(i));
  return out;
}

} // namespace

TEST_CASE("placement spreads homes and backups evenly") {
  const auto count = GENERATE(3U, 5U, 10U);
  const placement where{names(count)};
  for (std::size_t place = 0; place < std::min<std::size_t>(count, 3);
       ++place) {
    std::vector<std::size_t> owned(count);
    for (std::size_t b = 0; b < bucket_count; ++b)
      ++owned[where.line(static_cast<bucket_id>(b))[place]];
    const double mean = static_cast<double>(bucket_count) / count;
    for (const auto each : owned)
      CHECK(static_cast<double>(each) == Approx(mean).epsilon(0.05));
  }
}

TEST_CASE("placement moves only what a new node takes") {
  const placement before{names(4)};
  const placement after{names(5)};
  const auto fresh = after.find("n4");
  for (std::size_t b = 0; b < bucket_count; ++b) {
    const auto bucket = static_cast<bucket_id>(b);
    std::vector<std::string> left;
    for (const auto node : after.line(bucket))
      if (node != fresh)
        left.push_back(after.members()[node]);
    std::vector<std::string> old;
    for (const auto node : before.line(bucket))
      old.push_back(before.members()[node]);
    REQUIRE(left == old);
  }
}

TEST_CASE("placement of one node gives it everything") {
  const placement where{{"only"}};
  for (std::size_t b = 0; b < bucket_count; ++b) {
    const auto line = where.line(static_cast<bucket_id>(b));
    REQUIRE(line.size() == 1);
    REQUIRE(line[0] == 0);
  }
  CHECK(where.holders(7, 2).size() == 1);
}

TEST_CASE("placement does not depend on the order of its members") {
  const placement a{{"x", "y", "z"}};
  const placement b{{"z", "x", "y"}};
  CHECK(a.hash() == b.hash());
  CHECK(a.members() == b.members());
  CHECK(a.hash() != placement{{"x", "y"}}.hash());
}

TEST_CASE("placement tells a node's place in line") {
  const placement where{names(10)};
  const auto line = where.line(42);
  REQUIRE(line.size() == placement::line_max);
  for (std::size_t i = 0; i < line.size(); ++i)
    CHECK(where.rank(42, line[i]) == i);
  for (node_index node = 0; node < 10; ++node)
    if (std::find(line.begin(), line.end(), node) == line.end())
      CHECK(where.rank(42, node) == placement::line_max);
  CHECK(where.find("n3") == 3);
  CHECK(where.find("m") == no_node);
}

} // namespace vartalap::core
