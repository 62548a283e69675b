#include "core/newest_by_sender.hpp"

#include <catch2/catch.hpp>

namespace vartalap::core {

TEST_CASE("newest_by_sender knows each sender's newest") {
  newest_by_sender seen;
  CHECK(seen.of(1) == 0);
  seen.note(1, 10);
  seen.note(2, 20);
  seen.note(1, 5);
  CHECK(seen.of(1) == 10);
  CHECK(seen.of(2) == 20);
  CHECK(seen.of(3) == 0);
}

TEST_CASE("newest_by_sender is never too early for senders it gave up") {
  newest_by_sender seen;
  constexpr auto kept = newest_by_sender::kept_max;
  for (std::uint64_t i = 0; i <= kept; ++i)
    seen.note(i, 100 - i);
  CHECK(seen.of(0) == 100); // given up
  CHECK(seen.of(1) == 99);
  CHECK(seen.of(77) == 100);
  seen.note(0, 3);
  CHECK(seen.of(0) == 100);
}

} // namespace vartalap::core
