#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace vartalap::integration;

namespace {

/// Everything that a test waits for, short.
const server_settings quick{
  {"delivery.ack_timeout", "\"100ms\""},
  {"delivery.max_retries", "2"},
  {"delivery.spill_after", "\"10ms\""},
  {"delivery.spill_max", "\"50ms\""},
};

server_settings quick_and(const server_settings& more) {
  auto out = more;
  out.insert(quick.begin(), quick.end());
  return out;
}

} // namespace

TEST_CASE("a message that is acknowledged at once is confirmed from memory") {
  server_process server(
    {{"delivery.spill_after", "\"1m\""}, {"delivery.spill_max", "\"1m\""}});
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m1", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("m1").server_id});
  const auto ack = alice.hear_answer("m1");
  CHECK(ack.status == "delivered");
  CHECK(ack.durability == "memory");
}

TEST_CASE("a message to one who is away is confirmed from disk, and waits") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  for (const auto* id : {"m1", "m2", "m3"})
    alice.say({.id = id, .to = "bob"});
  for (const auto* id : {"m1", "m2", "m3"}) {
    const auto ack = alice.hear_answer(id);
    CHECK(ack.status == "stored");
    CHECK(ack.durability == "disk");
  }
  chat_peer bob(server.port(), "bob");
  for (const auto* id : {"m1", "m2", "m3"})
    bob.acknowledge({bob.hear_delivery(id).server_id});
  CHECK(becomes_empty(server, "bob"));
}

TEST_CASE("an ephemeral message is relayed or dropped, never kept") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "t1", .to = "bob", .ephemeral = true});
  auto ack = alice.hear_answer("t1");
  CHECK(ack.status == "relayed");
  CHECK(ack.server_id.empty());
  CHECK(pending_of(server, "bob") == "0");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "t2", .to = "bob", .ephemeral = true});
  bob.hear_delivery("t2");
  REQUIRE(alice.hear_answer("t2").status == "relayed");
  CHECK(pending_of(server, "bob") == "0");
}

TEST_CASE("a resend is answered as the first and not delivered again") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m1", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("m1").server_id});
  const auto first = alice.hear_answer("m1");
  alice.say({.id = "m1", .to = "bob"});
  REQUIRE(alice.hear_answer("m1").server_id == first.server_id);
  alice.say({.id = "m2", .to = "bob"});
  bob.hear_delivery("m2"); // and no m1 before it

  // While it is pending, over the sender's reconnect and the server's death.
  alice.say({.id = "m3", .to = "away"});
  const auto third = alice.hear_answer("m3");
  server.kill();
  server.start();
  chat_peer again(server.port(), "alice");
  again.say({.id = "m3", .to = "away"});
  REQUIRE(again.hear_answer("m3").server_id == third.server_id);
  CHECK(pending_of(server, "away") == "1");
}

TEST_CASE("other content under a known id is refused and changes nothing") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "m1", .to = "bob", .text = "first"});
  alice.hear_answer("m1");
  alice.say({.id = "m1", .to = "bob", .text = "second"});
  REQUIRE(alice.hear_answer("m1").code == "id_reused");
  // The same id to somebody else, or from somebody else, is another message.
  alice.say({.id = "m1", .to = "carol", .text = "second"});
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  chat_peer bob(server.port(), "bob");
  REQUIRE(bob.hear_delivery("m1").body == R"({"text":"first"})");
}

TEST_CASE("every device of a user gets every message") {
  server_process server;
  chat_peer phone(server.port(), "bob", speech::msgpack, "device=phone");
  chat_peer desk(server.port(), "bob", speech::json, "device=desk");
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "m1", .to = "bob"});
  const auto on_phone = phone.hear_delivery("m1");
  const auto on_desk = desk.hear_delivery("m1");
  CHECK(on_phone.server_id == on_desk.server_id);
  phone.acknowledge({on_phone.server_id});
  alice.hear_answer("m1");
  phone.ws.send("ping");
  CHECK(phone.ws.next_message() == "pong");
  CHECK(pending_of(server, "bob") == "1"); // the desk still owes
  desk.acknowledge({on_desk.server_id});
  CHECK(becomes_empty(server, "bob"));
}

TEST_CASE("a message to oneself reaches one's other devices") {
  server_process server;
  chat_peer phone(server.port(), "bob", speech::json, "ack=true&device=phone");
  chat_peer desk(server.port(), "bob", speech::json, "device=desk");
  phone.say({.id = "m1", .to = "bob"});
  desk.acknowledge({desk.hear_delivery("m1").server_id});
  // What it said itself does not come back to it.
  REQUIRE(phone.hear_answer("m1").kind == heard::what::server_ack);
  CHECK(becomes_empty(server, "bob"));
  desk.ws.drop();
  phone.say({.id = "m2", .to = "bob"});
  REQUIRE(phone.hear_answer("m2").kind == heard::what::server_ack);
  chat_peer again(server.port(), "bob", speech::json, "device=desk");
  again.acknowledge({again.hear_delivery("m2").server_id});
  CHECK(becomes_empty(server, "bob"));
  CHECK(phone.ws.is_silent(milliseconds{50}));
}

TEST_CASE("a newer connection of a device replaces the older with 4009") {
  server_process server;
  chat_peer old(server.port(), "bob");
  old.ws.send("ping");
  REQUIRE(old.ws.next_message() == "pong");
  chat_peer young(server.port(), "bob");
  REQUIRE(old.ws.wait_end().code == 4009);
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "m1", .to = "bob"});
  young.acknowledge({young.hear_delivery("m1").server_id});
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
}

TEST_CASE("a device that never acknowledges hears it again, then 4008") {
  server_process server(quick);
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m1", .to = "bob"});
  const auto first = bob.hear_delivery("m1");
  REQUIRE(bob.hear_delivery("m1").server_id == first.server_id);
  REQUIRE(bob.hear_delivery("m1").server_id == first.server_id);
  const auto end = bob.ws.wait_end();
  CHECK(end.code == 4008);
  CHECK(end.reason.find("retry_after_ms=") != std::string::npos);
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  CHECK(pending_of(server, "bob") == "1");
}

TEST_CASE("a message that is never acknowledged blocks no other") {
  server_process server(quick);
  chat_peer alice(server.port(), "alice");
  {
    chat_peer bob(server.port(), "bob");
    alice.say({.id = "poison", .to = "bob"});
    REQUIRE(bob.ws.wait_end().code == 4008);
  }
  alice.say({.id = "good", .to = "bob"});
  {
    // It comes first, alone and once.
    chat_peer bob(server.port(), "bob");
    bob.hear_delivery("poison");
    auto next = bob.hear();
    if (next.kind == heard::what::delivery && next.id == "good")
      bob.acknowledge({next.server_id});
  }
  // Whatever the connection does, the good one gets through in the end.
  for (int i = 0; i < 5 && pending_of(server, "bob") != "1"; ++i) {
    chat_peer bob(server.port(), "bob");
    for (bool open = true; open;) {
      const auto frame = bob.ws.next(milliseconds{1500});
      open = frame && frame->opcode != opcode::close;
      if (!open || frame->opcode != opcode::text)
        continue;
      const auto got = decode_json(frame->payload);
      if (got.id == "good") {
        bob.acknowledge({got.server_id});
        open = false;
      }
    }
  }
  CHECK(pending_of(server, "bob") == "1");
}

TEST_CASE("an acknowledgement over client_ack=false is the pong after it") {
  server_process server(quick);
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob", speech::json, "client_ack=false");
  alice.say({.id = "m1", .to = "bob"});
  bob.hear_delivery("m1");
  // The rig answers the server's ping while it reads.
  bob.ws.send("ping");
  while (bob.ws.next_message() != "pong") {
  }
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  const auto until = clock::now() + patience;
  bool empty = false;
  while (!empty && clock::now() < until) {
    bob.ws.next(milliseconds{10});
    empty = pending_of(server, "bob") == "0";
  }
  CHECK(empty);
}

TEST_CASE("an unanswered ping leaves what was written pending") {
  server_process server(quick);
  chat_peer alice(server.port(), "alice");
  {
    chat_peer bob(server.port(), "bob", speech::json, "client_ack=false");
    bob.ws.answers_pings = false;
    alice.say({.id = "m1", .to = "bob"});
    bob.hear_delivery("m1");
    bob.ws.drop();
  }
  alice.hear_answer("m1");
  CHECK(pending_of(server, "bob") == "1");
  chat_peer bob(server.port(), "bob");
  bob.hear_delivery("m1");
}

TEST_CASE("a state frame acknowledges what it names, and is forwarded") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob", speech::json_v2, "");
  alice.say({.id = "m1", .to = "bob"});
  bob.hear_delivery("m1");
  bob.say({.id = "s1",
           .to = "alice",
           .notification = true,
           .action = "state",
           .body = R"({"ids":["m1"],"state":"delivered"})"});
  bool acked = false;
  bool forwarded = false;
  for (int i = 0; i < 2; ++i) {
    const auto got = alice.hear();
    acked = acked || got.kind == heard::what::server_ack;
    if (got.kind == heard::what::delivery) {
      CHECK(got.id == "s1");
      CHECK(json_at(got.raw, "/head/category") == "system");
      forwarded = true;
    }
  }
  CHECK(acked);
  CHECK(forwarded);
  CHECK(becomes_empty(server, "bob"));
}

TEST_CASE("a CLIENT_ACK without a serverId names what is in flight") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m1", .to = "bob"});
  bob.hear_delivery("m1");
  bob.ws.send(R"({"id":"m1","head":{"to":"server"}})");
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  CHECK(becomes_empty(server, "bob"));
}

TEST_CASE("a full mailbox refuses, and takes again when there is room") {
  server_process server(server_settings{{"limits.mailbox_messages", "3"}});
  chat_peer alice(server.port(), "alice");
  for (const auto* id : {"m1", "m2", "m3"}) {
    alice.say({.id = id, .to = "bob"});
    REQUIRE(alice.hear_answer(id).kind == heard::what::server_ack);
  }
  alice.say({.id = "m4", .to = "bob"});
  REQUIRE(alice.hear_answer("m4").code == "mailbox_full");
  chat_peer bob(server.port(), "bob");
  bob.acknowledge({bob.hear_delivery("m1").server_id});
  const auto until = clock::now() + patience;
  while (pending_of(server, "bob") != "2" && clock::now() < until) {
  }
  alice.say({.id = "m4", .to = "bob"});
  REQUIRE(alice.hear_answer("m4").kind == heard::what::server_ack);
}

TEST_CASE("one sender cannot fill a mailbox alone") {
  server_process server(server_settings{{"limits.pending_per_sender", "2"}});
  chat_peer alice(server.port(), "alice");
  chat_peer carol(server.port(), "carol");
  for (const auto* id : {"m1", "m2"}) {
    alice.say({.id = id, .to = "bob"});
    REQUIRE(alice.hear_answer(id).kind == heard::what::server_ack);
  }
  alice.say({.id = "m3", .to = "bob"});
  REQUIRE(alice.hear_answer("m3").code == "mailbox_full");
  carol.say({.id = "m3", .to = "bob"});
  REQUIRE(carol.hear_answer("m3").kind == heard::what::server_ack);
}

TEST_CASE("more messages than may be unconfirmed are all confirmed") {
  server_process server(quick_and({{"limits.unconfirmed", "4"}}));
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob"); // never acknowledges: all spill
  constexpr int count = 50;
  std::string burst;
  for (int i = 0; i < count; ++i)
    burst += make_frame(
      opcode::text,
      encode(speech::json, {.id = "m" + std::to_string(i), .to = "bob"}));
  alice.ws.send_raw(burst);
  for (int i = 0; i < count; ++i)
    REQUIRE(alice.hear_answer("m" + std::to_string(i)).kind
            == heard::what::server_ack);
}

TEST_CASE("messages over the rate are read later, not refused") {
  server_process server(
    {{"limits.message_rate", "50"}, {"limits.message_burst", "10"}});
  chat_peer alice(server.port(), "alice");
  constexpr int count = 30;
  const auto begin = clock::now();
  std::string burst;
  for (int i = 0; i < count; ++i)
    burst += make_frame(
      opcode::text,
      encode(speech::json,
             {.id = "m" + std::to_string(i), .to = "bob", .ephemeral = true}));
  alice.ws.send_raw(burst);
  for (int i = 0; i < count; ++i)
    REQUIRE(alice.hear_answer("m" + std::to_string(i)).status == "relayed");
  // 20 above the burst at 50 a second; what one read held may come early.
  CHECK(clock::now() - begin >= milliseconds{300});
}

TEST_CASE("messages of one sender arrive in order, across a reconnect too") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  constexpr int count = 200;
  const auto say_from = [&alice](int first, int last) {
    std::string burst;
    for (int i = first; i < last; ++i)
      burst += make_frame(
        opcode::text,
        encode(speech::json, {.id = "m" + std::to_string(i), .to = "bob"}));
    alice.ws.send_raw(burst);
  };
  say_from(0, count / 2);
  for (int i = 0; i < count / 2; ++i)
    alice.hear_answer("m" + std::to_string(i));
  chat_peer bob(server.port(), "bob", speech::msgpack);
  say_from(count / 2, count);
  std::string last;
  for (int i = 0; i < count; ++i) {
    const auto got = bob.hear_delivery("m" + std::to_string(i));
    CHECK(last < got.server_id);
    last = got.server_id;
    bob.acknowledge({got.server_id});
  }
  CHECK(becomes_empty(server, "bob"));
}

TEST_CASE("a group that is none is refused, and the connection stays") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  alice.ws.send(R"({"_v":2.1,"id":"g1","head":{"type":"group","to":"friends"},)"
                R"("body":{}})");
  REQUIRE(alice.hear_answer("g1").code == "unknown_group");
  alice.say({.id = "m1", .to = "bob"});
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
}

TEST_CASE("devices over the limit are refused, known ones are not") {
  server_process server(server_settings{{"limits.devices_per_user", "2"}});
  chat_peer one(server.port(), "bob", speech::json, "device=one");
  chat_peer two(server.port(), "bob", speech::json, "device=two");
  for (auto* peer : {&one, &two}) {
    peer->ws.send("ping");
    CHECK(peer->ws.next_message() == "pong");
  }
  chat_peer three(server.port(), "bob", speech::json, "device=three");
  REQUIRE(three.hear().code == "forbidden");
  REQUIRE(three.ws.wait_end().code == 1008);
  chat_peer again(server.port(), "bob", speech::json, "device=one");
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "m1", .to = "bob"});
  again.hear_delivery("m1");
  two.hear_delivery("m1");
}

TEST_CASE("frames that exactly fill a read of the server are taken at once") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  constexpr std::size_t read_size = 65536;
  for (int round = 0; round < 5; ++round) {
    std::string burst;
    std::vector<std::string> ids;
    const auto add = [&](std::size_t padding) {
      const auto id = "m" + std::to_string(round) + '-'
                      + std::to_string(ids.size());
      burst += make_frame(
        opcode::text,
        encode(speech::json,
               {.id = id, .to = "bob", .text = std::string(padding, 'x')}));
      ids.push_back(id);
    };
    while (burst.size() + 4000 < read_size)
      add(1000);
    const auto rest = burst.size();
    add(1000);
    const auto missing = read_size - burst.size();
    burst.resize(rest);
    ids.pop_back();
    add(1000 + missing);
    REQUIRE(burst.size() == read_size);
    alice.ws.send_raw(burst);
    for (const auto& id : ids)
      REQUIRE(alice.hear_answer(id).kind == heard::what::server_ack);
  }
}
