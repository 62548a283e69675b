#include "net/timer_wheel.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <vector>

using namespace vartalap;
using core::milliseconds;
using core::mono_time;

namespace {

const mono_time start{std::chrono::hours{1}};

class noted_timer final : public net::timer_node {
public:
  explicit noted_timer(std::function<void(mono_time)> body)
    : body_(std::move(body)) {
  }

private:
  void on_timer(mono_time now) override {
    body_(now);
  }
  std::function<void(mono_time)> body_;
};

} // namespace

TEST_CASE("timer_wheel fires at the deadline or a tick later, never early") {
  for (const auto after : {1, 5, 7, 50, 20'475, 20'480, 100'000}) {
    std::vector<mono_time> fired;
    noted_timer timer([&fired](mono_time now) { fired.push_back(now); });
    net::timer_wheel own(start);
    own.arm(timer, start + milliseconds(after));
    for (auto now = start; fired.empty() && now < start + milliseconds(200'000);
         now += milliseconds(1))
      own.advance(now);
    REQUIRE(fired.size() == 1);
    CHECK(fired.front() >= start + milliseconds(after));
    CHECK(fired.front()
          <= start + milliseconds(after) + net::timer_wheel::tick);
    CHECK(own.size() == 0);
  }
}

TEST_CASE("timer_wheel says no later than the next deadline when to look") {
  net::timer_wheel wheel(start);
  CHECK(wheel.next() == mono_time::max());
  noted_timer near([](mono_time) {});
  noted_timer far([](mono_time) {});
  wheel.arm(far, start + milliseconds(19'000));
  CHECK(wheel.next() <= start + milliseconds(19'005));
  CHECK(wheel.next() > start + milliseconds(18'000));
  wheel.arm(near, start + milliseconds(40));
  CHECK(wheel.next() <= start + milliseconds(45));
  wheel.cancel(near);
  CHECK(wheel.next() > start + milliseconds(18'000));
  wheel.cancel(far);
  CHECK(wheel.next() == mono_time::max());
}

TEST_CASE("timer_wheel lets a timer arm, cancel and destroy others") {
  net::timer_wheel wheel(start);
  int again = 0;
  bool cancelled_fired = false;
  bool destroyed_fired = false;
  noted_timer cancelled([&](mono_time) { cancelled_fired = true; });
  auto destroyed
    = std::make_unique<noted_timer>([&](mono_time) { destroyed_fired = true; });
  noted_timer* self = nullptr;
  noted_timer first([&](mono_time now) {
    wheel.cancel(cancelled);
    destroyed.reset();
    if (++again < 3)
      wheel.arm(*self, now);
  });
  self = &first;
  // All are due in one slot; the list is newest first.
  wheel.arm(cancelled, start + milliseconds(5));
  wheel.arm(*destroyed, start + milliseconds(5));
  wheel.arm(first, start + milliseconds(5));
  for (int i = 1; i <= 10; ++i)
    wheel.advance(start + milliseconds(5 * i));
  CHECK(again == 3);
  CHECK_FALSE(cancelled_fired);
  CHECK_FALSE(destroyed_fired);
  CHECK(wheel.size() == 0);
}

TEST_CASE("timer_wheel catches up after a long sleep") {
  net::timer_wheel wheel(start);
  int fired = 0;
  std::vector<std::unique_ptr<noted_timer>> timers;
  for (int i = 0; i < 1000; ++i) {
    timers.push_back(
      std::make_unique<noted_timer>([&fired](mono_time) { ++fired; }));
    wheel.arm(*timers.back(), start + milliseconds(i * 37));
  }
  wheel.advance(start + std::chrono::hours{24});
  CHECK(fired == 1000);
}
