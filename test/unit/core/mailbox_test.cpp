// Receiving, confirming, storing: one rule a test.

#include "test/unit/core/mailbox_fixture.hpp"

#include <catch2/catch.hpp>

namespace vartalap::test {

using core::ack_status;
using core::durability;
using core::refusal;
namespace effect = core::effect;

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox confirms from memory what is acknowledged in time") {
  attach("phone", 1);
  finish_operations();
  const auto id = receive("m1");
  CHECK(delivered(1) == "m1");
  CHECK(count<effect::store>() == 0);
  CHECK(count<effect::confirm>() == 0);

  CHECK(ack("phone", id));
  const auto confirmed = all<effect::confirm>();
  REQUIRE(confirmed.size() == 1);
  CHECK(confirmed[0].serverid == id);
  CHECK(confirmed[0].status == ack_status::delivered);
  CHECK(confirmed[0].durability == durability::memory);
  CHECK(counters.acknowledged == 1);
  CHECK(counters.memory_bytes == 0);
  CHECK_FALSE(ack("phone", id));
  CHECK(out.empty());
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox confirms what it stored once it is durable") {
  const auto id = receive("m1");
  REQUIRE(count<effect::store>() == 1);
  CHECK(count<effect::confirm>() == 0);
  committed(id);
  const auto confirmed = all<effect::confirm>();
  REQUIRE(confirmed.size() == 1);
  CHECK(confirmed[0].status == ack_status::stored);
  CHECK(confirmed[0].durability == durability::disk);
  CHECK(box->idle());
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox stores what is still owed after spill_after") {
  attach("phone", 1);
  receive("m1");
  pass(delivery.spill_after - 1us);
  CHECK(count<effect::store>() == 0);
  pass(1us);
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox waits four smoothed ack times before it stores") {
  attach("phone", 1);
  const auto id = receive("m1");
  pass(40ms);
  ack("phone", id);
  receive("m2");
  pass(159ms);
  CHECK(count<effect::store>() == 0);
  pass(1ms);
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox waits at most spill_max before it stores") {
  attach("phone", 1);
  const auto id = receive("m1");
  pass(900ms);
  ack("phone", id);
  receive("m2");
  pass(delivery.spill_max - 1us);
  CHECK(count<effect::store>() == 0);
  pass(1us);
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox stores at once what an absent device owes") {
  attach("phone", 1);
  out.clear();
  box->add_device("laptop", now, out);
  receive("m1");
  CHECK(delivered(1) == "m1");
  CHECK(count<effect::store>() == 1);
  CHECK(count<effect::notify_offline>() == 0); // the phone is there
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox stores at once what a device owes that is added") {
  attach("phone", 1);
  receive("m1");
  CHECK(count<effect::store>() == 0);
  out.clear();
  CHECK(box->add_device("laptop", now, out));
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox smooths ack times and leaves out those of resends") {
  attach("phone", 1);
  const auto answer_after = [&](core::microseconds span) {
    const auto id = receive(std::to_string(now.mono.time_since_epoch() / 1us));
    box->written(1, 1000, now.mono);
    pass(span);
    ack("phone", id);
  };
  answer_after(40ms);
  answer_after(200ms); // 40 + 160 / 8 = 60
  answer_after(delivery.ack_timeout + 1s);
  receive("m");
  pass(239ms);
  CHECK(count<effect::store>() == 0);
  pass(1ms);
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox drops stored messages that only absent devices owe") {
  attach("phone", 1);
  out.clear();
  box->add_device("laptop", now, out);
  const auto id = receive("m1");
  committed(id);
  CHECK(counters.memory_bytes > 0); // in flight to the phone
  ack("phone", id);
  CHECK(counters.memory_bytes == 0);
  CHECK(counters.pending == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox names the devices that acknowledged when it stores") {
  attach("phone", 1);
  attach("laptop", 2);
  const auto id = receive("m1");
  CHECK(ack("phone", id));
  CHECK(out.empty());
  detach(2);
  const auto stored = all<effect::store>();
  REQUIRE(stored.size() == 1);
  CHECK(stored[0].acked == std::vector<std::string>{"phone"});
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox raises one offline event until a device connects") {
  receive("m1");
  CHECK(all<effect::store>().at(0).raise_offline);
  CHECK(count<effect::notify_offline>() == 1);
  receive("m2");
  CHECK_FALSE(all<effect::store>().at(0).raise_offline);
  CHECK(count<effect::notify_offline>() == 0);
  attach("phone", 1);
  CHECK(count<effect::clear_offline>() == 1);
  detach(1);
  CHECK(count<effect::notify_offline>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox raises no offline event for a notification") {
  auto state = message("m1");
  state->type = core::message_type::notification;
  receive(state);
  CHECK_FALSE(all<effect::store>().at(0).raise_offline);
  CHECK(count<effect::notify_offline>() == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox answers a resend when the first is answered") {
  const auto id = receive("m1");
  const auto second = origin();
  receive(message("m1"), second);
  CHECK(out.empty());
  committed(id);
  CHECK(count<effect::confirm>() == 2);
  receive(message("m1"), second);
  const auto again = all<effect::confirm>();
  REQUIRE(again.size() == 1);
  CHECK(again[0].to == second);
  CHECK(again[0].serverid == id);
  CHECK(counters.duplicates == 2);
  CHECK(counters.received == 1);
}

TEST_CASE_METHOD(
  mailbox_fixture,
  "mailbox answers one connection once however often it resends") {
  const auto mine = origin();
  const auto id = receive(message("m1"), mine);
  receive(message("m1"), mine);
  committed(id);
  CHECK(count<effect::confirm>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox refuses other content under a known id") {
  receive("m1");
  auto other = message("m1");
  other->content = "bye";
  receive(other);
  REQUIRE(count<effect::refuse>() == 1);
  CHECK(all<effect::refuse>()[0].code == refusal::id_reused);
  CHECK(counters.pending == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox refuses everybody who waits for a failed store") {
  const auto id = receive("m1");
  receive("m1");
  out.clear();
  box->commit_failed(id, refusal::unavailable, now, out);
  CHECK(count<effect::refuse>() == 2);
  CHECK(counters.pending == 0);
  CHECK(counters.refused == 1);
  CHECK(dedupe.size() == 0);
  CHECK(receive("m1") != id); // a new attempt
  CHECK(all<effect::store>().at(0).raise_offline);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox removes from disk what every device acknowledged") {
  attach("phone", 1);
  attach("laptop", 2);
  const auto id = receive("m1");
  pass(1s);
  committed(id);
  ack("phone", id);
  REQUIRE(count<effect::ack_stored>() == 1);
  CHECK(all<effect::ack_stored>()[0].device == "phone");
  ack("laptop", id);
  CHECK(count<effect::remove>() == 1);
  CHECK(count<effect::confirm>() == 0); // it was confirmed as durable
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox takes a commit of what is gone for nothing") {
  attach("phone", 1);
  finish_operations();
  const auto id = receive("m1");
  pass(1s);
  ack("phone", id);
  CHECK(count<effect::confirm>() == 1);
  CHECK(count<effect::remove>() == 1);
  committed(id);
  CHECK(out.empty());
  box->op_done();
  detach(1);
  finish_operations();
  CHECK(box->idle());
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox relays ephemeral messages and forgets them") {
  auto typing = message("t1");
  typing->ephemeral = true;
  receive(typing);
  CHECK(all<effect::confirm>().at(0).status == ack_status::relayed);
  CHECK(counters.ephemeral_dropped == 1);

  delivery.window = 1;
  attach("phone", 1);
  receive("m1");
  auto again = message("t1");
  again->ephemeral = true;
  receive(again);
  CHECK(delivered(1) == "t1"); // a full window does not hold it up
  CHECK(count<effect::store>() == 0);
  CHECK(counters.ephemeral_relayed == 1);
  CHECK(counters.received == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox gives a message to oneself to one's other devices") {
  attach("phone", 1);
  attach("laptop", 2);
  const auto id = receive(message("m1", "bob"), origin(), "phone");
  CHECK(delivered(1).empty());
  CHECK(delivered(2) == "m1");
  ack("laptop", id);
  CHECK(all<effect::confirm>().at(0).status == ack_status::delivered);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox holds limits.mailbox_messages and no more") {
  limits.mailbox_messages = 2;
  receive("m1");
  receive("m2");
  CHECK(count<effect::refuse>() == 0);
  receive("m3");
  CHECK(all<effect::refuse>().at(0).code == refusal::mailbox_full);
  CHECK(counters.rejected == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox holds limits.mailbox_bytes and no more") {
  limits.mailbox_bytes = 2 * message("m1")->weight();
  const auto first = receive("m1");
  receive("m2");
  CHECK(count<effect::refuse>() == 0);
  receive("m3");
  CHECK(count<effect::refuse>() == 1);
  attach("phone", 1);
  ack("phone", first);
  receive("m3");
  CHECK(count<effect::refuse>() == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox holds limits.pending_per_sender of one sender") {
  limits.pending_per_sender = 2;
  const auto first = receive("m1");
  receive("m2");
  CHECK(count<effect::refuse>() == 0);
  receive("m3");
  CHECK(all<effect::refuse>().at(0).code == refusal::mailbox_full);
  receive("c1", "carol");
  CHECK(count<effect::refuse>() == 0);
  attach("phone", 1);
  ack("phone", first);
  receive("m4");
  CHECK(count<effect::refuse>() == 0);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox keeps members of a group on one shard apart") {
  core::mailbox other{"carol", context};
  other.open({}, now);
  auto to_bob = message("g1");
  auto to_carol = message("g1");
  to_bob->to = to_carol->to = "group";
  committed(receive(to_bob));
  out.clear();
  other.receive(to_carol, origin(), now, out);
  CHECK(count<effect::store>() == 1);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox says when a resend joins what its connection waits "
                 "for") {
  const auto alice = origin();
  const auto id = receive(message("m1"), alice);
  receive(message("m1"), alice);
  REQUIRE(count<effect::merge>() == 1);
  CHECK(all<effect::merge>()[0].to == alice);
  receive(message("m1"), origin());
  CHECK(count<effect::merge>() == 0);
  committed(id);
  CHECK(count<effect::confirm>() == 2);
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox cancels the debts of idle devices before a sender's "
                 "limit refuses") {
  limits.pending_per_sender = 2;
  attach("old", 1);
  attach("phone", 2);
  finish_operations();
  detach(1);
  for (const auto* name : {"m1", "m2"}) {
    const auto id = receive(name);
    committed(id);
    ack("phone", id);
    finish_operations();
  }
  receive("m3");
  CHECK(count<effect::refuse>() == 1);
  pass(delivery.device_idle + 1ms);
  receive("m4");
  CHECK(count<effect::refuse>() == 0);
  CHECK(delivered(2) == "m4");
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox without a device takes nothing where unknown users "
                 "are not accepted") {
  delivery.accept_unknown_users = false;
  auto typing = message("t1");
  typing->ephemeral = true;
  for (const auto& what : {message("m1"), typing}) {
    receive(what);
    const auto refused = all<effect::refuse>();
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].code == refusal::forbidden);
    CHECK(out.size() == 1);
  }
  CHECK(counters.rejected == 2);
  attach("phone", 1);
  finish_operations();
  receive("m1");
  CHECK(delivered(1) == "m1");
}

TEST_CASE_METHOD(mailbox_fixture,
                 "mailbox answers the resend of what it holds, though its user "
                 "is unknown by now") {
  const auto id = receive("m1");
  committed(id);
  delivery.accept_unknown_users = false;
  receive("m1");
  CHECK(count<effect::refuse>() == 0);
  CHECK(count<effect::confirm>() == 1);
}

} // namespace vartalap::test
