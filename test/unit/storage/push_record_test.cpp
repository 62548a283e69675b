#include "storage/push_format.hpp"
#include "storage/record_format.hpp"
#include "test/unit/storage/store_fixture.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>
#include <string>

using namespace vartalap;
using namespace vartalap::storage;
using namespace vartalap::test;

namespace {

core::push_record record(std::uint64_t episode, bool done = false) {
  core::push_record out;
  out.episode = episode;
  out.raised = 1'700'000'000'000;
  out.done = done;
  return out;
}

struct push_store : store_fixture {
  std::map<std::string, core::push_record> pushes() {
    std::map<std::string, core::push_record> out;
    for (auto& [user, one] : store->list_pushes({}, 1000).records)
      out[user] = std::move(one);
    return out;
  }
  /// What a message that raises the event, and its mailbox, submit.
  void raise(const std::string& user, unsigned n, std::uint64_t episode) {
    run({op::put{make_message(user, n), {}, true},
         op::note_push{user, record(episode), true, true}});
  }
};

} // namespace

TEST_CASE("a push record is read as it was written", "[push]") {
  auto one = record(0xFEDCBA9876543210, true);
  one.targets.push_back({"phone", 65'535, true, 1});
  one.targets.push_back({std::string(64, 'd'), 2, false, ~std::uint64_t{0}});
  std::string value;
  encode_push(value, "key", one);
  CHECK(read_push("key", value) == one);
  CHECK_FALSE(read_push("other", value));
  for (std::size_t i = 1; i < value.size(); ++i)
    CHECK_FALSE(read_push("key", value.substr(0, i)));
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto damaged = value;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    CHECK_FALSE(read_push("key", damaged));
  }
  CHECK(read_push("key", "") == core::push_record{});
}

TEST_CASE("a device is read with its push target, and without", "[push]") {
  core::device_record device{"phone", 123, {7, 8}, 9, {}};
  std::string value;
  encode_device(value, "key", device);
  CHECK(value.size() == 37); // as it was before there were targets
  CHECK(read_device("key", "phone", value) == device);
  device.push = core::push_target{core::push_platform::webpush,
                                  std::string(2048, 't'), 5};
  encode_device(value, "key", device);
  CHECK(read_device("key", "phone", value) == device);
  device.push = core::push_target{core::push_platform::none, {}, 6};
  encode_device(value, "key", device);
  CHECK(read_device("key", "phone", value) == device);
}

TEST_CASE_METHOD(push_store, "an event's progress outlives a restart",
                 "[push]") {
  open();
  raise("bob", 1, 77);
  auto next = record(77);
  next.targets.push_back({"phone", 3, false, 1234});
  run({op::note_push{"bob", next, false, false}});
  reopen();
  CHECK(pushes() == std::map<std::string, core::push_record>{{"bob", next}});
  CHECK(store->snapshot("bob").offline_raised);
  run({op::note_push{"bob", record(77, true), false, false}});
  reopen();
  // Done, and yet raised: it is not begun again by the next message.
  CHECK(pushes().empty());
  CHECK(store->snapshot("bob").offline_raised);
}

TEST_CASE_METHOD(push_store, "progress of an event that is over changes none",
                 "[push]") {
  open();
  raise("bob", 1, 77);
  run({op::clear_offline{"bob"}});
  run({op::note_push{"bob", record(77, true), false, false}});
  CHECK_FALSE(store->snapshot("bob").offline_raised);
  raise("bob", 2, 78);
  run({op::note_push{"bob", record(77, true), false, false}});
  CHECK(pushes().at("bob").episode == 78);
}

TEST_CASE_METHOD(push_store, "an event needs the put that carries it",
                 "[push]") {
  open();
  run({op::note_push{"bob", record(77), true, true}});
  CHECK(pushes().empty());
  // Or it is raised by itself, when a connection was lost.
  run({op::note_push{"bob", record(78), true, false}});
  CHECK(pushes().at("bob").episode == 78);
}

TEST_CASE_METHOD(push_store, "an event whose put annihilates is still stored",
                 "[push]") {
  open();
  const auto message = make_message("bob", 1);
  {
    held_writer held{*this};
    held.submit({op::put{message, {}, true},
                 op::note_push{"bob", record(77), true, true},
                 op::remove{"bob", message->serverid}});
    held.release();
  }
  CHECK(pushes().at("bob").episode == 77);
}

TEST_CASE_METHOD(push_store, "what waited at a crash is raised as new",
                 "[push]") {
  open();
  put(make_message("bob", 1));
  raise("eve", 1, 5);
  reopen();
  CHECK(pushes().at("bob") == core::push_record{});
  CHECK(pushes().at("eve").episode == 5);
}

TEST_CASE_METHOD(push_store, "pages of events follow each other", "[push]") {
  open();
  for (unsigned i = 0; i < 30; ++i)
    raise("user" + std::to_string(i), i + 1, i + 1);
  for (unsigned i = 0; i < 30; i += 3)
    run({op::note_push{"user" + std::to_string(i), record(i + 1, true), false,
                       false}});
  CHECK(raised().size() == 20);
}

TEST_CASE_METHOD(push_store, "a device keeps the later of two push targets",
                 "[push]") {
  open();
  const auto target
    = [&] { return store->snapshot("bob").devices.at(0).push.get().token; };
  core::device_record device{"phone", 100, {}, 0, {}};
  device.push = core::push_target{core::push_platform::fcm, "t1", 10};
  run({op::put_device{"bob", device}});
  device.push = core::push_target{core::push_platform::fcm, "t0", 9};
  run({op::merge_device{"bob", device}});
  CHECK(target() == "t1");
  device.push = core::push_target{core::push_platform::none, "", 11};
  run({op::merge_device{"bob", device}});
  CHECK(target().empty());
}

TEST_CASE_METHOD(push_store, "a push target outlives a restart", "[push]") {
  open();
  core::device_record phone{"phone", 100, {}, 0, {}};
  phone.push = core::push_target{core::push_platform::apns, "t1", 10};
  const core::device_record tab{"tab", 100, {}, 0, {}};
  run({op::put_device{"bob", phone}, op::put_device{"bob", tab}});
  reopen();
  CHECK(store->snapshot("bob").devices == std::vector{phone, tab});
  // The next device of that name begins without one.
  run({op::erase_device{"bob", "phone", 100}});
  run({op::put_device{"bob", {"phone", 101, {}, 0, {}}}});
  reopen();
  CHECK(store->snapshot("bob").devices.at(0).push.get() == core::push_target{});
}

TEST_CASE_METHOD(push_store, "verify reads push records", "[push]") {
  open();
  raise("bob", 1, 77);
  store.reset();
  CHECK(verify(directory.data()).problems.empty());
}
