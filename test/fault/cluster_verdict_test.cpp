#include "test/fault/cluster_verdict.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace vartalap::fault;

namespace {

const std::string report
  = R"({"confirmed":100,"unconfirmed":1,"refused":2,"lost":3,"unexpected":4,)"
    R"("duplicated":5,"duplicated_raw":6,"reordered":7,"gave_up":8,"moves":9,)"
    R"("reconnects":10,"confirm_us":{"p50":1,"p99":11},)"
    R"("unserved_us":{"p50":1,"max":12},"settled_seconds":1.5,)"
    R"("refusals":{"unavailable":13},"durabilities":{"disk+1":14}})";

const std::string m1 = "message\t7\tbob\t01\t-\n";
const std::string m1_acked = "message\t7\tbob\t01\tphone\n";
const std::string m2 = "message\t7\tbob\t02\t-\n";
const std::string d1 = "device\t7\tbob\tphone\n";
const std::string m1_gone = "removal\t7\tbob\tmessage\t01\n";
const std::string d1_gone = "removal\t7\tbob\tdevice\tphone\n";
const std::string other = "device\t9\tann\tphone\n";

} // namespace

TEST_CASE("verdict is read from the load tester's report") {
  const auto v = read_verdict(report);
  CHECK(v.confirmed == 100);
  CHECK(v.lost == 3);
  CHECK(v.unexpected == 4);
  CHECK(v.duplicated == 5);
  CHECK(v.reordered == 7);
  CHECK(v.confirm_p99_us == 11);
  CHECK(v.unserved_max_us == 12);
  CHECK(v.settled_seconds == 1.5);
  CHECK(v.refusals.at("unavailable") == 13);
  CHECK(v.durabilities.at("disk+1") == 14);
  CHECK(summary(v).find("3 lost") != std::string::npos);
}

TEST_CASE("verdict tells what a report lacks") {
  CHECK_THROWS_AS(read_verdict(""), std::runtime_error);
  CHECK_THROWS_AS(read_verdict("{}"), std::runtime_error);
  auto never = report;
  never.replace(never.find("1.5"), 3, "null");
  CHECK_FALSE(read_verdict(never).settled_seconds);
  auto unjudged = report;
  unjudged.replace(unjudged.find("\"lost\":3"), 8, "\"lost\":null");
  CHECK_THROWS_AS(read_verdict(unjudged), std::runtime_error);
}

TEST_CASE("copies are equal where every record is at as many nodes as it "
          "should be") {
  CHECK(compare_copies({m1 + m2 + d1, m1 + m2 + d1}, 2).empty());
  CHECK(compare_copies({m1 + d1, m1 + d1 + other, other}, 2).empty());
  CHECK(compare_copies({"", ""}, 2).empty());
}

TEST_CASE("copies that differ are named") {
  CHECK(compare_copies({m1 + m2, m1}, 2).size() == 1);
  CHECK(compare_copies({m1, m1, m1}, 2).size() == 1);
  const auto acks = compare_copies({m1, m1_acked}, 2);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].find("phone") != std::string::npos);
  // One bucket, two sets of holders.
  CHECK(compare_copies({m1 + m2, m1, m2}, 2).size() == 1);
  CHECK_THROWS_AS(compare_copies({"nonsense\n"}, 1), std::runtime_error);
}

TEST_CASE("removals may differ, but not stand beside what they removed") {
  CHECK(compare_copies({m2 + m1_gone, m2}, 2).empty());
  CHECK(compare_copies({m2 + d1_gone, m2 + m1_gone + d1_gone}, 2).empty());
  // At another node it may not have been heard of yet: that it lacks copies,
  // or has too many, is told already.
  CHECK(compare_copies({m1, m1, m1_gone}, 2).empty());
  const auto risen = compare_copies({m1, m1_acked + m1_gone}, 1);
  REQUIRE_FALSE(risen.empty());
  CHECK(risen[0].find("n2 has removed and still has") == 0);
  // A device may come again.
  CHECK(compare_copies({d1, d1 + d1_gone}, 2).empty());
}

TEST_CASE("copies are counted and looked for by serverId") {
  CHECK(count_messages({m1 + m2 + d1, m1_acked}) == 2);
  CHECK(count_messages({m1_gone, m2}) == 1);
  CHECK(missing_from({m1_gone}, {"01"}).size() == 1);
  CHECK(missing_from({m1, m2}, {"01", "02"}).empty());
  CHECK(missing_from({m1}, {"01", "02"}) == std::vector<std::string>{"02"});
}
