#include "test/unit/core/mailbox_fixture.hpp"

#include <catch2/catch.hpp>

using namespace vartalap;
using namespace vartalap::test;
using core::push_platform;

namespace {

struct push_mailbox : mailbox_fixture {
  bool set(const std::string& device, const std::string& token,
           push_platform platform = push_platform::fcm) {
    out.clear();
    return box->set_push_target(device, platform, token, now, out);
  }

  /// A message that is durable, for a device that is away.
  core::server_id store(const std::string& id) {
    const auto serverid = receive(id);
    const auto raised = out;
    committed(serverid);
    out = raised;
    return serverid;
  }
};

} // namespace

TEST_CASE_METHOD(push_mailbox, "a push target is kept with its device",
                 "[push]") {
  REQUIRE(set("phone", "t1"));
  const auto puts = all<core::effect::put_device>();
  REQUIRE_FALSE(puts.empty());
  CHECK(puts.back().record.name == "phone");
  CHECK(puts.back().record.push.get().token == "t1");
  CHECK(puts.back().record.push.get().since == now.wall);
  // Said again, it is not written again.
  REQUIRE(set("phone", "t1"));
  CHECK(count<core::effect::put_device>() == 0);
  REQUIRE(set("phone", "t2"));
  CHECK(all<core::effect::put_device>().back().record.push.get().since
        > now.wall); // later than the first, whatever the clock says
}

TEST_CASE_METHOD(push_mailbox, "only targets of devices that owe are told",
                 "[push]") {
  set("phone", "t1");
  set("tab", "t2", push_platform::apns);
  set("bare", "", push_platform::none);
  const auto first = store("m1");
  auto view = box->look_for_push();
  CHECK(view.waiting);
  CHECK(view.pending == 1);
  CHECK(view.newest == first);
  CHECK(view.devices == std::vector<std::string>{"phone", "tab", "bare"});
  REQUIRE(view.targets.size() == 2);
  CHECK(view.targets[1].first == "tab");
  CHECK(view.targets[1].second.platform == push_platform::apns);
  ack("phone", first);
  view = box->look_for_push();
  REQUIRE(view.targets.size() == 1);
  CHECK(view.targets[0].first == "tab");
}

TEST_CASE_METHOD(push_mailbox, "nobody waits once a device is connected",
                 "[push]") {
  set("phone", "t1");
  store("m1");
  attach("phone", 1);
  CHECK(count<core::effect::clear_offline>() == 1);
  CHECK_FALSE(box->look_for_push().waiting);
}

TEST_CASE_METHOD(push_mailbox, "nobody waits once everything is acknowledged",
                 "[push]") {
  set("phone", "t1");
  const auto serverid = store("m1");
  CHECK(all<core::effect::notify_offline>().at(0).stored);
  ack("phone", serverid);
  CHECK(count<core::effect::clear_offline>() == 1);
  CHECK_FALSE(box->look_for_push().waiting);
}

TEST_CASE_METHOD(push_mailbox, "an event without a store says so", "[push]") {
  set("phone", "t1");
  attach("phone", 1);
  const auto serverid = receive("m1");
  pass(2s); // spilled
  committed(serverid);
  detach(1);
  const auto events = all<core::effect::notify_offline>();
  REQUIRE(events.size() == 1);
  CHECK_FALSE(events[0].stored);
}

TEST_CASE_METHOD(push_mailbox, "a target that comes late is told what waits",
                 "[push]") {
  set("phone", "", push_platform::none);
  store("m1");
  set("phone", "t1");
  CHECK(count<core::effect::clear_offline>() == 1);
  CHECK(count<core::effect::notify_offline>() == 1);
  CHECK(box->look_for_push().waiting);
}

TEST_CASE_METHOD(push_mailbox, "a dead token goes, a newer one stays",
                 "[push]") {
  set("phone", "t2");
  out.clear();
  box->drop_push_target("phone", "t1", now, out);
  box->drop_push_target("nobody", "t2", now, out);
  CHECK(out.empty());
  box->drop_push_target("phone", "t2", now, out);
  const auto puts = all<core::effect::put_device>();
  REQUIRE(puts.size() == 1);
  CHECK(puts[0].record.push.get().platform == push_platform::none);
  CHECK(puts[0].record.push.get().token.empty());
  CHECK(puts[0].record.push.get().since > now.wall);
  store("m1");
  CHECK(box->look_for_push().targets.empty());
}

TEST_CASE_METHOD(push_mailbox, "a device in a freed slot inherits no target",
                 "[push]") {
  set("phone", "t1");
  out.clear();
  box->remove_device("phone", now, out);
  REQUIRE(count<core::effect::erase_device>() == 1);
  out.clear();
  REQUIRE(box->add_device("tab", now, out));
  const auto puts = all<core::effect::put_device>();
  REQUIRE(puts.size() == 1);
  CHECK(puts[0].record.push.get() == core::push_target{});
  store("m1");
  const auto view = box->look_for_push();
  CHECK(view.devices == std::vector<std::string>{"tab"});
  CHECK(view.targets.empty());
  // Nor does the same device, once it is back.
  out.clear();
  REQUIRE(box->add_device("phone", now, out));
  CHECK(box->look_for_push(true).targets.empty());
}

TEST_CASE_METHOD(push_mailbox,
                 "a device that pushes out an idle one is told "
                 "nothing of it",
                 "[push]") {
  limits.devices_per_user = 1;
  set("phone", "t1");
  pass(delivery.device_idle + 1s);
  out.clear();
  REQUIRE(box->add_device("tab", now, out));
  REQUIRE(count<core::effect::erase_device>() == 1);
  store("m1");
  CHECK(box->look_for_push(true).devices == std::vector<std::string>{"tab"});
  CHECK(box->look_for_push(true).targets.empty());
}

TEST_CASE_METHOD(push_mailbox, "a target survives a reopening of the mailbox",
                 "[push]") {
  set("bare", "", push_platform::none);
  set("phone", "t1");
  set("tab", "t2", push_platform::apns);
  out.clear();
  box->drop_push_target("tab", "t2", now, out);
  const auto before = box->devices();
  core::mailbox_snapshot snapshot;
  snapshot.devices = before;
  open(std::move(snapshot));
  CHECK(box->devices() == before);
  const auto targets = box->look_for_push(true).targets;
  REQUIRE(targets.size() == 1);
  CHECK(targets[0].first == "phone");
  CHECK(targets[0].second
        == core::push_target{push_platform::fcm, "t1", now.wall});
  // When the other one was removed is known as well: the record that another
  // node still has of it is older.
  core::device_record other;
  other.name = "tab";
  other.push = core::push_target{push_platform::apns, "t2", now.wall};
  box->merge_device(other, now, out);
  CHECK(box->look_for_push(true).targets.size() == 1);
  // And what is written of the device later has the target still.
  attach("phone", 1);
  detach(1);
  const auto puts = all<core::effect::put_device>();
  REQUIRE_FALSE(puts.empty());
  CHECK(puts.back().record.name == "phone");
  CHECK(puts.back().record.push.get().token == "t1");
}

TEST_CASE_METHOD(push_mailbox, "of two records of a target the later counts",
                 "[push]") {
  set("phone", "t1");
  core::device_record other;
  other.name = "phone";
  other.push = core::push_target{push_platform::apns, "t2", now.wall + 5};
  box->merge_device(other, now, out);
  store("m1");
  CHECK(box->look_for_push().targets.at(0).second.token == "t2");
  other.push = core::push_target{push_platform::apns, "t3", now.wall + 4};
  box->merge_device(other, now, out);
  CHECK(box->look_for_push().targets.at(0).second.token == "t2");
}

TEST_CASE_METHOD(push_mailbox, "another node's new device brings its target",
                 "[push]") {
  core::device_record other;
  other.name = "phone";
  other.push = core::push_target{push_platform::apns, "t2", now.wall};
  out.clear();
  box->merge_device(other, now, out);
  CHECK(all<core::effect::put_device>().back().record.push.get().token == "t2");
}

TEST_CASE_METHOD(push_mailbox, "an event whose messages have gone hides none",
                 "[push]") {
  core::mailbox_snapshot snapshot;
  snapshot.devices.push_back({"phone", now.wall, {}, 0, {}});
  snapshot.offline_raised = true;
  open(std::move(snapshot));
  receive("m1");
  CHECK(count<core::effect::notify_offline>() == 1);
}

TEST_CASE_METHOD(push_mailbox,
                 "a message that meets its twin wakes nobody again", "[push]") {
  set("phone", "t1");
  const auto id = store("m1");
  CHECK(count<core::effect::notify_offline>() == 1);
  auto copy = message("m1");
  copy->serverid = {id.high + 1, id.low};
  copy->server_timestamp = copy->serverid.clock_ms();
  out.clear();
  box->merge(copy, {}, now, out);
  CHECK(count<core::effect::clear_offline>() == 0);
  CHECK(count<core::effect::notify_offline>() == 0);
  const auto view = box->look_for_push();
  CHECK(view.waiting);
  CHECK(view.newest == copy->serverid);
  // Once a device has it, it is over.
  attach("phone", 1);
  CHECK(count<core::effect::clear_offline>() == 1);
}

TEST_CASE_METHOD(push_mailbox, "what comes late from another node wakes",
                 "[push]") {
  context.may_merge = true; // what goes out is remembered
  set("phone", "t1");
  attach("phone", 1);
  const auto newer = receive("m2");
  ack("phone", newer);
  detach(1);
  auto late = message("m1");
  late->serverid = {newer.high - 1, newer.low};
  out.clear();
  box->merge(late, {}, now, out);
  // Under its new id it is stored, and the event with it, once.
  REQUIRE(count<core::effect::store>() == 1);
  CHECK(all<core::effect::store>().front().raise_offline);
  REQUIRE(count<core::effect::notify_offline>() == 1);
  CHECK(all<core::effect::notify_offline>().front().stored);
  CHECK(newer < box->look_for_push().newest);
}
