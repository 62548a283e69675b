// Windows, retries, devices, memory: one rule a test.

#include "test/unit/core/mailbox_fixture.hpp"

#include <catch2/catch.hpp>

namespace vartalap::test {

using core::server_id;
namespace effect = core::effect;

namespace {

/// Runs all retries of connection `id` out, everything being written.
void exhaust(mailbox_fixture& f, core::attachment_id id) {
  f.box->written(id, 1000, f.now.mono);
  for (unsigned i = 0; i <= f.delivery.max_retries; ++i) {
    f.pass(f.delivery.ack_timeout * (1 << i));
    f.box->written(id, 1000, f.now.mono);
  }
}

} // namespace

TEST_CASE_METHOD(mailbox_fixture, "mailbox delivers a window and no more") {
  delivery.window = 2;
  const auto first = receive("m1");
  receive("m2");
  receive("m3");
  attach("phone", 1);
  CHECK(delivered(1) == "m1 m2");
  ack("phone", first);
  CHECK(delivered(1) == "m3");
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox delivers window_bytes, but at least one message") {
  delivery.window_bytes = 1;
  const auto first = receive("m1");
  receive("m2");
  attach("phone", 1);
  CHECK(delivered(1) == "m1");
  ack("phone", first);
  CHECK(delivered(1) == "m2");
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox stores at once what a full window holds up") {
  delivery.window = 1;
  attach("phone", 1);
  receive("m1");
  CHECK(count<effect::store>() == 0);
  receive("m2");
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox counts the ack timeout from when a delivery was "
                 "written") {
  attach("phone", 1);
  receive("m1");
  pass(delivery.ack_timeout - 1ms);
  box->written(1, 1, now.mono);
  pass(delivery.ack_timeout - 1us);
  CHECK(count<effect::deliver>() == 0);
  pass(1us);
  CHECK(count<effect::deliver>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox resends with backoff and then closes with 4008") {
  delivery.max_retries = 2;
  attach("phone", 1);
  receive("m1");
  box->written(1, 1, now.mono);
  pass(delivery.ack_timeout - 1us);
  CHECK(count<effect::deliver>() == 0);
  pass(1us);
  CHECK(all<effect::deliver>().at(0).attempt == 1);
  box->written(1, 2, now.mono);
  pass(2 * delivery.ack_timeout - 1us);
  CHECK(count<effect::deliver>() == 0);
  pass(1us);
  CHECK(all<effect::deliver>().at(0).attempt == 2);
  box->written(1, 3, now.mono);
  pass(4 * delivery.ack_timeout);
  CHECK(count<effect::deliver>() == 0);
  REQUIRE(count<effect::close>() == 1);
  CHECK(all<effect::close>()[0].reason == effect::close_reason::undelivered);
  CHECK(count<effect::notify_offline>() == 1);
  CHECK(counters.undelivered == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox starts no ack timer before the frame is written") {
  attach("phone", 1);
  receive("m1");
  pass(10 * delivery.ack_timeout);
  CHECK(count<effect::deliver>() == 0);
  CHECK(count<effect::close>() == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox tries an undelivered message first and alone") {
  delivery.max_retries = 0;
  attach("phone", 1);
  receive("m1");
  receive("m2");
  const auto third = receive("m3");
  exhaust(*this, 1);
  attach("phone", 2);
  CHECK(delivered(2) == "m1");
  receive("m4");
  CHECK(count<effect::deliver>() == 0);
  box->written(2, 1, now.mono);
  pass(delivery.ack_timeout);
  CHECK(delivered(2) == "m2 m3 m4 m1"); // it went behind the others
  CHECK(count<effect::close>() == 0);
  CHECK(counters.stuck == 1);
  CHECK(ack("phone", third));
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox calls stuck what ends a connection while alone") {
  delivery.max_retries = 0;
  attach("phone", 1);
  receive("m1");
  receive("m2");
  exhaust(*this, 1);
  attach("phone", 2);
  detach(2); // it was not even written
  CHECK(counters.stuck == 0);
  attach("phone", 3);
  CHECK(delivered(3) == "m1");
  box->written(3, 1, now.mono);
  detach(3);
  CHECK(counters.stuck == 1);
  attach("phone", 4);
  CHECK(delivered(4) == "m2 m1");
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox is not blocked by a stuck message") {
  delivery.max_retries = 0;
  attach("phone", 1);
  const auto stuck = receive("m1");
  exhaust(*this, 1);
  attach("phone", 2);
  exhaust(*this, 2); // alone, in vain
  exhaust(*this, 2); // behind the others, in vain
  CHECK(count<effect::close>() == 0);
  const auto next = receive("m2");
  CHECK(delivered(2) == "m2");
  CHECK(ack("phone", next));
  CHECK(counters.stuck == 1);
  CHECK(ack("phone", stuck));
  CHECK(counters.stuck == 0);
  CHECK(counters.pending == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox replaces an older connection of the same device") {
  attach("phone", 1);
  receive("m1");
  attach("phone", 2);
  REQUIRE(count<effect::close>() == 1);
  CHECK(all<effect::close>()[0].which == 1);
  CHECK(all<effect::close>()[0].reason == effect::close_reason::replaced);
  CHECK(delivered(2) == "m1");
  detach(1); // late
  CHECK(out.empty());
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox gives a new device what is pending then") {
  attach("phone", 1);
  const auto id = receive("m1");
  attach("laptop", 2);
  CHECK(delivered(2) == "m1");
  ack("phone", id);
  CHECK(count<effect::confirm>() == 0);
  ack("laptop", id);
  CHECK(count<effect::confirm>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox knows limits.devices_per_user devices and no more") {
  limits.devices_per_user = 2;
  attach("phone", 1);
  attach("laptop", 2);
  CHECK(count<effect::close>() == 0);
  attach("watch", 3);
  CHECK(all<effect::close>().at(0).reason
        == effect::close_reason::too_many_devices);
  CHECK_FALSE(box->add_device("watch", now, out));
  detach(2);
  now.wall += static_cast<core::wall_ms>(delivery.device_idle.count()) + 1;
  attach("watch", 4);
  CHECK(all<effect::erase_device>().at(0).name == "laptop");
  CHECK(count<effect::close>() == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox cancels a deleted device's debts and closes it") {
  attach("phone", 1);
  const auto id = receive("m1");
  out.clear();
  box->remove_device("phone", now, out);
  CHECK(all<effect::close>().at(0).reason == effect::close_reason::erased);
  CHECK(count<effect::erase_device>() == 1);
  CHECK(all<effect::confirm>().at(0).serverid == id);
  CHECK(counters.cancelled == 1);
  CHECK(counters.pending == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox at its quota cancels the debts of idle devices") {
  limits.mailbox_messages = 2;
  attach("phone", 1);
  detach(1);
  receive("m1");
  receive("m2");
  now.wall += static_cast<core::wall_ms>(delivery.device_idle.count()) + 1;
  const auto third = receive("m3");
  CHECK(count<effect::refuse>() == 0);
  CHECK(counters.cancelled == 2);
  CHECK(all<effect::put_device>().at(0).record.gap_count == 2);
  attach("phone", 2);
  CHECK(all<effect::deliver_gap>().at(0).count == 2);
  CHECK(delivered(2) == "m3");
  CHECK(ack("phone", third));
  attach("phone", 3);
  CHECK(count<effect::deliver_gap>() == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox reads from disk in order before what is live") {
  std::vector<core::envelope_ptr> disk;
  std::vector<server_id> stored;
  for (int i = 0; i < 100; ++i) {
    auto made = message(std::to_string(i));
    stored.push_back(receive(made));
    disk.push_back(made);
    committed(stored.back());
  }
  CHECK(counters.memory_bytes == 0); // nobody is there to need them
  attach("phone", 1);
  auto asked = all<effect::fetch>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].serverids
        == std::vector<server_id>(stored.begin(), stored.begin() + 64));
  receive("live");
  CHECK(count<effect::deliver>() == 0);
  CHECK(count<effect::fetch>() == 0); // one at a time
  out.clear();
  box->fetched(asked[0].serverids, {disk.begin(), disk.begin() + 64}, now, out);
  CHECK(count<effect::deliver>() == delivery.window);
  CHECK(all<effect::fetch>().at(0).serverids.size() == 36);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox gives up a stored message that is damaged") {
  const auto id = receive("m1");
  committed(id);
  attach("phone", 1);
  out.clear();
  box->fetched({id}, {}, now, out);
  CHECK(counters.quarantined == 1);
  CHECK(counters.pending == 0);
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox asks again after a failed fetch") {
  const auto id = receive("m1");
  committed(id);
  attach("phone", 1);
  REQUIRE(count<effect::fetch>() == 1);
  box->fetch_failed(now);
  pass(1s);
  CHECK(count<effect::fetch>() == 1);
  CHECK(counters.pending == 1);
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox forgets what has expired") {
  const auto id = receive("m1");
  committed(id);
  out.clear();
  box->expired({id, server_id{1, 2}}, now, out);
  CHECK(counters.expired == 1);
  CHECK(count<effect::remove>() == 0); // the sweep did that
  CHECK(count<effect::clear_offline>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox opens with what is on disk and knows its resends") {
  core::pending_record record;
  record.serverid = core::server_id_clock{1, 1}.next(now.wall + 500);
  record.key = core::make_dedupe_key("alice", "bob", "m1");
  record.content_hash = message("m1")->content_hash();
  record.server_timestamp = now.wall - 500;
  record.sender_hash = core::stable_hash("alice");
  record.weight = 300;
  record.acked = {"laptop"};
  open({{{"phone", 1, {}, 0}, {"laptop", 1, {}, 0}}, {record}, true});
  CHECK(counters.pending_at_open == 1);
  receive("m1");
  CHECK(all<effect::confirm>().at(0).serverid == record.serverid);
  CHECK(all<effect::confirm>().at(0).status == core::ack_status::delivered);
  CHECK(receive("m2") > record.serverid);
  CHECK(count<effect::notify_offline>() == 0); // raised before
  bool more = false;
  CHECK(box->list("phone", {}, 10, more).size() == 2);
  CHECK(box->list("laptop", {}, 10, more).size() == 1);
  CHECK(box->list("phone", {}, 1, more).size() == 1);
  CHECK(more);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox removes what a crash left though nobody owes it") {
  core::pending_record record;
  record.serverid = {1, 1};
  record.acked = {"phone"};
  open({{{"phone", 1, {}, 0}}, {record}, false});
  CHECK_FALSE(box->idle());
  pass(1ms);
  CHECK(count<effect::remove>() == 1);
  CHECK(counters.acknowledged == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox takes acknowledgements by id and by connection") {
  attach("phone", 1);
  receive("m1");
  receive("m2");
  auto from_group = message("g1");
  from_group->to = "group";
  receive(from_group);
  CHECK(box->ack_by_id("phone", "alice", "m1", now, out));
  CHECK_FALSE(box->ack_by_id("phone", "carol", "m2", now, out));
  CHECK(box->ack_by_id("phone", "alice", "g1", now, out));
  CHECK_FALSE(box->ack_in_flight(9, "m2", now, out));
  CHECK(box->ack_in_flight(1, "m2", now, out));
  CHECK(counters.pending == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox writes device records again after a failed commit") {
  attach("phone", 1);
  CHECK(count<effect::put_device>() == 1);
  box->op_done(true);
  pass(500ms);
  CHECK(count<effect::put_device>() == 0);
  pass(1s);
  CHECK(count<effect::put_device>() == 1);
  box->op_done();
  CHECK(box->next_deadline() == core::mono_time::max());
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox is small when it is idle") {
  // With its one device; what the vectors hold is given back by the timer.
  CHECK(sizeof(core::mailbox) + sizeof(core::mailbox_device) <= 360);
}

} // namespace vartalap::test
