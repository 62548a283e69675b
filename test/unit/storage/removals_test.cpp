// Tombstones where they meet other operations, crashes and time.

#include "storage/environment.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>

using namespace vartalap;
using namespace vartalap::storage;
using test::held_writer;
using test::make_message;
using test::store_fixture;

namespace {

constexpr core::wall_ms day = 24ULL * 3600 * 1000;

op::remove removal_of(const core::envelope_ptr& message) {
  return {message->to, message->serverid, remembrance::always};
}

op::forget forgotten(const core::envelope_ptr& message) {
  return {message->to, message->serverid, {}};
}

op::put put_of(const core::envelope_ptr& message) {
  return {message, {}, true};
}

/// Sets the wall clock forward, confirms it, and waits for one sweep of all.
void sweep_at(store_fixture& on, std::atomic<core::wall_ms>& clock,
              core::wall_ms at) {
  clock = at;
  on.store->resume_expiry();
  const auto before = on.store->status();
  for (int tries = 0; tries < 200'000; ++tries) {
    on.run({op::put_device{"sweep-probe", {"d", 0, {}, 0}}});
    const auto now = on.store->status();
    if (now.removals < before.removals && !now.expiry_paused)
      return;
  }
}

} // namespace

TEST_CASE_METHOD(store_fixture, "store says that a put met its tombstone") {
  open();
  const auto before = make_message("bob", 1);
  const auto together = make_message("bob", 2);
  run({removal_of(before)});
  run({put_of(before), removal_of(together), put_of(together)});
  CHECK(sink.of(before->serverid) == std::vector{outcome::removed});
  CHECK(sink.of(together->serverid) == std::vector{outcome::removed});
  CHECK(sink.all[1].was_put);
  // Nothing of it is left: no message, no offline event.
  CHECK(pending("bob").empty());
  CHECK_FALSE(store->snapshot("bob").offline_raised);
  CHECK(store->status().journal_records == 0);
  // Another user's message of the same id would be another message.
  CHECK(store->list_bucket(core::bucket_of("carol")).removals.empty());
}

TEST_CASE_METHOD(store_fixture,
                 "store writes nothing where put, remove and forget meet") {
  open();
  const auto whole = make_message("bob", 1);
  const auto late = make_message("bob", 2);
  const auto held = std::make_unique<held_writer>(*this);
  auto put_once = put_of(whole);
  put_once.raise_offline = false;
  held->submit({put_once, removal_of(whole), forgotten(whole), removal_of(late),
                forgotten(late)});
  held->release();
  CHECK(sink.of(whole->serverid) == std::vector{outcome::annihilated});
  CHECK(store->status().removals == 0);
  // The commit of the holder's own operation is the only one.
  CHECK(store->status().commits == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "store keeps a tombstone for the put behind it") {
  open();
  const auto message = make_message("bob", 1);
  const auto stays = make_message("bob", 2);
  const auto held = std::make_unique<held_writer>(*this);
  held->submit({removal_of(message), put_of(message), forgotten(message),
                put_of(stays), removal_of(stays), removal_of(stays)});
  held->release();
  CHECK(sink.of(message->serverid) == std::vector{outcome::removed});
  CHECK(sink.of(stays->serverid) == std::vector{outcome::annihilated});
  CHECK(pending("bob").empty());
  CHECK(store->status().removals == 1);
  run({forgotten(stays), forgotten(stays)});
  CHECK(store->status().removals == 0);
}

TEST_CASE_METHOD(store_fixture, "store forgets an older tombstone as well") {
  open();
  const auto message = make_message("bob", 1);
  run({removal_of(message)});
  const auto held = std::make_unique<held_writer>(*this);
  held->submit({removal_of(message), forgotten(message)});
  held->release();
  CHECK(store->status().removals == 0);
}

TEST_CASE_METHOD(store_fixture,
                 "store removes and remembers in one transaction") {
  options.settle_after = core::milliseconds{0};
  open();
  std::vector<core::envelope_ptr> all;
  for (unsigned n = 1; n <= 40; ++n)
    put(all.emplace_back(make_message("bob", n)));
  // At every moment a message is here or its tombstone is, in the journal,
  // settled or on the way.
  std::atomic<bool> done{false};
  bool whole = true;
  std::thread reader{[&] {
    const auto bucket = core::bucket_of("bob");
    while (!done) {
      const auto seen = store->list_bucket(bucket);
      whole = whole && seen.messages.size() + seen.removals.size() == 40;
    }
  }};
  for (const auto& message : all)
    run({removal_of(message)});
  done = true;
  reader.join();
  CHECK(whole);
  reopen();
  CHECK(store->status().removals == 40);
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture, "store drops tombstones a day after the ttl") {
  std::atomic<core::wall_ms> clock{test::wall_now()};
  hooks.wall_clock = [&] { return clock.load(); };
  options.sweep_interval = core::milliseconds{10};
  open();
  const auto now = clock.load();
  const auto old = make_message("bob", 1, 100, now - day);
  const auto young = make_message("bob", 2, 100, now);
  run({removal_of(old), removal_of(young),
       op::erase_device{"bob", "phone", now - day}});
  const auto life = static_cast<core::wall_ms>(ttl.count()) + day;
  sweep_at(*this, clock, now - day + life + 1);
  const auto left = store->list_bucket(core::bucket_of("bob")).removals;
  REQUIRE(left.size() == 1);
  CHECK(left[0].serverid == young->serverid);
}

TEST_CASE_METHOD(store_fixture,
                 "store keeps what is newer of a device and its removal") {
  open();
  const auto devices
    = [&] { return store->list_bucket(core::bucket_of("bob")).devices.size(); };
  // The removal comes late.
  run({op::put_device{"bob", {"phone", 3000, {}, 0}},
       op::erase_device{"bob", "phone", 2000}});
  CHECK(devices() == 1);
  CHECK(store->status().removals == 0);
  // Removals in the wrong order.
  run({op::erase_device{"bob", "phone", 5000},
       op::erase_device{"bob", "phone", 4000},
       op::put_device{"bob", {"phone", 4500, {}, 0}},
       op::put_device{"bob", {"phone", 5000, {}, 0}}});
  CHECK(devices() == 0);
  run({op::merge_device{"bob", {"phone", 5001, {}, 0}}});
  CHECK(devices() == 1);
  CHECK(store->status().removals == 0);
  // Without a time it is erased in any case.
  run({op::erase_device{"bob", "phone"}});
  CHECK(devices() == 0);
  CHECK(store->status().removals == 0);
  run({op::erase_device{"bob", "phone", 6000}, op::forget{"bob", {}, "phone"}});
  CHECK(store->status().removals == 0);
}

TEST_CASE_METHOD(store_fixture, "store merges equal cancellations") {
  open();
  run({op::put_device{"bob", {"phone", 1000, {5, 0}, 2}},
       op::merge_device{"bob", {"phone", 900, {5, 0}, 7}},
       op::merge_device{"bob", {"phone", 900, {5, 0}, 3}}});
  const auto found = store->snapshot("bob").devices;
  REQUIRE(found.size() == 1);
  CHECK(found[0] == core::device_record{"phone", 1000, {5, 0}, 7});
  const auto commits = store->status().commits;
  run({op::merge_device{"bob", found[0]}});
  CHECK(store->status().commits == commits);
}

TEST_CASE_METHOD(store_fixture, "store keeps the member list") {
  open();
  CHECK(store->members().empty());
  run({op::note_members{"n1 n2"}, op::note_members{"n1 n2 n3"}});
  reopen();
  CHECK(store->members() == "n1 n2 n3");
}

TEST_CASE_METHOD(store_fixture, "store lists offline events of a bucket") {
  open();
  run({op::put{make_message("bob", 1), {}, true},
       op::put{make_message("carol", 2), {}, true}});
  CHECK(store->list_bucket(core::bucket_of("bob")).raised
        == std::vector<std::string>{"bob"});
  run({op::clear_offline{"bob"}});
  CHECK(store->list_bucket(core::bucket_of("bob")).raised.empty());
}

TEST_CASE_METHOD(store_fixture,
                 "store remembers what it held alone, where it is told so") {
  open();
  const auto held = make_message("bob", 1);
  const auto met = make_message("bob", 2);
  const auto unknown = make_message("bob", 3);
  put(held);
  const auto if_held = [](const core::envelope_ptr& what) {
    return op::remove{what->to, what->serverid, remembrance::if_held};
  };
  const auto writer = std::make_unique<held_writer>(*this);
  writer->submit(
    {op::put{met, {}, false}, if_held(held), if_held(met), if_held(unknown)});
  writer->release();
  CHECK(store->status().removals == 2);
  // A second removal holds nothing any more, and is not remembered anew.
  run({forgotten(held), if_held(held)});
  CHECK(store->status().removals == 1);
  run({forgotten(met),
       op::erase_device{"bob", "phone", 2000, remembrance::if_held}});
  CHECK(store->status().removals == 0);
  run({op::put_device{"bob", {"phone", 1000, {}, 0}},
       op::erase_device{"bob", "phone", 2000, remembrance::if_held}});
  CHECK(store->status().removals == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "store drops a device's record unless it has changed") {
  open();
  const core::device_record phone{"phone", 1000, {}, 0};
  auto later = phone;
  later.last_seen = 2000;
  run({op::put_device{"bob", later}, op::drop_device{"bob", phone}});
  CHECK(store->list_bucket(core::bucket_of("bob")).devices.size() == 1);
  run({op::drop_device{"bob", later}, op::drop_device{"bob", later}});
  CHECK(store->list_bucket(core::bucket_of("bob")).devices.empty());
  CHECK(store->status().removals == 0);
}
