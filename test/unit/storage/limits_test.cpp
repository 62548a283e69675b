#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

using namespace vartalap;
using namespace vartalap::storage;
using test::make_message;
using test::store_fixture;

namespace {

constexpr core::wall_ms hour = 3'600'000;

/// Puts until one is refused. @returns The messages that were confirmed.
std::vector<core::envelope_ptr> fill(store_fixture& on, std::size_t bytes,
                                     unsigned puts_max) {
  std::vector<core::envelope_ptr> stored;
  for (unsigned n = 1; n <= puts_max; ++n) {
    auto message
      = std::make_shared<core::envelope>(*make_message("bob", n, bytes));
    // Content of its own: nothing is to be shared here.
    const auto text = std::to_string(n);
    message->content.replace(0, text.size(), text);
    on.put(message);
    const auto result = on.sink.of(message->serverid).back();
    if (result == outcome::full)
      return stored;
    REQUIRE(result == outcome::committed);
    stored.push_back(message);
  }
  return {};
}

/// Removes all, then puts until the store takes messages again.
void empty_and_recover(store_fixture& on,
                       const std::vector<core::envelope_ptr>& stored) {
  for (const auto& message : stored)
    on.run({op::remove{"bob", message->serverid}});
  for (unsigned n = 0; n < 1'000'000; ++n) {
    const auto message = make_message("carol", 50'000 + n % 10'000);
    on.put(message);
    if (on.sink.of(message->serverid).back() == outcome::committed)
      return;
  }
  FAIL("the store does not recover");
}

/// A tmpfs of that size, where mounting is allowed.
class small_disk {
public:
  small_disk(const std::string& at, const char* size) : at_(at) {
    ::mkdir(at.c_str(), 0700);
    mounted_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, size) == 0;
  }
  ~small_disk() {
    if (mounted_)
      ::umount(at_.c_str());
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  bool mounted() const noexcept {
    return mounted_;
  }

private:
  std::string at_;
  bool mounted_ = false;
};

} // namespace

TEST_CASE_METHOD(store_fixture, "store refuses messages when the map fills") {
  options.max_bytes = 4 * core::MiB;
  open();
  const auto stored = fill(*this, 30'000, 500);
  REQUIRE_FALSE(stored.empty());
  CHECK_FALSE(store->status().accepting);
  CHECK_FALSE(store->status().failed);
  CHECK(log.contains("no room"));
  // What was confirmed is there, also after a restart in this state.
  CHECK(pending("bob").size() == stored.size());
  reopen();
  CHECK(pending("bob").size() == stored.size());
  empty_and_recover(*this, stored);
  CHECK(store->status().accepting);
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture, "store answers one batch that overfills it") {
  options.max_bytes = 2 * core::MiB;
  open();
  const auto known = make_message("bob", 1);
  put(known);
  std::vector<operation> batch;
  batch.emplace_back(op::remove{"bob", known->serverid});
  for (unsigned n = 2; n < 2000; ++n)
    batch.emplace_back(op::put{make_message("bob", n, 1000), {}, false});
  run(std::move(batch));
  // The batch did not fit: its puts were refused, its remove was done.
  CHECK(sink.count(outcome::full) == 1998);
  CHECK(pending("bob").empty());
  CHECK_FALSE(store->status().failed);
  empty_and_recover(*this, {});
}

TEST_CASE_METHOD(store_fixture, "store refuses messages when the disk is low") {
  std::atomic<std::uint64_t> free{10 * core::GiB};
  hooks.free_bytes_min = 512 * core::MiB;
  hooks.space = [&](const std::string&) {
    return disk_space{10 * core::GiB, free};
  };
  open();
  const auto first = make_message("dave", 1);
  put(first);
  free = 512 * core::MiB - 1;
  const auto stored = fill(*this, 10, 10'000'000);
  CHECK_FALSE(store->status().accepting);
  CHECK(store->status().disk_free_bytes == 512 * core::MiB - 1);
  run({op::remove{"dave", first->serverid}});
  CHECK(pending("dave").empty());
  CHECK(pending("bob").size() == stored.size());
  free = 512 * core::MiB;
  empty_and_recover(*this, {});
}

TEST_CASE_METHOD(store_fixture, "store survives a disk that is really full") {
  const auto mount_point = directory.path() + "/data";
  const small_disk disk{mount_point, "size=4m"};
  if (!disk.mounted()) {
    WARN("mounting is not possible here: skipped");
    return;
  }
  open();
  CHECK(log.contains("tmpfs"));
  const auto stored = fill(*this, 30'000, 500);
  REQUIRE_FALSE(stored.empty());
  CHECK_FALSE(store->status().failed);
  CHECK(sink.failures == 0);
  CHECK(pending("bob").size() == stored.size());
  empty_and_recover(*this, stored);
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture, "store expires old messages, in either tier") {
  std::atomic<core::wall_ms> ahead{0};
  hooks.wall_clock = [&] { return test::wall_now() + ahead; };
  ttl = core::milliseconds{hour / 2};
  options.sweep_interval = core::milliseconds{1};
  const auto settled = GENERATE(false, true);
  options.settle_after = core::milliseconds{settled ? 0LL : 3'600'000LL};
  open();
  const auto old = make_message("bob", 1, 2000);
  const auto fresh = make_message("bob", 2, 2000, test::wall_now() + hour / 2);
  put(old);
  put(fresh);
  if (settled)
    wait_for_journal(0);
  CHECK(pending("bob").size() == 2);
  ahead = hour / 2 + 60'000;
  sink.wait_until([&] { return !sink.expirations.empty(); });
  CHECK(sink.expirations["bob"] == std::vector{old->serverid});
  CHECK(pending("bob") == std::vector{fresh->serverid});
  CHECK(store->status().expired == 1);
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}

TEST_CASE_METHOD(store_fixture, "store deletes nothing when the clock jumps") {
  std::atomic<core::wall_ms> ahead{0};
  hooks.wall_clock = [&] { return test::wall_now() + ahead; };
  options.sweep_interval = core::milliseconds{1};
  options.settle_after = core::milliseconds{0};
  open();
  put(make_message("bob", 1));
  ahead = 40 * 24 * hour;
  run({op::clear_offline{"bob"}});
  CHECK(store->status().expiry_paused);
  CHECK(log.contains("the wall clock has jumped"));
  wait_for_journal(0);
  CHECK(pending("bob").size() == 1);
  CHECK(store->status().expired == 0);
  store->resume_expiry();
  sink.wait_until([&] { return !sink.expirations.empty(); });
  CHECK(pending("bob").empty());
  CHECK_FALSE(store->status().expiry_paused);
}

TEST_CASE_METHOD(store_fixture, "store deletes nothing at a start long after") {
  options.sweep_interval = core::milliseconds{1};
  const auto long_ago = test::wall_now() - 40 * 24 * hour;
  hooks.wall_clock = [&] { return long_ago; };
  open();
  put(make_message("bob", 1, 100, long_ago));
  hooks.wall_clock = nullptr;
  reopen();
  run({op::clear_offline{"bob"}});
  CHECK(store->status().expiry_paused);
  CHECK(pending("bob").size() == 1);
  store->resume_expiry();
  sink.wait_until([&] { return !sink.expirations.empty(); });
  CHECK(pending("bob").empty());
}
