#include "core/token_bucket.hpp"

#include <catch2/catch.hpp>

namespace vartalap::core {

using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1h};

} // namespace

TEST_CASE("token_bucket gives its burst and then its rate") {
  token_bucket bucket{10, 3, start};
  CHECK(bucket.take(3, start));
  CHECK_FALSE(bucket.take(1, start));
  CHECK(bucket.wait_for(1, start) >= 100ms);
  CHECK(bucket.wait_for(1, start) < 101ms);
  CHECK_FALSE(bucket.take(1, start + 99ms));
  const auto later = start + 99ms + bucket.wait_for(1, start + 99ms);
  CHECK(bucket.take(1, later));
  CHECK_FALSE(bucket.take(1, later));
  CHECK(bucket.take(3, start + 1h)); // never more than the burst
  CHECK_FALSE(bucket.take(1, start + 1h));
}

TEST_CASE("token_bucket lets through what is larger than its burst") {
  token_bucket bucket{10, 3, start};
  CHECK(bucket.take(5, start));
  CHECK_FALSE(bucket.take(1, start + 200ms));
  CHECK(bucket.take(1, start + 301ms));
}

TEST_CASE("token_bucket owes what was forced") {
  token_bucket bucket{10, 3, start};
  bucket.force(5, start);
  CHECK(bucket.wait_for(1, start) >= 300ms);
  CHECK(bucket.wait_for(1, start - 1h) >= 300ms); // time never goes back
}

TEST_CASE("token_bucket of rate zero has no limit") {
  token_bucket bucket{0, 0, start};
  CHECK(bucket.take(1e9, start));
  CHECK(bucket.wait_for(1e9, start) == 0us);
}

TEST_CASE("token_bucket waits one hour at most") {
  token_bucket bucket{1e-9, 1, start};
  CHECK(bucket.take(1, start));
  CHECK(bucket.wait_for(1, start) == 1h);
}

} // namespace vartalap::core
