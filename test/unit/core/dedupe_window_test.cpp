#include "core/dedupe_window.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <random>

namespace vartalap::core {

using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1h};

dedupe_key key(std::uint64_t n) {
  return {n, n};
}

} // namespace

TEST_CASE("dedupe_window keeps what is pending for ever") {
  dedupe_window window{1s, 10};
  window.insert(key(1), {{1, 1}});
  window.expire(start + 24h);
  REQUIRE(window.find(key(1)) != nullptr);
  CHECK(window.find(key(1))->serverid == server_id{1, 1});
  CHECK(window.find(key(2)) == nullptr);
}

TEST_CASE("dedupe_window keeps what is finished for the rest of its time") {
  dedupe_window window{10s, 10};
  window.insert(key(1), {{1, 1}});
  window.release(key(1), start, start + 4s);
  window.expire(start + 10s - 1us);
  CHECK(window.find(key(1)) != nullptr);
  window.expire(start + 10s);
  CHECK(window.find(key(1)) == nullptr);

  window.insert(key(2), {{2, 1}});
  window.release(key(2), start, start + 10s); // over already
  CHECK(window.size() == 0);
}

TEST_CASE("dedupe_window forgets the oldest of too many finished ids") {
  dedupe_window window{10s, 2};
  for (std::uint64_t i = 1; i <= 3; ++i) {
    window.insert(key(i), {{i, 1}});
    window.release(key(i), start, start);
  }
  CHECK(window.find(key(1)) == nullptr);
  CHECK(window.find(key(2)) != nullptr);
  CHECK(window.find(key(3)) != nullptr);
}

TEST_CASE("dedupe_window keeps an id that is pending again") {
  dedupe_window window{10s, 10};
  window.insert(key(1), {{1, 1}});
  window.release(key(1), start, start);
  window.insert(key(1), {{2, 1}});
  window.expire(start + 1h);
  REQUIRE(window.find(key(1)) != nullptr);
  CHECK(window.find(key(1))->serverid == server_id{2, 1});
  window.erase(key(1));
  CHECK(window.find(key(1)) == nullptr);
}

TEST_CASE("dedupe_window agrees with a plain map") {
  // Few fingerprints, so that runs of the table form, wrap and heal.
  std::mt19937_64 random{1};
  dedupe_window window{1h, 50};
  std::map<std::uint64_t, std::uint64_t> pinned; // key to serverid
  std::map<std::uint64_t, std::uint64_t> finished;
  std::deque<std::uint64_t> order;
  for (std::uint64_t step = 1; step < 100'000; ++step) {
    const auto n = random() % 200;
    const dedupe_key k{n % 40 * 7, n};
    switch (random() % 4) {
      case 0:
        window.insert(k, {{step, 1}});
        pinned[n] = step;
        std::erase(order, n);
        finished.erase(n);
        break;
      case 1:
        window.release(k, start, start);
        if (pinned.count(n) > 0) {
          finished[n] = pinned[n];
          pinned.erase(n);
          order.push_back(n);
          if (order.size() > 50) {
            finished.erase(order.front());
            order.pop_front();
          }
        }
        break;
      case 2:
        window.erase(k);
        pinned.erase(n);
        finished.erase(n);
        std::erase(order, n);
        break;
      default:
        break;
    }
    REQUIRE(window.size() == pinned.size() + finished.size());
    const auto* found = window.find(k);
    const auto known = pinned.count(n) + finished.count(n);
    REQUIRE((found != nullptr) == (known == 1));
    if (found != nullptr) {
      REQUIRE(found->serverid.high
              == (pinned.count(n) > 0 ? pinned[n] : finished[n]));
    }
  }
}

} // namespace vartalap::core
