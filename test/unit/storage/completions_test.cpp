// Links between nodes count completions: every operation has one, in order.

#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <iterator>
#include <stdexcept>
#include <thread>

using namespace vartalap;
using namespace vartalap::storage;
using test::held_writer;
using test::make_message;
using test::store_fixture;

namespace {

/// Numbers the operations, alternately for both shards.
std::vector<request> numbered(std::vector<operation> operations) {
  std::vector<request> batch;
  std::uint64_t number = 0;
  for (auto& what : operations) {
    ++number;
    batch.push_back(
      {static_cast<unsigned>(number % 2), number, std::move(what)});
  }
  return batch;
}

/// The numbers of one shard, as they were answered.
std::vector<std::uint64_t> answered(const test::recorded_sink& sink,
                                    std::uint64_t shard) {
  std::vector<std::uint64_t> out;
  for (const auto& done : sink.all)
    if (done.owner != 0 && done.owner % 2 == shard)
      out.push_back(done.owner);
  return out;
}

std::vector<std::uint64_t> expected(std::uint64_t operations,
                                    std::uint64_t shard) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t number = 1; number <= operations; ++number)
    if (number % 2 == shard)
      out.push_back(number);
  return out;
}

core::envelope_ptr nameless() {
  auto out = std::make_shared<core::envelope>(*make_message("bob", 900));
  out->to.clear();
  return out;
}

/// One of every fate: live, again, annihilated, met, merged, removed,
/// unusable, and operations of every kind.
std::vector<operation> all_fates() {
  const auto kept = make_message("bob", 1);
  const auto gone = make_message("bob", 2);
  const auto twice = make_message("bob", 3);
  const auto dead = make_message("bob", 4);
  return {
    op::put{kept, {}, true},
    op::ack{"bob", kept->serverid, "phone"},
    op::barrier{},
    op::put{gone, {}, false},
    op::remove{"bob", gone->serverid, remembrance::always},
    op::forget{"bob", gone->serverid, {}},
    op::put{twice, {}, false},
    op::put{twice, {}, false},
    op::remove{"bob", twice->serverid},
    op::remove{"bob", dead->serverid, remembrance::always},
    op::put{dead, {}, false},
    op::put{nameless(), {}, false},
    op::remove{"", {7, 7}, remembrance::always},
    op::put_device{"bob", {"phone", 1, {}, 0}},
    op::merge_device{"bob", {"phone", 2, {}, 0}},
    op::erase_device{"bob", "phone", 3},
    op::forget{"bob", {}, "phone"},
    op::clear_offline{"bob"},
    op::note_peer{"n2", "d", 1},
    op::note_members{"n1 n2"},
    op::barrier{},
  };
}

} // namespace

TEST_CASE_METHOD(store_fixture, "completions: one for every fate, in order") {
  open();
  const auto held = std::make_unique<held_writer>(*this);
  const auto all = all_fates();
  held->submit(numbered(all));
  held->release();
  for (std::uint64_t shard = 0; shard < 2; ++shard)
    CHECK(answered(sink, shard) == expected(all.size(), shard));
  CHECK(sink.count(outcome::annihilated) == 2);
  CHECK(sink.count(outcome::removed) == 1);
  CHECK(sink.count(outcome::failed) == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "completions: one for every refusal, in order") {
  options.max_bytes = 2 * core::MiB;
  open();
  std::vector<operation> all;
  for (unsigned n = 1; n < 4000; ++n) {
    const auto message = make_message("bob", n, 1000);
    all.emplace_back(op::put{message, {}, false});
    if (n % 3 == 0)
      all.emplace_back(
        op::remove{"bob", message->serverid, remembrance::always});
    if (n % 5 == 0)
      all.emplace_back(op::barrier{});
  }
  const auto held = std::make_unique<held_writer>(*this);
  held->submit(numbered(all));
  held->release();
  for (std::uint64_t shard = 0; shard < 2; ++shard)
    CHECK(answered(sink, shard) == expected(all.size(), shard));
  CHECK(sink.count(outcome::full) > 0);
  // There is always room to answer that.
  for (const auto& done : sink.all)
    if (done.owner != 0
        && std::holds_alternative<op::barrier>(all[done.owner - 1]))
      CHECK(done.result == outcome::done);
}

TEST_CASE_METHOD(store_fixture, "completions: one for each after a failure") {
  std::atomic<bool> broken{false};
  hooks.space = [&](const std::string&) {
    if (broken)
      throw std::runtime_error{"the disk does not answer"};
    return disk_space{100 * core::GiB, 50 * core::GiB};
  };
  open();
  broken = true;
  while (!store->status().failed)
    run({op::barrier{}});
  const auto all = all_fates();
  const auto held = std::make_unique<held_writer>(*this);
  held->submit(numbered(all));
  held->release();
  for (std::uint64_t shard = 0; shard < 2; ++shard)
    CHECK(answered(sink, shard) == expected(all.size(), shard));
  for (const auto& done : sink.all)
    if (done.owner != 0)
      CHECK(done.result == outcome::failed);
}

TEST_CASE_METHOD(store_fixture,
                 "completions: what comes after the end comes last") {
  open();
  std::vector<operation> all;
  for (unsigned n = 1; n <= 20'000; ++n)
    all.emplace_back(op::put{make_message("bob", n), {}, false});
  auto batch = numbered(all);
  std::thread closer;
  for (std::size_t at = 0; at < batch.size(); at += 100) {
    std::vector<request> part(
      std::make_move_iterator(batch.begin() + static_cast<long>(at)),
      std::make_move_iterator(batch.begin() + static_cast<long>(at) + 100));
    store->submit(std::move(part));
    if (at == batch.size() / 2)
      closer = std::thread{[this] { store->close(); }};
  }
  closer.join();
  sink.wait_for(all.size());
  for (std::uint64_t shard = 0; shard < 2; ++shard)
    CHECK(answered(sink, shard) == expected(all.size(), shard));
  CHECK(sink.all.size() == all.size());
}
