#include "storage/clock_guard.hpp"
#include "storage/settle_pace.hpp"

#include <catch2/catch.hpp>

#include <chrono>

using namespace vartalap;
using namespace vartalap::storage;
using namespace std::chrono_literals;

namespace {

constexpr core::wall_ms hour = 3'600'000;
constexpr core::wall_ms day = 24 * hour;
constexpr core::wall_ms some_day = 20'000 * day;

core::instant at(core::microseconds mono, core::wall_ms wall) {
  return {core::mono_time{mono}, wall};
}

} // namespace

TEST_CASE("clock_guard lets time pass") {
  clock_guard guard{at(1s, some_day), some_day - hour};
  CHECK_FALSE(guard.check(at(1s + 48h, some_day + 48 * hour)));
  CHECK_FALSE(guard.paused());
}

TEST_CASE("clock_guard pauses on jumps of more than an hour, either way") {
  clock_guard forward{at(1s, some_day), 0};
  CHECK_FALSE(forward.check(at(1s, some_day + hour)));
  CHECK(forward.check(at(1s, some_day + hour + 1)));
  CHECK(forward.paused());
  // It says so once.
  CHECK_FALSE(forward.check(at(1s, some_day + 2 * hour)));
  clock_guard back{at(1s, some_day), 0};
  CHECK(back.check(at(1s, some_day - hour - 1)));
  back.resume(at(2s, some_day - hour));
  CHECK_FALSE(back.paused());
  CHECK_FALSE(back.check(at(3s, some_day - hour + 1000)));
}

TEST_CASE("clock_guard pauses at a start long after the newest message") {
  clock_guard late{at(1s, some_day), some_day - 7 * day - 1};
  CHECK(late.check(at(1s, some_day)));
  late.resume(at(1s, some_day));
  CHECK_FALSE(late.check(at(1s, some_day)));
  clock_guard in_time{at(1s, some_day), some_day - 7 * day};
  CHECK_FALSE(in_time.check(at(1s, some_day)));
  clock_guard empty{at(1s, some_day), 0};
  CHECK_FALSE(empty.check(at(1s, some_day)));
}

TEST_CASE("settle_pace settles what has become old, and nothing else") {
  settle_pace pace{10s, core::GiB};
  const auto start = core::mono_time{1h};
  CHECK(pace.due() == core::mono_time::max());
  pace.appended(100, start);
  CHECK(pace.next(0, 0, 1000, start + 10s).records == 0);
  const auto due = pace.due();
  CHECK(due > start + 10s);
  CHECK(due <= start + 11s);
  const auto share = pace.next(0, 0, 1000, due);
  CHECK(share.records > 0);
  CHECK(share.upto == 100);
  pace.settled(share, share.records, 1ms);
  CHECK(pace.due() <= due);
  pace.settled(share, 1, 1ms);
  CHECK(pace.due() == core::mono_time::max());
}

TEST_CASE("settle_pace takes little while somebody waits, more when idle") {
  settle_pace pace{0s, core::GiB};
  pace.appended(1'000'000, core::mono_time{1s});
  const auto busy = pace.next(10, 10, 1000, core::mono_time{2s}).records;
  const auto idle = pace.next(0, 0, 1000, core::mono_time{3s}).records;
  const auto idler = pace.next(0, 0, 1000, core::mono_time{4s}).records;
  CHECK(busy < idle);
  CHECK(idle < idler);
  CHECK(pace.next(10, 10, 1000, core::mono_time{5s}).records == busy);
}

TEST_CASE("settle_pace shrinks a journal at its bound, however young") {
  settle_pace pace{10s, 1000};
  const auto now = core::mono_time{1s};
  pace.appended(5000, now);
  CHECK(pace.next(4000, 4000, 1000, now).records == 0);
  const auto share = pace.next(4000, 4000, 1001, now);
  CHECK(share.records >= 8000);
  CHECK(share.upto == 5000);
}
