#include "net/shard_team.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace vartalap;

namespace {

/// Runs something on its shard every millisecond until it says false or is
/// stopped.
struct ticker final : net::timer_node {
  explicit ticker(net::shard& s) : home(s) {
  }
  void start() {
    home.post([this] { on_timer(home.now()); });
  }
  /// From outside, before the shard ends: a timer belongs to its shard.
  void stop() {
    std::promise<void> done;
    home.post([&] {
      home.timers().cancel(*this);
      done.set_value();
    });
    done.get_future().get();
  }
  void on_timer(core::mono_time now) override {
    if (tick())
      home.timers().arm(*this, now + core::milliseconds{1});
  }
  net::shard& home;
  std::function<bool()> tick = [] { return true; };
};

/// Three shards and their threads.
struct fixture {
  static net::sharing_policy quick() {
    net::sharing_policy out;
    out.look = core::milliseconds{2};
    out.settled = core::milliseconds{5};
    return out;
  }

  explicit fixture(net::sharing_policy policy = quick())
    : team({&shards[0], &shards[1], &shards[2]}, policy) {
    for (std::size_t i = 0; i < shards.size(); ++i)
      threads.emplace_back([this, i] {
        team.run(i);
        shards[i].end_watched();
      });
  }
  ~fixture() {
    end();
  }
  void end() {
    for (auto& one : shards)
      one.stop();
    for (auto& one : threads)
      one.join();
    threads.clear();
  }

  /// Waits on the first shard until `reached`; false after ten seconds.
  bool wait(const std::function<bool()>& reached) {
    std::promise<bool> done;
    const auto limit = net::shard::clock() + core::milliseconds{10'000};
    ticker look(shards[0]);
    look.tick = [&] {
      const bool yes = reached();
      if (!yes && net::shard::clock() < limit)
        return true;
      // Not from here: the ticker goes when this is said.
      shards[0].post([&done, yes] { done.set_value(yes); });
      return false;
    };
    look.start();
    return done.get_future().get();
  }

  bool shares(std::size_t at) {
    return shards[at].counters().shares.load();
  }

  // What runs on a shard between start and end, from the outside.
  void on(std::size_t at, const std::function<void()>& what) {
    std::promise<void> done;
    shards[at].post([&] {
      what();
      done.set_value();
    });
    done.get_future().get();
  }

  std::deque<net::shard> shards = make();
  net::shard_team team;
  std::vector<std::thread> threads;

private:
  static std::deque<net::shard> make() {
    std::deque<net::shard> out;
    for (unsigned i = 0; i < 3; ++i)
      out.emplace_back(i, core::microseconds{0});
    return out;
  }
};

/// Keeps its shard at work, turn after turn, while `on`.
struct worker {
  explicit worker(net::shard& s) : home(s) {
  }
  void start() {
    home.post([this] { work(); });
  }
  void work() {
    const auto until = net::shard::clock() + core::microseconds{300};
    while (net::shard::clock() < until)
      ++rounds;
    if (on)
      home.post([this] { work(); });
    else
      home.post([this] { ended.set_value(); });
  }
  void stop() {
    on = false;
    ended.get_future().get();
  }
  net::shard& home;
  std::atomic<bool> on{true};
  std::atomic<std::uint64_t> rounds{0};
  std::promise<void> ended;
};

} // namespace

TEST_CASE("quiet shards share the first one's thread") {
  fixture f;
  // A shard looks at its load when it has had a turn.
  ticker one(f.shards[1]);
  ticker two(f.shards[2]);
  one.start();
  two.start();
  REQUIRE(f.wait([&] { return f.shares(1) && f.shares(2); }));
  std::vector<std::thread::id> on(3);
  for (std::size_t i = 0; i < 3; ++i)
    f.on(i, [&, i] {
      on[i] = std::this_thread::get_id();
      CHECK(net::shard::current() == &f.shards[i]);
    });
  CHECK(on[1] == on[0]);
  CHECK(on[2] == on[0]);
  one.stop();
  two.stop();
}

TEST_CASE("a busy shard gets its own thread back, and joins when it is quiet") {
  fixture f;
  ticker one(f.shards[1]);
  one.start();
  REQUIRE(f.wait([&] { return f.shares(1); }));
  {
    worker busy(f.shards[1]);
    busy.start();
    CHECK(f.wait([&] { return !f.shares(1); }));
    busy.stop();
  }
  CHECK(f.wait([&] { return f.shares(1); }));
  one.stop();
}

TEST_CASE("a shard of its own thread stays there where sharing is off") {
  net::sharing_policy policy = fixture::quick();
  policy.enabled = false;
  fixture f(policy);
  std::promise<void> done;
  int left = 30;
  ticker one(f.shards[1]);
  one.tick = [&] {
    if (--left == 0)
      done.set_value();
    return true;
  };
  one.start();
  done.get_future().get();
  one.stop();
  CHECK_FALSE(f.shares(1));
}

TEST_CASE("tasks keep their order while their shard goes to and fro") {
  fixture f;
  std::vector<int> seen;
  std::atomic<bool> inside{false};
  int overlaps = 0;
  int posted = 0;
  for (int round = 0; round < 5; ++round) {
    // Quiet, then busy: it moves both ways.
    ticker quiet(f.shards[1]);
    quiet.start();
    CHECK(f.wait([&] { return f.shares(1); }));
    worker busy(f.shards[1]);
    busy.start();
    while (f.shares(1)) {
      const auto n = posted++;
      f.shards[1].post([&, n] {
        overlaps += inside.exchange(true) ? 1 : 0;
        seen.push_back(n);
        inside = false;
      });
      std::this_thread::yield();
    }
    busy.stop();
    quiet.stop();
  }
  f.end();
  CHECK(overlaps == 0);
  REQUIRE(seen.size() == static_cast<std::size_t>(posted));
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("a team ends while its shards share a thread") {
  auto f = std::make_unique<fixture>();
  ticker one(f->shards[1]);
  ticker two(f->shards[2]);
  one.start();
  two.start();
  REQUIRE(f->wait([&] { return f->shares(1) && f->shares(2); }));
  one.stop();
  two.stop();
  SECTION("the guests first") {
    f->shards[2].stop();
    f->threads[2].join();
    f->shards[1].stop();
    f->threads[1].join();
    f->shards[0].stop();
    f->threads[0].join();
    f->threads.clear();
  }
  SECTION("the host first: the guests go on, on their own threads") {
    f->shards[0].stop();
    f->threads[0].join();
    for (std::size_t at : {1U, 2U})
      f->on(at, [&] { CHECK(net::shard::current() == &f->shards[at]); });
    for (std::size_t at : {1U, 2U}) {
      f->shards[at].stop();
      f->threads[at].join();
    }
    f->threads.clear();
  }
  SECTION("all at once") {
    f->end();
  }
}
