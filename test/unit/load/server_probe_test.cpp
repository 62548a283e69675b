#include "load/server_probe.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

using namespace vartalap::load;

TEST_CASE("server_probe reads the CPU time and memory of a process") {
  const auto before = cpu_ns_of(::getpid());
  REQUIRE(before);
  // Burn some: the figure must move.
  volatile std::uint64_t sink = 0;
  for (std::uint64_t i = 0; i < 50'000'000; ++i)
    sink = sink + i;
  const auto after = cpu_ns_of(::getpid());
  REQUIRE(after);
  CHECK(*after > *before);
  const auto pss = pss_bytes_of(::getpid());
  REQUIRE(pss);
  CHECK(*pss > 100'000);
}

TEST_CASE("server_probe knows when a process is not there") {
  // Above any pid_max.
  CHECK_FALSE(cpu_ns_of(1 << 30));
  CHECK_FALSE(pss_bytes_of(1 << 30));
}

TEST_CASE("server_probe adds a metric's samples up") {
  const std::string text = "# HELP vartalap_x_total things\n"
                           "# TYPE vartalap_x_total counter\n"
                           "vartalap_x_total{shard=\"0\"} 3\n"
                           "vartalap_x_total{shard=\"1 }\"} 4.5\n"
                           "vartalap_x_total_created 99\n"
                           "vartalap_y 7e3\n";
  CHECK(metric_of(text, "vartalap_x_total") == 7.5);
  CHECK(metric_of(text, "vartalap_y") == 7000);
  CHECK_FALSE(metric_of(text, "vartalap_z"));
}

TEST_CASE("server_probe adds nodes up, and gives no sum that lacks one") {
  const auto twice = look_at_server({::getpid(), ::getpid()}, {}, "");
  const auto once = look_at_server({::getpid()}, {}, "");
  REQUIRE(twice.pss_bytes);
  REQUIRE(once.pss_bytes);
  CHECK(*twice.pss_bytes > *once.pss_bytes + *once.pss_bytes / 2);
  const auto gone
    = look_at_server({::getpid(), 1 << 30}, {"http://127.0.0.1:1"}, "");
  CHECK_FALSE(gone.cpu_ns);
  CHECK_FALSE(gone.pss_bytes);
  CHECK_FALSE(gone.appended);
}

TEST_CASE("server_probe gets nothing where nobody listens") {
  CHECK_FALSE(http_get("http://127.0.0.1:1", "/metrics", ""));
  CHECK_FALSE(http_get("nonsense", "/metrics", ""));
}
