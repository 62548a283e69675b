#include "core/recent_removals.hpp"

#include <catch2/catch.hpp>

namespace vartalap::core {

namespace {

constexpr mono_time start{std::chrono::seconds{100}};
const server_id first{5, 1};
const server_id second{6, 1};

} // namespace

TEST_CASE("recent_removals knows messages for ten seconds") {
  recent_removals seen;
  seen.note({"bob", first, {}, 0}, start);
  seen.note({"bob", second, {}, 0}, start + milliseconds{1});
  CHECK(seen.has(first));
  CHECK_FALSE(seen.has({7, 1}));
  seen.expire(start + recent_removals::keep_for);
  CHECK(seen.has(first));
  seen.expire(start + recent_removals::keep_for + milliseconds{1});
  CHECK_FALSE(seen.has(first));
  CHECK(seen.has(second));
  REQUIRE(seen.all().size() == 1);
  CHECK(seen.all()[0].serverid == second);
}

TEST_CASE("recent_removals keeps what was removed again as long as the last") {
  recent_removals seen;
  seen.note({"bob", first, {}, 0}, start);
  seen.note({"bob", first, {}, 0}, start + milliseconds{5000});
  seen.expire(start + recent_removals::keep_for + milliseconds{1});
  CHECK(seen.has(first));
  seen.expire(start + recent_removals::keep_for + milliseconds{5001});
  CHECK_FALSE(seen.has(first));
  CHECK(seen.size() == 0);
}

TEST_CASE("recent_removals knows a device's records from before its removal") {
  recent_removals seen;
  seen.note({"bob", {}, "phone", 2000}, start);
  CHECK(seen.removal_of({"bob", {"phone", 2000, {}, 0}}) != nullptr);
  CHECK(seen.removal_of({"bob", {"phone", 2001, {}, 0}}) == nullptr);
  CHECK(seen.removal_of({"bob", {"laptop", 1000, {}, 0}}) == nullptr);
  CHECK(seen.removal_of({"eve", {"phone", 1000, {}, 0}}) == nullptr);
  CHECK_FALSE(seen.has({}));
  seen.expire(start + recent_removals::keep_for + milliseconds{1});
  CHECK(seen.removal_of({"bob", {"phone", 1000, {}, 0}}) == nullptr);
}

} // namespace vartalap::core
