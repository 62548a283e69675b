#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace vartalap;
using namespace vartalap::storage;
using test::held_writer;
using test::make_message;
using test::store_fixture;

namespace {

using ids = std::vector<core::server_id>;

} // namespace

TEST_CASE_METHOD(store_fixture, "store keeps what it has confirmed") {
  open();
  const auto first = make_message("bob", 1);
  const auto second = make_message("bob", 2);
  put(first, {"phone"}, true);
  put(second);
  CHECK(sink.of(first->serverid) == std::vector{outcome::committed});
  const auto check = [&] {
    const auto snapshot = store->snapshot("bob");
    REQUIRE(snapshot.pending.size() == 2);
    CHECK(snapshot.pending[0].serverid == first->serverid);
    CHECK(snapshot.pending[0].acked == std::vector<std::string>{"phone"});
    CHECK(snapshot.pending[1].serverid == second->serverid);
    CHECK(snapshot.offline_raised);
    const ids wanted{first->serverid, second->serverid, {1, 1}};
    const auto found = store->fetch("bob", wanted);
    REQUIRE(found.size() == 2);
    CHECK(found[0]->content == first->content);
    CHECK(found[1]->id == "m2");
    CHECK(store->snapshot("carol").pending.empty());
    CHECK_FALSE(store->snapshot("carol").offline_raised);
    CHECK(raised() == std::vector<std::string>{"bob"});
  };
  check();
  reopen();
  check();
  CHECK(store->status().journal_records == 2);
}

TEST_CASE_METHOD(store_fixture,
                 "store raises the offline event of what waited at a crash") {
  open();
  put(make_message("bob", 1));
  core::envelope receipt = *make_message("carol", 1);
  receipt.type = core::message_type::notification;
  put(std::make_shared<const core::envelope>(std::move(receipt)));
  CHECK(raised().empty());
  reopen();
  CHECK(raised() == std::vector<std::string>{"bob"});
  CHECK(store->snapshot("bob").offline_raised);
}

TEST_CASE_METHOD(store_fixture,
                 "store knows the newest clock that it has stored") {
  open();
  const auto ahead = make_message("bob", 1);
  put(ahead);
  reopen();
  CHECK(store->who().newest_ms
        >= std::max(ahead->serverid.clock_ms(), ahead->server_timestamp));
  // Settled or gone, it is remembered.
  run({op::remove{"bob", ahead->serverid}});
  reopen();
  CHECK(store->who().newest_ms >= ahead->serverid.clock_ms());
}

TEST_CASE_METHOD(store_fixture, "store gives the same answers after settling") {
  options.settle_after = core::milliseconds{0};
  open();
  ids expected;
  for (unsigned n = 1; n <= 50; ++n) {
    put(make_message("bob", n));
    expected.push_back(sink.all.back().serverid);
  }
  wait_for_journal(0);
  CHECK(pending("bob") == expected);
  CHECK(store->status().settled_records == 50);
  CHECK(store->fetch("bob", expected).size() == 50);
  run({op::ack{"bob", expected[3], "phone"}, op::remove{"bob", expected[0]}});
  reopen();
  const auto snapshot = store->snapshot("bob");
  REQUIRE(snapshot.pending.size() == 49);
  CHECK(snapshot.pending[0].serverid == expected[1]);
  CHECK(snapshot.pending[2].acked == std::vector<std::string>{"phone"});
}

TEST_CASE_METHOD(store_fixture, "store merges journal and mailboxes in order") {
  options.settle_after = core::milliseconds{0};
  open();
  put(make_message("bob", 10));
  put(make_message("bob", 30));
  wait_for_journal(0);
  store.reset();
  options.settle_after = core::milliseconds{3'600'000};
  open();
  put(make_message("bob", 20));
  put(make_message("bob", 5));
  const auto found = pending("bob");
  CHECK(found.size() == 4);
  CHECK(std::is_sorted(found.begin(), found.end()));
  CHECK(store->fetch("bob", found).size() == 4);
}

TEST_CASE_METHOD(store_fixture, "store removes and acks in the journal") {
  open();
  const auto first = make_message("bob", 1);
  const auto second = make_message("bob", 2);
  run({op::put{first, {}, false}, op::put{second, {}, false}});
  run({op::remove{"bob", first->serverid},
       op::ack{"bob", second->serverid, "phone"},
       op::ack{"bob", second->serverid, "phone"},
       op::ack{"bob", {77, 7}, "phone"}, op::remove{"bob", {77, 7}}});
  const auto snapshot = store->snapshot("bob");
  REQUIRE(snapshot.pending.size() == 1);
  CHECK(snapshot.pending[0].acked == std::vector<std::string>{"phone"});
  CHECK(store->status().journal_records == 1);
  run({op::remove{"bob", second->serverid}});
  reopen();
  CHECK(pending("bob").empty());
}

TEST_CASE_METHOD(store_fixture, "store lets a put and its remove annihilate") {
  open();
  const auto gone = make_message("bob", 1);
  const auto kept = make_message("bob", 2);
  const auto before = store->status().appended;
  {
    held_writer held{*this};
    held.submit({op::put{gone, {}, false}, op::put{kept, {"a"}, false},
                 op::ack{"bob", kept->serverid, "b"},
                 op::remove{"bob", gone->serverid}});
    held.release();
  }
  CHECK(sink.of(gone->serverid) == std::vector{outcome::annihilated});
  CHECK(sink.of(kept->serverid) == std::vector{outcome::committed});
  CHECK(store->status().annihilated == 1);
  CHECK(store->status().appended == before + 1);
  const auto snapshot = store->snapshot("bob");
  REQUIRE(snapshot.pending.size() == 1);
  CHECK(snapshot.pending[0].acked == std::vector<std::string>{"a", "b"});
}

TEST_CASE_METHOD(store_fixture, "store removes what was put twice and waits") {
  open();
  const auto message = make_message("bob", 1);
  put(message);
  {
    held_writer held{*this};
    held.submit({op::put{message, {}, false}, op::put{message, {}, false},
                 op::remove{"bob", message->serverid}});
    held.release();
  }
  CHECK(pending("bob").empty());
  reopen();
  CHECK(pending("bob").empty());
}

TEST_CASE_METHOD(store_fixture, "store takes a repeated put once") {
  open();
  const auto message = make_message("bob", 1, 2000);
  put(message, {"a"});
  put(message, {"b"});
  options.settle_after = core::milliseconds{0};
  reopen();
  wait_for_journal(0);
  put(message, {"c"});
  const auto snapshot = store->snapshot("bob");
  REQUIRE(snapshot.pending.size() == 1);
  CHECK(snapshot.pending[0].acked == std::vector<std::string>{"a", "b", "c"});
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture, "store shares large content and lets it go") {
  open();
  ids copies;
  for (unsigned n = 1; n <= 20; ++n) {
    auto message = *make_message("member" + std::to_string(n), n);
    message.content.assign(60'000, 'g');
    copies.push_back(message.serverid);
    put(std::make_shared<core::envelope>(message));
  }
  const auto used = store->status().journal_bytes;
  CHECK(used < 20 * 60'000 / 4);
  const ids one{copies[4]};
  REQUIRE(store->fetch("member5", one).size() == 1);
  CHECK(store->fetch("member5", one)[0]->content.size() == 60'000);
  for (unsigned n = 1; n <= 19; ++n)
    run({op::remove{"member" + std::to_string(n), copies[n - 1]}});
  const ids last{copies[19]};
  CHECK(store->fetch("member20", last).size() == 1);
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
  open();
  run({op::remove{"member20", copies[19]}});
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture, "store keeps devices and offline events") {
  open();
  const core::device_record phone{"phone", 1000, {}, 0};
  const core::device_record tablet{"tablet", 2000, {5, 6}, 7};
  run({op::put_device{"bob", phone}, op::put_device{"bob", tablet},
       op::put_device{"bobby", phone}});
  const auto waiting = make_message("bob", 1);
  put(waiting, {}, true);
  reopen();
  auto snapshot = store->snapshot("bob");
  CHECK(snapshot.devices == std::vector{phone, tablet});
  CHECK(snapshot.offline_raised);
  run({op::remove{"bob", waiting->serverid}, op::erase_device{"bob", "phone"},
       op::clear_offline{"bob"}, op::clear_offline{"nobody"},
       op::erase_device{"bob", "nothing"}});
  reopen();
  snapshot = store->snapshot("bob");
  CHECK(snapshot.devices == std::vector{tablet});
  CHECK_FALSE(snapshot.offline_raised);
  CHECK(store->snapshot("bobby").devices.size() == 1);
}

TEST_CASE_METHOD(store_fixture, "store tells every shard of its own") {
  open();
  std::vector<request> batch;
  for (unsigned n = 0; n < 100; ++n)
    batch.push_back({n % 3, n, op::put{make_message("bob", n + 1), {}, false}});
  store->submit(std::move(batch));
  sink.wait_for(100);
  CHECK(sink.per_shard[0] == 34);
  CHECK(sink.per_shard[1] == 33);
  CHECK(sink.per_shard[2] == 33);
  std::map<std::uint64_t, std::uint64_t> last;
  for (const auto& done : sink.all) {
    CHECK(done.was_put);
    CHECK(done.owner >= last[done.owner % 3]);
    last[done.owner % 3] = done.owner;
  }
}

TEST_CASE_METHOD(store_fixture, "store answers late submits as failed") {
  open();
  put(make_message("bob", 1));
  store->close();
  store->close();
  put(make_message("bob", 2));
  CHECK(sink.count(outcome::failed) == 1);
  CHECK(pending("bob").size() == 1);
  CHECK(sink.failures == 0);
}

TEST_CASE_METHOD(store_fixture, "store commits what waits before it closes") {
  open();
  std::vector<request> batch;
  for (unsigned n = 1; n <= 10'000; ++n)
    batch.push_back({0, 0, op::put{make_message("bob", n), {}, false}});
  store->submit(std::move(batch));
  reopen();
  CHECK(sink.count(outcome::committed) == 10'000);
  CHECK(pending("bob").size() == 10'000);
}

TEST_CASE_METHOD(store_fixture, "store does not hold a name that no key can") {
  open();
  put(make_message(std::string(128, 'x'), 1));
  CHECK(pending(std::string(128, 'x')).size() == 1);
  put(make_message(std::string(129, 'x'), 2));
  CHECK(pending(std::string(129, 'x')).empty());
  CHECK(sink.count(outcome::failed) == 1);
  CHECK_FALSE(store->status().failed);
}

TEST_CASE_METHOD(store_fixture, "store shows readers whole commits only") {
  options.settle_after = core::milliseconds{0};
  open();
  // Every commit puts two messages and removes the two before: a reader must
  // always see exactly two, in the journal, settled or on the way.
  const auto pair = [](unsigned n) {
    return std::vector{make_message("bob", 2 * n),
                       make_message("bob", 2 * n + 1)};
  };
  auto before = pair(1);
  run({op::put{before[0], {}, false}, op::put{before[1], {}, false}});
  std::atomic<bool> done{false};
  std::size_t reads = 0;
  bool whole = true;
  std::thread reader{[&] {
    while (!done) {
      whole = whole && store->snapshot("bob").pending.size() == 2;
      ++reads;
    }
  }};
  for (unsigned n = 2; n < 200; ++n) {
    auto next = pair(n);
    run({op::put{next[0], {}, false}, op::put{next[1], {}, false},
         op::remove{"bob", before[0]->serverid},
         op::remove{"bob", before[1]->serverid}});
    before = std::move(next);
  }
  done = true;
  reader.join();
  CHECK(whole);
  CHECK(reads > 0);
}

TEST_CASE_METHOD(store_fixture, "store keeps its journal below its bound") {
  options.journal_bytes = 256 * core::KiB;
  open();
  std::uint64_t most = 0;
  for (unsigned round = 0; round < 40; ++round) {
    std::vector<operation> batch;
    for (unsigned n = 0; n < 200; ++n)
      batch.emplace_back(op::put{
        make_message("user" + std::to_string(n % 50), 1 + round * 200 + n),
        {},
        false});
    run(std::move(batch));
    most = std::max(most, store->status().journal_bytes);
  }
  CHECK(store->status().settled > 4000);
  CHECK(most < 512 * core::KiB);
  std::size_t all = 0;
  for (unsigned n = 0; n < 50; ++n)
    all += pending("user" + std::to_string(n)).size();
  CHECK(all == 8000);
}
