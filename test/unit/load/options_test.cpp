#include "load/options.hpp"

#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>

using namespace vartalap;
using namespace vartalap::load;

namespace {

load_options parse(const std::string& line) {
  CLI::App app;
  load_options options;
  add_load_options(app, options);
  app.parse(line);
  return options;
}

} // namespace

TEST_CASE("load options are read from a command line") {
  const auto o
    = parse("--scenario churn --users 50 --rate 1000 --duration 1.5s --warmup "
            "250ms --ack false --no-then-drain --expect-restarts --url "
            "ws://[::1]:9 --url ws://127.0.0.1:8081");
  CHECK(o.scenario == scenario::churn);
  CHECK(o.users == 50);
  CHECK(o.rate == 1000);
  CHECK(o.duration == core::milliseconds{1500});
  CHECK(o.warmup == core::milliseconds{250});
  CHECK_FALSE(o.ack);
  CHECK_FALSE(o.then_drain);
  CHECK(o.expect_restarts);
  CHECK(o.urls.size() == 2);
  CHECK(problem_of(o).empty());
}

TEST_CASE("load options refuse unknown scenarios and durations") {
  CHECK_THROWS_AS(parse("--scenario nonsense"), CLI::ParseError);
  CHECK_THROWS_AS(parse("--duration 5parsecs"), CLI::ParseError);
}

TEST_CASE("load options name what does not fit together") {
  load_options o;
  CHECK(problem_of(o).empty());
  SECTION("both loops") {
    o.rate = 5;
    o.inflight = 5;
    CHECK(problem_of(o).find("--inflight") != std::string::npos);
  }
  SECTION("a closed loop without confirmations") {
    o.ack = false;
    CHECK(problem_of(o).find("--ack") != std::string::npos);
  }
  SECTION("nobody to receive") {
    o.senders = o.users;
    CHECK(problem_of(o).find("--senders") != std::string::npos);
  }
  SECTION("a content too small to check") {
    o.size = 31;
    CHECK(problem_of(o).find("--size") != std::string::npos);
    o.size = 32;
    CHECK(problem_of(o).empty());
  }
  SECTION("no URL") {
    o.urls = {"127.0.0.1:8080"};
    CHECK(problem_of(o).find("ws://") != std::string::npos);
  }
}

TEST_CASE("load options name several nodes") {
  const auto o = parse("--url ws://10.99.0.1:8080 --url ws://10.99.0.2:8080 "
                       "--pid 11 --pid 12 --admin http://10.99.0.1:9080 "
                       "--admin http://10.99.0.2:9080 --move 500ms..2s "
                       "--settle 15s");
  CHECK(o.urls.size() == 2);
  CHECK(o.pids == std::vector{11, 12});
  CHECK(o.admins.size() == 2);
  CHECK(o.move.least == core::milliseconds{500});
  CHECK(o.move.most == core::milliseconds{2000});
  CHECK(o.settle == core::milliseconds{15'000});
  CHECK(problem_of(o).empty());
  auto wrong = o;
  wrong.admins.push_back("10.99.0.3:9080");
  CHECK(problem_of(wrong).find("10.99.0.3:9080") != std::string::npos);
}

TEST_CASE("load ranges go from the lesser to the greater") {
  duration_range range;
  REQUIRE(parse_range("5s..20s", range));
  CHECK(range.least == core::milliseconds{5000});
  CHECK(range.most == core::milliseconds{20'000});
  REQUIRE(parse_range("1s..1s", range));
  CHECK_FALSE(parse_range("20s..5s", range));
  CHECK_FALSE(parse_range("0s..0s", range));
  CHECK_FALSE(parse_range("5s", range));
  CHECK_FALSE(parse_range("5s..", range));
}

TEST_CASE("load URLs are read") {
  target_url url;
  REQUIRE(parse_url("ws://127.0.0.1:8080/wss", url));
  CHECK(url.host == "127.0.0.1");
  CHECK(url.port == 8080);
  CHECK(url.path == "/wss");
  REQUIRE(parse_url("http://[::1]:9080", url));
  CHECK(url.host == "::1");
  CHECK(url.port == 9080);
  CHECK(url.path.empty());
  REQUIRE(parse_url("ws://localhost", url));
  CHECK(url.port == 80);
  CHECK_FALSE(parse_url("wss://127.0.0.1:1", url));
  CHECK_FALSE(parse_url("ws://127.0.0.1:x", url));
  CHECK_FALSE(parse_url("ws://:1", url));
}

TEST_CASE("load durations have units") {
  core::milliseconds d{};
  REQUIRE(parse_duration("2", d));
  CHECK(d == core::milliseconds{2000});
  REQUIRE(parse_duration("2m", d));
  CHECK(d == core::milliseconds{120'000});
  CHECK_FALSE(parse_duration("-1s", d));
  CHECK_FALSE(parse_duration("s", d));
}
