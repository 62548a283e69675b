#include "test/fault/io_shim.h"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <set>

using namespace vartalap;
using namespace vartalap::storage;
using test::make_message;

namespace {

/// What one run was told, for the reopened store to be held against.
struct told {
  std::set<core::server_id> confirmed;
  std::set<core::server_id> removed;
  std::set<core::server_id> unknown; ///< neither promised nor denied
};

struct run_result {
  bool hit = false; ///< the fault has happened
  bool failed = false;
};

void put_some(test::store_fixture& on, unsigned& n, unsigned count,
              told& said) {
  std::vector<operation> batch;
  std::vector<core::server_id> ids;
  for (unsigned i = 0; i < count; ++i) {
    ++n;
    const auto message = make_message("bob", n, n % 4 == 0 ? 3000 : 200);
    ids.push_back(message->serverid);
    batch.emplace_back(op::put{message, {}, true});
  }
  on.run(std::move(batch));
  for (auto id : ids) {
    const auto result = on.sink.of(id).back();
    if (result == outcome::committed)
      said.confirmed.insert(id);
    else
      said.unknown.insert(id);
  }
}

void remove_one(test::store_fixture& on, told& said) {
  if (said.confirmed.empty())
    return;
  const auto id = *said.confirmed.begin();
  said.confirmed.erase(said.confirmed.begin());
  on.run({op::remove{"bob", id}, op::put_device{"bob", {"phone", 1, {}, 0}}});
  const auto& all = on.sink.all;
  const auto result = all[all.size() - 2].result;
  (result == outcome::done ? said.removed : said.unknown).insert(id);
}

run_result run_with_fault(long nth, int error, bool and_all_after) {
  test::store_fixture on;
  on.options.settle_after = core::milliseconds{0};
  on.options.max_bytes = 32 * core::MiB;
  told said;
  unsigned n = 0;
  on.open();
  put_some(on, n, 3, said);
  io_shim_arm(nth, error, and_all_after ? 1 : 0);
  for (int round = 0; round < 3; ++round) {
    put_some(on, n, 4, said);
    remove_one(on, said);
  }
  run_result out;
  // The last sync of a store that closes can be the one that fails.
  on.store->close();
  out.hit = io_shim_calls() >= nth;
  out.failed = on.store->status().failed;
  CHECK(on.sink.failures == (out.failed ? 1U : 0U));
  on.store.reset();
  io_shim_arm(0, 0, 0);
  // It opens every time, with everything that was confirmed.
  on.open();
  const auto found = on.pending("bob");
  const std::set<core::server_id> there{found.begin(), found.end()};
  for (auto id : said.confirmed)
    CHECK(there.count(id) == 1);
  for (auto id : said.removed)
    CHECK(there.count(id) == 0);
  CHECK(on.store->fetch("bob", found).size() == found.size());
  CHECK(on.log.contains("verified:") == out.failed);
  on.store.reset();
  CHECK(verify(on.directory.data()).problems.empty());
  return out;
}

} // namespace

TEST_CASE("store survives every single failing write or sync") {
  const auto error = GENERATE(EIO, ENOSPC);
  const auto and_all_after = GENERATE(false, true);
  long nth = 1;
  std::size_t failures = 0;
  for (; nth < 1000; ++nth) {
    INFO("call " << nth << ", errno " << error);
    const auto result = run_with_fault(nth, error, and_all_after);
    if (!result.hit)
      break;
    failures += result.failed ? 1 : 0;
  }
  CHECK(nth > 10);
  CHECK(nth < 1000);
  // An error that is not a full disk ends the store each time.
  if (error == EIO)
    CHECK(failures == static_cast<std::size_t>(nth - 1));
}

TEST_CASE("store refuses to open on a failing disk, and opens afterwards") {
  for (long nth = 1; nth < 100; ++nth) {
    INFO("call " << nth);
    test::store_fixture on;
    io_shim_arm(nth, EIO, 1);
    bool opened = true;
    try {
      on.open();
    } catch (const std::runtime_error&) {
      opened = false;
    }
    const auto calls = io_shim_calls();
    on.store.reset();
    io_shim_arm(0, 0, 0);
    on.open();
    on.put(make_message("bob", 1));
    CHECK(on.pending("bob").size() == 1);
    if (opened && calls < nth) {
      CHECK(nth > 3);
      return;
    }
  }
  FAIL("the store never opens");
}
