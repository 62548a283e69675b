// Windows, queues and limits in the way of messages: what must not stop.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

using namespace vartalap::integration;

namespace {

/// [2, id, "bob", 1, 0, content] with a str as content, in MessagePack; an id
/// of at most 31 bytes, a content of 256 to 65,535.
std::string message_to_bob(const std::string& id, const std::string& content) {
  std::string out = "\x96\x02";
  out += static_cast<char>(0xa0 + id.size());
  out += id + "\xa3" + "bob" + "\x01";
  out += '\0';
  out += '\xda';
  out += static_cast<char>(content.size() >> 8);
  out += static_cast<char>(content.size() & 0xff);
  return out + content;
}

} // namespace

TEST_CASE("a backlog that is far larger as JSON does not close its reader") {
  // A control character is one byte in MessagePack and six in JSON: one window
  // is then more than the output queue holds.
  server_process server(
    {{"limits.output_bytes", "\"512KiB\""}, {"limits.message_rate", "0"}});
  chat_peer alice(server.port(), "alice", speech::msgpack);
  constexpr int count = 60;
  for (int i = 0; i < count; ++i) {
    const auto id = "m" + std::to_string(i);
    alice.ws.send(message_to_bob(id, std::string(4000, '\x01')),
                  opcode::binary);
    CHECK(alice.hear_answer(id).kind == heard::what::server_ack);
  }
  chat_peer bob(server.port(), "bob");
  for (int i = 0; i < count; ++i)
    bob.acknowledge({bob.hear_delivery("m" + std::to_string(i)).server_id});
  CHECK(becomes_empty(server, "bob"));
}

TEST_CASE("resends of what is not confirmed yet do not use up the window") {
  server_process server({{"limits.unconfirmed", "4"},
                         {"limits.message_rate", "0"},
                         {"delivery.spill_after", "\"1m\""},
                         {"delivery.spill_max", "\"1m\""},
                         {"delivery.ack_timeout", "\"1m\""}});
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m1", .to = "bob"});
  const auto got = bob.hear_delivery("m1");
  for (int i = 0; i < 10; ++i)
    alice.say({.id = "m1", .to = "bob"});
  // Read only if the resends are not counted as waiting.
  alice.say({.id = "m2", .to = "bob"});
  bob.hear_delivery("m2");
  bob.acknowledge({got.server_id});
  CHECK(alice.hear_answer("m1").durability == "memory");
}

TEST_CASE("a client that is acknowledged by pongs may drain a long backlog") {
  server_process server({{"limits.control_frames_per_second", "5"},
                         {"delivery.window", "10"},
                         {"limits.message_rate", "0"}});
  chat_peer alice(server.port(), "alice");
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) {
    const auto id = "m" + std::to_string(i);
    alice.say({.id = id, .to = "bob"});
    alice.hear_answer(id);
  }
  chat_peer bob(server.port(), "bob", speech::json,
                "ack=true&client_ack=false");
  for (int i = 0; i < count; ++i)
    bob.hear_delivery("m" + std::to_string(i));
  // The last window waits for a pong: nobody reads the ping here any more.
  CHECK(std::stoi(pending_of(server, "bob")) <= 10);
}

TEST_CASE("a state message acknowledges only for clients that ask for it") {
  const auto* mode = GENERATE("client_ack=true", "client_ack=state");
  const server_settings patient{{"delivery.ack_timeout", "\"1m\""}};
  server_process server(patient);
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob", speech::json,
                std::string("ack=true&") + mode);
  alice.say({.id = "m1", .to = "bob"});
  bob.hear_delivery("m1");
  bob.say({.id = "r1",
           .to = "alice",
           .notification = true,
           .action = "state",
           .body = R"({"ids":["m1"],"state":"delivered"})"});
  // The confirmation of m1 and the receipt come in either order.
  for (int i = 0; i < 2; ++i)
    if (const auto got = alice.hear(); got.kind == heard::what::delivery)
      alice.acknowledge({got.server_id});
  bob.hear_answer("r1");
  if (mode == std::string("client_ack=state"))
    CHECK(becomes_empty(server, "bob"));
  else
    CHECK(pending_of(server, "bob") == "1");
}
