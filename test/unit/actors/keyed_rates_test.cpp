#include "actors/keyed_rates.hpp"

#include <catch2/catch.hpp>

namespace vartalap::actors {

using namespace std::chrono_literals;

TEST_CASE("keyed_rates has a rate for each key") {
  keyed_rates rates(2, 3);
  const core::mono_time start{1h};
  for (int i = 0; i < 3; ++i)
    CHECK(rates.try_spend("a", 1, start) == 0us);
  const auto wait = rates.try_spend("a", 1, start);
  CHECK(wait >= 500ms);
  CHECK(wait < 501ms);
  CHECK(rates.try_spend("b", 3, start) == 0us);
  CHECK(rates.try_spend("a", 1, start + 499ms) > 0us);
  CHECK(rates.try_spend("a", 1, start + wait) == 0us);
}

TEST_CASE("keyed_rates without a rate lets everything pass") {
  keyed_rates rates(0, 1);
  for (int i = 0; i < 100; ++i)
    CHECK(rates.try_spend("a", 5, core::mono_time{1h}) == 0us);
}

TEST_CASE("keyed_rates forgets nobody who has spent, however many there are") {
  keyed_rates rates(0.001, 1);
  const core::mono_time start{1h};
  for (int i = 0; i < 5000; ++i)
    CHECK(rates.try_spend(std::to_string(i), 1, start) == 0us);
  for (int i = 0; i < 5000; ++i)
    CHECK(rates.try_spend(std::to_string(i), 1, start + 1s) > 0us);
}

} // namespace vartalap::actors
