#include "runtime/units_text.hpp"

#include <catch2/catch.hpp>

namespace vartalap::runtime {

namespace {

std::int64_t duration(std::string_view text) {
  std::string problem;
  return parse_duration(text, problem).value_or(-1);
}

std::int64_t size(std::string_view text) {
  std::string problem;
  return parse_size(text, problem).value_or(-1);
}

std::string address_problem(std::string_view text) {
  std::string problem;
  CHECK_FALSE(parse_address(text, problem));
  return problem;
}

} // namespace

TEST_CASE("units_text reads durations in every unit as microseconds") {
  CHECK(duration("250us") == 250);
  CHECK(duration("50ms") == 50'000);
  CHECK(duration("5s") == 5'000'000);
  CHECK(duration("10m") == 600'000'000);
  CHECK(duration("2h") == 7'200'000'000);
  CHECK(duration("30d") == 2'592'000'000'000);
  CHECK(duration("0s") == 0);
}

TEST_CASE("units_text refuses what is no duration and says how to write one") {
  for (const auto* bad : {"", "5", "s", "-5s", "5 s", "5sec", "5.5s", "0x5s",
                          "99999999999999999999s", "9223372036854775807d"}) {
    std::string problem;
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad, problem));
    CHECK(problem.find("\"5s\"") != std::string::npos);
  }
}

TEST_CASE("units_text reads sizes in every unit and plain bytes") {
  CHECK(size("512B") == 512);
  CHECK(size("64KiB") == 65'536);
  CHECK(size("1MiB") == 1'048'576);
  CHECK(size("1GiB") == 1'073'741'824);
  CHECK(size("2TiB") == 2'199'023'255'552);
  CHECK(size("100") == 100);
  CHECK(size("64KB") == -1);
  CHECK(size("8388608TiB") == -1);
}

TEST_CASE("units_text writes the largest unit that leaves no rest") {
  CHECK(format_duration(90'000'000) == "90s");
  CHECK(format_duration(7'200'000'000) == "2h");
  CHECK(format_duration(1) == "1us");
  CHECK(format_duration(0) == "0s");
  CHECK(format_size(65'536) == "64KiB");
  CHECK(format_size(65'537) == "65537B");
  CHECK(format_size(0) == "0B");
  for (const std::int64_t value : {1LL, 999LL, 1000LL, 86'400'000'000LL})
    CHECK(duration(format_duration(value)) == value);
}

TEST_CASE("units_text reads addresses of both families") {
  std::string problem;
  CHECK(parse_address("127.0.0.1:8080", problem)
        == socket_address{"127.0.0.1", 8080});
  CHECK(parse_address("[::1]:80", problem) == socket_address{"::1", 80});
  CHECK(parse_address("localhost:0", problem)
        == socket_address{"localhost", 0});
  CHECK(format_address({"::1", 80}) == "[::1]:80");
  CHECK(format_address({"127.0.0.1", 80}) == "127.0.0.1:80");
}

TEST_CASE("units_text says what is wrong with an address") {
  CHECK(address_problem("127.0.0.1").find("has no port") != std::string::npos);
  CHECK(address_problem("::1:80").find("brackets") != std::string::npos);
  CHECK(address_problem("[127.0.0.1]:80").find("brackets")
        != std::string::npos);
  CHECK(address_problem("chat.example.org:80").find("IP address")
        != std::string::npos);
  for (const auto* bad :
       {"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8o", "127.0.0.1:-1", ":80"})
    CHECK_FALSE(address_problem(bad).empty());
}

TEST_CASE("units_text knows loopback and wildcard addresses") {
  for (const auto* host : {"127.0.0.1", "127.255.255.254", "::1", "localhost"})
    CHECK(is_loopback(host));
  for (const auto* host : {"0.0.0.0", "128.0.0.1", "10.0.0.1", "::", "fe80::1"})
    CHECK_FALSE(is_loopback(host));
  CHECK(is_wildcard("0.0.0.0"));
  CHECK(is_wildcard("::"));
  CHECK_FALSE(is_wildcard("127.0.0.1"));
}

} // namespace vartalap::runtime
