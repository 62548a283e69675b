#include "storage/environment.hpp"
#include "storage/record_format.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>
#include <lmdb.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace vartalap;
using namespace vartalap::storage;
using Catch::Matchers::Contains;
using test::make_message;
using test::store_fixture;

extern char** environ;

namespace {

/// Runs storage_tool in a process of its own, as an operator does.
/// @returns Its exit status.
int run_tool(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), VARTALAP_STORAGE_TOOL);
  std::vector<char*> argv;
  for (auto& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (::posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ)
      != 0)
    return -1;
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void overwrite_meta(store_fixture& on, std::string_view key,
                    std::string_view value) {
  environment env{on.directory.data(), on.options, on.hooks, on.log};
  auto txn = begin_write(env.handle());
  put(txn.get(), env.all().meta, key, value);
  commit(std::move(txn));
}

/// Takes the tables away that the first releases did not have.
void make_old(store_fixture& on) {
  environment env{on.directory.data(), on.options, on.hooks, on.log};
  auto txn = begin_write(env.handle());
  for (const auto young : {env.all().removed, env.all().peers})
    REQUIRE(mdb_drop(txn.get(), young, 1) == 0);
  commit(std::move(txn));
}

unsigned mode_of(const std::string& path) {
  struct stat found {};
  ::stat(path.c_str(), &found);
  return found.st_mode & 0777U;
}

} // namespace

TEST_CASE_METHOD(store_fixture, "store counts incarnations and keeps its ids") {
  open();
  const auto first = store->who();
  CHECK(first.node_uuid.size() == 32);
  CHECK(first.disk_uuid.size() == 32);
  CHECK(first.incarnation == 1);
  CHECK(first.node_number
        == std::stoul(first.node_uuid.substr(0, 8), nullptr, 16));
  put(make_message("bob", 1), {}, true);
  CHECK(store->who().commits == 1);
  reopen();
  const auto second = store->who();
  CHECK(second.node_uuid == first.node_uuid);
  CHECK(second.disk_uuid == first.disk_uuid);
  CHECK(second.incarnation == 2);
  CHECK(second.commits == 1);
}

TEST_CASE_METHOD(store_fixture, "store keeps others out of its files") {
  open();
  CHECK(mode_of(directory.data()) == 0700);
  CHECK(mode_of(directory.data() + "/data.mdb") == 0600);
  CHECK(mode_of(directory.data() + "/lock.mdb") == 0600);
}

TEST_CASE_METHOD(store_fixture, "store refuses a directory that is in use") {
  open();
  test::recorded_sink other;
  CHECK_THROWS_WITH(
    (lmdb_store{directory.data(), options, ttl, 1, other, log, hooks}),
    Contains("in use by another node"));
  put(make_message("bob", 1));
  CHECK(sink.count(outcome::committed) == 1);
}

TEST_CASE_METHOD(store_fixture, "store refuses another format, untouched") {
  open();
  put(make_message("bob", 1));
  store.reset();
  overwrite_meta(*this, "format", encode_number(999));
  const auto data = directory.data() + "/data.mdb";
  const auto before = std::filesystem::last_write_time(data);
  CHECK_THROWS_WITH(open(), Contains("format 999"));
  CHECK(std::filesystem::last_write_time(data) == before);
}

TEST_CASE_METHOD(store_fixture, "store refuses another node's environment") {
  open();
  store.reset();
  {
    std::ofstream node{directory.data() + "/node"};
    node << std::string(32, 'a') << "\n";
  }
  CHECK_THROWS_WITH(open(), Contains("belongs to node"));
}

TEST_CASE_METHOD(store_fixture,
                 "store refuses file systems of other machines") {
  hooks.file_system = [](const std::string&) { return 0x6969; };
  CHECK_THROWS_WITH(open(), Contains("NFS"));
  hooks.file_system = [](const std::string&) { return 0x01021997; };
  CHECK_THROWS_WITH(open(), Contains("9p"));
  hooks.file_system = [](const std::string&) { return 0x01021994; };
  open();
  CHECK(log.contains("tmpfs"));
}

TEST_CASE_METHOD(store_fixture, "store refuses a file as its directory") {
  {
    std::ofstream file{directory.data()};
    file << "x";
  }
  CHECK_THROWS_WITH(open(), Contains("not a directory"));
}

TEST_CASE_METHOD(store_fixture, "store refuses a map smaller than its data") {
  open();
  for (unsigned n = 1; n <= 100; ++n)
    put(make_message("bob", n, 60'000));
  store.reset();
  options.max_bytes = core::MiB;
  CHECK_THROWS_WITH(open(), Contains("storage.max_bytes"));
}

TEST_CASE_METHOD(store_fixture, "backup copies a running store consistently") {
  options.settle_after = core::milliseconds{0};
  open();
  for (unsigned n = 1; n <= 300; ++n)
    put(make_message("bob", n, n % 10 == 0 ? 5000 : 100));
  const auto target = directory.path() + "/copy";
  // Writes go on meanwhile.
  std::vector<request> more;
  for (unsigned n = 301; n <= 3000; ++n)
    more.push_back({0, 0, op::put{make_message("carol", n), {}, false}});
  asked += more.size();
  store->submit(std::move(more));
  REQUIRE(run_tool({"backup", directory.data(), target}) == 0);
  CHECK(run_tool({"verify", target}) == 0);
  CHECK(run_tool({"verify", directory.data()}) == 0);
  // An existing target is somebody's backup.
  CHECK(run_tool({"backup", directory.data(), target}) == 2);
  sink.wait_for(asked);
  const auto original = store->who();
  store.reset();
  test::recorded_sink other;
  lmdb_store copy{target, options, ttl, 1, other, log, hooks};
  CHECK(copy.snapshot("bob").pending.size() == 300);
  CHECK(copy.who().node_uuid == original.node_uuid);
  CHECK(copy.who().disk_uuid != original.disk_uuid);
  const auto disk = copy.who().disk_uuid;
  copy.close();
}

TEST_CASE_METHOD(store_fixture,
                 "store takes a new disk uuid only once a copy") {
  open();
  put(make_message("bob", 1));
  const auto original = store->who().disk_uuid;
  store.reset();
  const auto copy = directory.path() + "/moved";
  std::filesystem::copy(directory.data(), copy);
  test::recorded_sink other;
  std::string disk;
  {
    lmdb_store first{copy, options, ttl, 1, other, log, hooks};
    disk = first.who().disk_uuid;
    CHECK(disk != original);
    CHECK(log.contains("restored or copied"));
  }
  lmdb_store second{copy, options, ttl, 1, other, log, hooks};
  CHECK(second.who().disk_uuid == disk);
}

TEST_CASE("backup and verify refuse a directory without a store") {
  const test::temporary_directory directory;
  CHECK(run_tool({"verify", directory.path()}) == 2);
  CHECK(run_tool({"backup", directory.path(), directory.path() + "/b"}) == 2);
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/b"));
}

TEST_CASE_METHOD(store_fixture, "store verifies itself after an I/O error") {
  open();
  put(make_message("bob", 1));
  store.reset();
  {
    std::ofstream marker{directory.data() + "/suspect"};
    marker << "Input/output error\n";
  }
  open();
  CHECK(log.contains("verified: 0 damaged"));
  CHECK_FALSE(std::filesystem::exists(directory.data() + "/suspect"));
  CHECK(pending("bob").size() == 1);
}

TEST_CASE_METHOD(store_fixture, "store begins anew after a cut first start") {
  const auto data = directory.data() + "/data.mdb";
  std::filesystem::create_directory(directory.data());
  {
    // The two first pages as a power cut leaves them: one of them missing.
    std::ofstream file{data, std::ios::binary};
    file << std::string(8192, '\0');
  }
  open();
  put(make_message("bob", 1));
  CHECK(std::filesystem::exists(data + ".unfinished"));
  store.reset();
  // A store that has been in use is never set aside.
  {
    std::ofstream file{data, std::ios::binary};
    file << std::string(8192, '\0');
  }
  CHECK_THROWS_WITH(open(), Contains("MDB_INVALID"));
  CHECK(std::filesystem::file_size(data) == 8192);
}

TEST_CASE_METHOD(store_fixture, "store opens a folder of an earlier release") {
  open();
  const auto message = make_message("bob", 1);
  put(message);
  store.reset();
  make_old(*this);
  // Readers of other processes do without, until a node has opened it.
  CHECK(verify(directory.data()).problems.empty());
  CHECK(run_tool({"backup", directory.data(), directory.path() + "/copy"})
        == 0);
  CHECK(verify(directory.path() + "/copy").journal_records == 1);
  open();
  CHECK(pending("bob") == std::vector{message->serverid});
  CHECK(store->peers().empty());
  CHECK(store->list_bucket(core::bucket_of("bob")).removals.empty());
  run({op::remove{"bob", message->serverid, remembrance::always},
       op::note_peer{"n", "d", 1}, op::note_members{"n"}});
  reopen();
  CHECK(store->status().removals == 1);
  CHECK(store->peers().size() == 1);
  CHECK(store->members() == "n");
  // And they are in its backups.
  const auto full = directory.path() + "/full";
  CHECK(run_tool({"backup", directory.data(), full}) == 0);
  CHECK(verify(full).problems.empty());
  store.reset();
  std::filesystem::remove_all(directory.data());
  std::filesystem::rename(full, directory.data());
  open();
  CHECK(store->status().removals == 1);
  CHECK(store->members() == "n");
}

TEST_CASE_METHOD(store_fixture,
                 "store's commit counter never goes back on its own disk") {
  open();
  std::uint64_t last = 0;
  std::vector<std::uint64_t> seen;
  for (unsigned n = 1; n <= 20; ++n) {
    put(make_message("bob", n));
    // What has been told to others is on disk.
    last = store->who().commits;
    seen.push_back(last);
    if (n % 5 == 0) {
      reopen();
      CHECK(store->who().commits >= last);
    }
  }
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}
