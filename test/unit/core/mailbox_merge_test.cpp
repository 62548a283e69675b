// What other nodes do to a mailbox, and a mailbox that moves to one.

#include "test/unit/core/mailbox_fixture.hpp"

#include <catch2/catch.hpp>

namespace vartalap::test {

namespace effect = core::effect;
using core::durability;

namespace {

/// A message that another node has accepted, `ms` after the fixture's start.
core::envelope_ptr elsewhere(const std::string& id, int ms,
                             const std::string& from = "alice") {
  auto out = mailbox_fixture::message(id, from);
  out->serverid = {
    (1'700'000'000'000ULL + static_cast<std::uint64_t>(ms)) << 16, 0x200000002};
  out->server_timestamp = out->serverid.clock_ms();
  return out;
}

} // namespace

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox says on how many nodes a message is") {
  const auto id = receive("m1");
  out.clear();
  box->committed(id, now, out, 2);
  const auto confirmed = all<effect::confirm>();
  REQUIRE(confirmed.size() == 1);
  CHECK(static_cast<int>(confirmed[0].durability)
        == static_cast<int>(durability::disk) + 2);

  // A resend hears the same.
  receive("m1");
  const auto again = all<effect::confirm>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].durability == confirmed[0].durability);
}

TEST_CASE_METHOD(mailbox_fixture, "mailbox delivers what it merges, once") {
  attach("phone", 1);
  out.clear();
  const auto message = elsewhere("m1", 5);
  box->merge(message, {}, now, out);
  CHECK(delivered(1) == "m1");
  CHECK(count<effect::store>() == 0);
  CHECK(count<effect::confirm>() == 0);
  out.clear();
  box->merge(message, {}, now, out);
  CHECK(out.empty());
  CHECK(ack("phone", message->serverid));
  CHECK(count<effect::remove>() == 1);
  CHECK(counters.pending == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox gives a merged message that comes late a new "
                 "serverId, and removes the old one once that is safe") {
  context.may_merge = true;
  attach("phone", 1);
  const auto newer = receive("m2");
  CHECK(delivered(1) == "m2");
  out.clear();
  const auto older = elsewhere("m1", -1000);
  box->merge(older, {"web"}, now, out);
  const auto sent = all<effect::deliver>();
  REQUIRE(sent.size() == 1);
  const auto id = sent[0].message->serverid;
  CHECK(sent[0].message->id == "m1");
  CHECK(newer < id);
  const auto stored = all<effect::store>();
  REQUIRE(stored.size() == 1);
  CHECK(stored[0].message->serverid == id);
  CHECK(stored[0].message->server_timestamp == older->server_timestamp);
  CHECK(count<effect::remove>() == 0);

  SECTION("when it is stored") {
    out.clear();
    box->committed(id, now, out, 1);
    REQUIRE(all<effect::remove>().size() == 1);
    CHECK(all<effect::remove>()[0].serverid == older->serverid);
    CHECK(count<effect::confirm>() == 0);
    CHECK(ack("phone", id));
    REQUIRE(all<effect::remove>().size() == 1);
    CHECK(all<effect::remove>()[0].serverid == id);
  }
  SECTION("or acknowledged by all") {
    CHECK(ack("phone", id));
    CHECK(count<effect::remove>() == 2);
  }
  SECTION("but not when it could not be stored") {
    out.clear();
    box->commit_failed(id, core::refusal::unavailable, now, out);
    CHECK(out.empty());
    CHECK(ack("phone", id));
  }
  SECTION("however often it comes") {
    out.clear();
    box->merge(older, {}, now, out);
    CHECK(out.empty());
    box->committed(id, now, out, 1);
    CHECK(count<effect::remove>() == 2);
    out.clear();
    box->merge(older, {}, now, out);
    CHECK(count<effect::deliver>() == 0);
    CHECK(count<effect::remove>() == 1);
  }
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox keeps the greatest of a message's serverIds") {
  context.needs_copies = true;
  const auto first = elsewhere("m1", 5);
  const auto second = elsewhere("m1", 9);
  const bool lesser_first = GENERATE(true, false);
  box->merge(lesser_first ? first : second, {}, now, out);
  out.clear();
  box->merge(lesser_first ? second : first, {}, now, out);
  REQUIRE(all<effect::remove>().size() == 1);
  CHECK(all<effect::remove>()[0].serverid == first->serverid);
  CHECK(counters.pending == 1);
  box->op_done();
  attach("phone", 1);
  CHECK(all<effect::fetch>().size() == 1);
  out.clear();
  box->fetched({second->serverid}, {second}, now, out);
  CHECK(delivered(1) == "m1");
  CHECK(ack("phone", second->serverid));
  CHECK(counters.pending == 0);

  SECTION("and drops a lesser one that all have had") {
    out.clear();
    box->merge(first, {}, now, out);
    CHECK(count<effect::deliver>() == 0);
    CHECK(count<effect::remove>() == 1);
  }
  SECTION("but not a greater one, which others may owe") {
    out.clear();
    box->merge(elsewhere("m1", 20), {}, now, out);
    CHECK(count<effect::remove>() == 0);
    CHECK(counters.pending == 1);
  }
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox takes an id that was used for something else as it "
                 "is") {
  box->merge(elsewhere("m1", 5), {}, now, out);
  auto other = std::make_shared<core::envelope>(*elsewhere("m1", 9));
  other->content = "another";
  out.clear();
  box->merge(other, {}, now, out);
  CHECK(count<effect::remove>() == 0);
  CHECK(counters.pending == 2);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox merges acknowledgements of a message that it has") {
  attach("phone", 1);
  attach("web", 2);
  out.clear();
  const auto message = elsewhere("m1", 5);
  box->merge(message, {"phone"}, now, out);
  CHECK(delivered(1).empty());
  CHECK(delivered(2) == "m1");
  out.clear();
  box->merge(message, {"phone", "web"}, now, out);
  CHECK(count<effect::remove>() == 1);
  CHECK(counters.pending == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox lets go of what another node removed") {
  attach("phone", 1);
  finish_operations();
  const auto id = receive("m1");
  out.clear();
  box->merge_removal(id, now, out);
  CHECK(count<effect::confirm>() == 1);
  CHECK(count<effect::remove>() == 0);
  CHECK(counters.pending == 0);
  out.clear();
  box->merge_removal(id, now, out);
  CHECK(out.empty());
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox learns of a device from another node") {
  out.clear();
  box->merge_device({"web", now.wall, {}, 0}, now, out);
  finish_operations();
  const auto id = receive("m1");
  CHECK(box->inspect().knows("web"));
  committed(id);
  // What another node has cancelled is not owed here either.
  out.clear();
  box->merge_device({"web", now.wall, id, 1}, now, out);
  CHECK(counters.pending == 0);
  attach("web", 1);
  CHECK(count<effect::deliver_gap>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox that leaves stores everything and wakes nobody") {
  attach("phone", 1);
  finish_operations();
  const auto id = receive("m1");
  CHECK(count<effect::store>() == 0);
  out.clear();
  box->leave(now, out);
  const auto stored = all<effect::store>();
  REQUIRE(stored.size() == 1);
  CHECK_FALSE(stored[0].raise_offline);
  CHECK(count<effect::notify_offline>() == 0);
  CHECK_FALSE(box->idle());
  finish_operations();
  committed(id);
  CHECK(count<effect::confirm>() == 1);
  CHECK(box->idle());

  // Called back before it was gone: everything as before.
  attach("phone", 2);
  CHECK(count<effect::fetch>() == 1);
  detach(2);
  CHECK(count<effect::notify_offline>() == 1);
}

TEST_CASE_METHOD(
  mailbox_fixture,
  "mailbox makes copies of what it found before it confirms it") {
  context.needs_copies = true;
  auto first = message("m1");
  const auto id = receive(first);
  core::mailbox_snapshot found;
  core::pending_record record;
  record.serverid = id;
  record.key = core::make_dedupe_key("alice", "bob", "m1");
  record.content_hash = first->content_hash();
  record.server_timestamp = first->server_timestamp;
  record.weight = static_cast<std::uint32_t>(first->weight());
  found.pending.push_back(record);
  open(found);
  receive("m1");
  CHECK(count<effect::confirm>() == 0);
  const auto stored = all<effect::store>();
  REQUIRE(stored.size() == 1);
  CHECK(stored[0].message->serverid == id);
  CHECK(stored[0].message->server_timestamp == first->server_timestamp);

  SECTION("and then confirms it") {
    out.clear();
    box->committed(id, now, out, 1);
    CHECK(count<effect::confirm>() == 1);
    receive("m1");
    CHECK(count<effect::confirm>() == 1);
    CHECK(count<effect::store>() == 0);
  }
  SECTION("and keeps it where there is no room for them") {
    out.clear();
    box->commit_failed(id, core::refusal::unavailable, now, out);
    CHECK(count<effect::refuse>() == 1);
    CHECK(box->inspect().pending == 1);
    receive("m1");
    CHECK(count<effect::store>() == 1);
  }
  SECTION("and confirms a resend of what all have had meanwhile") {
    attach("phone", 1);
    CHECK(ack("phone", id));
    CHECK(count<effect::confirm>() == 1);
    receive("m1");
    CHECK(count<effect::confirm>() == 1);
    CHECK(count<effect::store>() == 0);
  }
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox keeps what all have acknowledged while it may not "
                 "know all devices") {
  box->know_all_devices(false, now, out);
  attach("phone", 1);
  const auto id = receive("m1");
  // Another device may owe it: memory is no place for it.
  CHECK(count<effect::store>() == 1);
  out.clear();
  box->committed(id, now, out, 1);
  CHECK(ack("phone", id));
  CHECK(count<effect::remove>() == 0);
  CHECK(count<effect::ack_stored>() == 1);
  CHECK(counters.pending == 1);

  SECTION("until it knows them") {
    out.clear();
    box->know_all_devices(true, now, out);
    CHECK(count<effect::remove>() == 1);
    CHECK(counters.pending == 0);
  }
  SECTION("one of which then owes it") {
    box->merge_device({"laptop", now.wall, {}, 0}, now, out);
    out.clear();
    box->know_all_devices(true, now, out);
    CHECK(count<effect::remove>() == 0);
    attach("laptop", 2);
    CHECK(count<effect::fetch>() == 1);
  }
  SECTION("also where its device is erased") {
    out.clear();
    box->remove_device("phone", now, out);
    CHECK(count<effect::remove>() == 0);
    CHECK(counters.pending == 1);
  }
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox follows another node's removal of a device") {
  attach("phone", 1);
  attach("laptop", 2);
  out.clear();
  box->merge_device_removal("phone", now, out);
  REQUIRE(all<effect::close>().size() == 1);
  CHECK(all<effect::close>()[0].reason == effect::close_reason::erased);
  CHECK(count<effect::erase_device>() == 0);
  CHECK(box->devices().size() == 1);
  out.clear();
  box->merge_device_removal("phone", now, out);
  CHECK(out.empty());
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox keeps the newer of two nodes' connections") {
  context.may_merge = true;
  box->attach("phone", 1, now, out, {1, 100});
  out.clear();
  // A node that was frozen tells of the connection that the client has left.
  box->attach("phone", 2, now, out, {2, 99});
  REQUIRE(all<effect::close>().size() == 1);
  CHECK(all<effect::close>()[0].which == 2);
  CHECK(all<effect::close>()[0].reason == effect::close_reason::superseded);
  out.clear();
  receive("m1");
  CHECK(delivered(1) == "m1");
  // By way of one node the order of arrival counts, whatever its clock says.
  out.clear();
  box->attach("phone", 3, now, out, {1, 50});
  REQUIRE(all<effect::close>().size() == 1);
  CHECK(all<effect::close>()[0].which == 1);
  CHECK(all<effect::close>()[0].reason == effect::close_reason::replaced);
}

} // namespace vartalap::test
