#include "net/reconnect_policy.hpp"

#include <catch2/catch.hpp>

using namespace vartalap;
using core::milliseconds;
using net::reconnect_policy;

TEST_CASE("reconnect_policy stays away after closes that mean a bug") {
  reconnect_policy policy(milliseconds{30'000});
  const unsigned code = GENERATE(1002U, 1003U, 1007U, 1009U, 4001U, 4009U);
  CHECK_FALSE(policy.after_close(code, "retry_after_ms=5", 0));
}

TEST_CASE("reconnect_policy waits as long as the server says") {
  reconnect_policy policy(milliseconds{30'000});
  const unsigned code = GENERATE(1001U, 1013U, 4008U, 4029U);
  CHECK(policy.after_close(code, "busy retry_after_ms=250", 9)
        == milliseconds{250});
  CHECK(policy.after_close(code, "", 9) == milliseconds{1000});
}

TEST_CASE("reconnect_policy grows its waits after losses, within bounds") {
  reconnect_policy policy(milliseconds{30'000});
  const std::uint64_t random = GENERATE(0U, 12345U, 249U);
  milliseconds before{0};
  for (int i = 0; i < 20; ++i) {
    const auto wait = policy.after_close(0, {}, random);
    REQUIRE(wait);
    CHECK(*wait >= milliseconds{500});
    CHECK(*wait <= milliseconds{30'000});
    if (before < milliseconds{20'000})
      CHECK(*wait > before);
    before = *wait;
  }
  CHECK(before == milliseconds{30'000});
  policy.opened();
  CHECK(*policy.after_close(0, {}, random) <= milliseconds{750});
}

TEST_CASE("reconnect_policy spreads clients by chance") {
  reconnect_policy a(milliseconds{30'000});
  reconnect_policy b(milliseconds{30'000});
  CHECK(a.after_failure(0, 0) != b.after_failure(0, 250));
}

TEST_CASE("reconnect_policy gives up where trying again is useless") {
  reconnect_policy policy(milliseconds{30'000});
  CHECK_FALSE(policy.after_failure(401, 0));
  CHECK_FALSE(policy.after_failure(403, 0));
  CHECK(policy.after_failure(429, 0));
  CHECK(policy.after_failure(503, 0));
  CHECK(policy.after_failure(0, 0));
}

TEST_CASE("reconnect_policy reads waits out of reasons") {
  CHECK(reconnect_policy::retry_after("retry_after_ms=0") == milliseconds{0});
  CHECK(reconnect_policy::retry_after("x retry_after_ms=99999999999")
        == milliseconds{600'000});
  CHECK_FALSE(reconnect_policy::retry_after("retry_after_ms=soon"));
  CHECK_FALSE(reconnect_policy::retry_after("going away"));
}
