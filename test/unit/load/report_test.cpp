#include "load/report.hpp"

#include <catch2/catch.hpp>

using namespace vartalap::load;

namespace {

report report_of(const measured_window& window,
                 std::vector<std::unique_ptr<shard_stats>>& stats) {
  load_options options;
  options.urls = {"ws://10.99.0.1:8080", "ws://10.99.0.2:8080"};
  return make_report(options, 7, verdict{}, window, stats, {});
}

std::vector<std::unique_ptr<shard_stats>> two_shards() {
  std::vector<std::unique_ptr<shard_stats>> stats;
  stats.push_back(std::make_unique<shard_stats>());
  stats.push_back(std::make_unique<shard_stats>());
  return stats;
}

} // namespace

TEST_CASE("report names durabilities as the protocol does") {
  CHECK(durability_name(0) == "memory");
  CHECK(durability_name(1) == "disk");
  CHECK(durability_name(2) == "disk+1");
  CHECK(durability_name(3) == "disk+2");
  CHECK(durability_name(255) == "written");
}

TEST_CASE("report adds up what shards know of several nodes") {
  auto stats = two_shards();
  stats[0]->moves = 3;
  stats[1]->moves = 4;
  stats[0]->durabilities[2] = 10;
  stats[1]->durabilities[2] = 5;
  stats[1]->durabilities[1] = 1;
  stats[0]->refusals["unavailable"] = 2;
  stats[0]->unserved.record(1'000);
  stats[1]->unserved.record(3'000'000);
  const measured_window window;
  const auto got = report_of(window, stats);
  CHECK(got.nodes == 2);
  CHECK(got.moves == 7);
  CHECK(got.durabilities.at("disk+1") == 15);
  CHECK(got.durabilities.at("disk") == 1);
  CHECK(got.unserved.count == 2);
  CHECK(got.unserved.max == 3'000'000);
  const auto json = to_json(got);
  CHECK(json.find("\"moves\":7") != std::string::npos);
  CHECK(json.find("\"durabilities\":{\"disk\":1,\"disk+1\":15}")
        != std::string::npos);
  CHECK(json.find("\"refusals\":{\"unavailable\":2}") != std::string::npos);
  CHECK(to_text(got).find("disk: 1, disk+1: 15") != std::string::npos);
}

TEST_CASE("report tells how long it took until everything had arrived") {
  auto stats = two_shards();
  measured_window window;
  window.begin_us = 1'000'000;
  window.end_us = 5'000'000;
  CHECK_FALSE(report_of(window, stats).settled_seconds);
  CHECK(to_json(report_of(window, stats)).find("\"settled_seconds\":null")
        != std::string::npos);
  window.settled_us = 7'500'000;
  CHECK(report_of(window, stats).settled_seconds == 2.5);
}
