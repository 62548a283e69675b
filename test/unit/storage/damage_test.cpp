#include "storage/environment.hpp"
#include "storage/record_format.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace vartalap;
using namespace vartalap::storage;
using test::make_message;
using test::store_fixture;

namespace {

using ids = std::vector<core::server_id>;

/// Flips one bit in the middle of every value of a table, behind the store's
/// back. `which` chooses the table.
std::size_t damage(store_fixture& on,
                   const std::function<table(const tables&)>& which) {
  environment env{on.directory.data(), on.options, on.hooks, on.log};
  const auto where = which(env.all());
  std::vector<std::pair<std::string, std::string>> found;
  auto txn = begin_write(env.handle());
  {
    cursor at{txn.get(), where};
    for (auto more = at.first(); more; more = at.next())
      found.emplace_back(at.key(), at.value());
  }
  for (auto& [key, value] : found) {
    auto& byte = value[value.size() / 2];
    byte = static_cast<char>(byte ^ 0x10);
    put(txn.get(), where, key, value);
  }
  commit(std::move(txn));
  return found.size();
}

std::uint64_t in_quarantine(store_fixture& on) {
  environment env{on.directory.data(), on.options, on.hooks, on.log};
  const auto txn = begin_read(env.handle());
  return record_count(txn.get(), env.all().quarantine);
}

} // namespace

TEST_CASE_METHOD(store_fixture, "damage in the journal is set apart at start") {
  open();
  const auto message = make_message("bob", 1);
  put(message);
  store.reset();
  REQUIRE(damage(*this, [](const auto& all) { return all.journal; }) == 1);
  CHECK(verify(directory.data()).damaged == 1);
  open();
  CHECK(pending("bob").empty());
  CHECK(store->fetch("bob", ids{message->serverid}).empty());
  CHECK(store->status().quarantined == 1);
  CHECK(log.contains("damaged record in journal"));
  // The store goes on.
  put(make_message("bob", 2));
  CHECK(pending("bob").size() == 1);
  store.reset();
  CHECK(verify(directory.data()).damaged == 0);
  CHECK(in_quarantine(*this) == 1);
}

TEST_CASE_METHOD(store_fixture, "damage in mailboxes is set apart when read") {
  options.settle_after = core::milliseconds{0};
  open();
  const auto message = make_message("bob", 1);
  put(message);
  wait_for_journal(0);
  store.reset();
  REQUIRE(damage(*this, [](const auto& all) { return all.mailboxes; }) == 1);
  open();
  SECTION("by snapshot") {
    CHECK(pending("bob").empty());
  }
  SECTION("by fetch") {
    CHECK(store->fetch("bob", ids{message->serverid}).empty());
  }
  SECTION("by a remove") {
    run({op::remove{"bob", message->serverid}});
  }
  SECTION("by an ack") {
    run({op::ack{"bob", message->serverid, "phone"}});
  }
  run({op::clear_offline{"bob"}});
  CHECK(store->status().quarantined == 1);
  CHECK(log.contains("damaged record in mailboxes"));
  CHECK(pending("bob").empty());
  CHECK(store->status().quarantined == 1);
  store.reset();
  CHECK(in_quarantine(*this) == 1);
}

TEST_CASE_METHOD(store_fixture, "damage in mailboxes is found by the sweep") {
  options.settle_after = core::milliseconds{0};
  open();
  put(make_message("bob", 1));
  wait_for_journal(0);
  store.reset();
  damage(*this, [](const auto& all) { return all.mailboxes; });
  options.sweep_interval = core::milliseconds{1};
  open();
  for (int i = 0; i < 100'000 && store->status().quarantined == 0; ++i)
    run({op::clear_offline{"bob"}});
  CHECK(store->status().quarantined == 1);
}

TEST_CASE_METHOD(store_fixture,
                 "damage in shared content keeps a message back") {
  open();
  const auto message = make_message("bob", 1, 5000);
  put(message);
  store.reset();
  REQUIRE(damage(*this, [](const auto& all) { return all.content; }) == 1);
  open();
  CHECK(pending("bob").size() == 1);
  CHECK(store->fetch("bob", ids{message->serverid}).empty());
  run({op::clear_offline{"bob"}});
  CHECK(store->status().quarantined == 1);
  CHECK(pending("bob").empty());
  // The same content again is stored whole beside the damaged one, if that
  // is still there.
  put(make_message("bob", 27, 5000));
  CHECK(store->fetch("bob", pending("bob")).size() == 1);
  store.reset();
  CHECK(verify(directory.data()).damaged == 0);
}

TEST_CASE_METHOD(store_fixture, "damage in devices is set apart when read") {
  open();
  run({op::put_device{"bob", {"phone", 1, {}, 0}}});
  store.reset();
  REQUIRE(damage(*this, [](const auto& all) { return all.devices; }) == 1);
  open();
  CHECK(store->snapshot("bob").devices.empty());
  run({op::clear_offline{"bob"}});
  CHECK(store->status().quarantined == 1);
}

TEST_CASE_METHOD(store_fixture, "verify notices wrong reference counts") {
  open();
  put(make_message("bob", 1, 5000));
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
  {
    environment env{directory.data(), options, hooks, log};
    auto txn = begin_write(env.handle());
    const auto refs = env.all().content_refs;
    std::string key;
    {
      cursor at{txn.get(), refs};
      REQUIRE(at.first());
      key = at.key();
    }
    storage::put(txn.get(), refs, key, encode_number(2));
    commit(std::move(txn));
  }
  const auto report = verify(directory.data());
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].find("counts 2 references, has 1")
        != std::string::npos);
}

TEST_CASE_METHOD(store_fixture, "damaged tombstones and notes are reported") {
  open();
  const auto message = make_message("bob", 1);
  run({op::remove{"bob", message->serverid, remembrance::always},
       op::note_peer{"n", "d", 1}, op::note_members{"n"}});
  store.reset();
  REQUIRE(damage(*this, [](const auto& all) { return all.removed; }) == 1);
  REQUIRE(damage(*this, [](const auto& all) { return all.peers; }) == 1);
  CHECK(verify(directory.data()).damaged == 2);
  options.sweep_interval = core::milliseconds{10};
  open();
  CHECK(store->peers().empty());
  // Until it is found the message stays removed.
  while (store->status().quarantined == 0)
    run({op::barrier{}});
  CHECK(store->status().removals == 0);
  CHECK(log.contains("damaged record in removed"));
  store.reset();
  CHECK(in_quarantine(*this) == 1);
}
