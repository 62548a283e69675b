#include "load/latency_histogram.hpp"

#include <catch2/catch.hpp>

using vartalap::load::latency_histogram;

TEST_CASE("latency_histogram gives small values exactly") {
  latency_histogram h;
  for (std::uint64_t i = 1; i <= 1000; ++i)
    h.record(i);
  CHECK(h.count() == 1000);
  CHECK(h.percentile(50) == 500);
  CHECK(h.percentile(99.9) == 999);
  CHECK(h.percentile(100) == 1000);
  CHECK(h.percentile(0) == 1);
  CHECK(h.max() == 1000);
}

TEST_CASE("latency_histogram keeps every value within a thousandth") {
  const std::uint64_t value = GENERATE(0, 1, 2047, 2048, 2049, 4095, 4096,
                                       123'456, 9'999'999, 599'999'999);
  latency_histogram h;
  h.record(value);
  h.record(latency_histogram::longest_us);
  const auto got = h.percentile(50);
  CHECK(got >= value);
  CHECK(got - value <= value / 1000);
}

TEST_CASE("latency_histogram clips what is longer than ten minutes") {
  latency_histogram h;
  h.record(~std::uint64_t{0});
  CHECK(h.max() == latency_histogram::longest_us);
  CHECK(h.percentile(50) == latency_histogram::longest_us);
}

TEST_CASE("latency_histogram adds another") {
  latency_histogram a;
  latency_histogram b;
  a.record(10);
  b.record(30);
  b.record(20);
  a.add(b);
  CHECK(a.count() == 3);
  CHECK(a.percentile(50) == 20);
  CHECK(a.max() == 30);
}

TEST_CASE("latency_histogram is 0 while it is empty") {
  const latency_histogram h;
  CHECK(h.percentile(99) == 0);
  CHECK(h.max() == 0);
}
