// Users that block users.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

namespace vartalap::integration {

namespace {

http_answer ask(const server_process& server, const std::string& method,
                const std::string& path) {
  return http(server.port(), {.method = method, .path = path, .user = "bob"});
}

} // namespace

TEST_CASE(
  "what a blocked sender sends is refused, until it is blocked no more") {
  server_process server;
  chat_peer bob(server.port(), "bob");
  chat_peer mallory(server.port(), "mallory");
  chat_peer alice(server.port(), "alice");
  mallory.say({.id = "m1", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("m1").server_id});
  CHECK(mallory.hear_answer("m1").kind == heard::what::server_ack);

  CHECK(ask(server, "PUT", "/v1.0/blocks/mallory").body
        == R"({"status":true})");
  CHECK(ask(server, "PUT", "/blocks/mallory").status == 200);
  CHECK(ask(server, "GET", "/blocks").body == R"(["mallory"])");
  for (const bool ephemeral : {false, true}) {
    mallory.say({.id = "m2", .to = "bob", .ephemeral = ephemeral});
    CHECK(mallory.hear_answer("m2").code == "forbidden");
  }
  // Over HTTP too, and nobody else is.
  const auto sent = http(
    server.port(),
    {.method = "POST",
     .path = "/messages?ack=true",
     .user = "mallory",
     .body = "["
             + json_string(encode(speech::json_v2, {.id = "m3", .to = "bob"}))
             + "]"});
  CHECK(sent.body.find("forbidden") != std::string::npos);
  alice.say({.id = "a1", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("a1").server_id});
  // A resend of what was taken before is answered as it was then.
  mallory.say({.id = "m1", .to = "bob"});
  CHECK(mallory.hear_answer("m1").kind == heard::what::server_ack);
  // The blocked one's own mailbox is as it was.
  bob.say({.id = "b1", .to = "mallory"});
  mallory.acknowledge({mallory.hear_delivery("b1").server_id});
  CHECK(bob.hear_answer("b1").kind == heard::what::server_ack);

  CHECK(ask(server, "DELETE", "/blocks/mallory").status == 200);
  CHECK(ask(server, "GET", "/blocks/").body == "[]");
  mallory.say({.id = "m4", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("m4").server_id});
  CHECK(mallory.hear_answer("m4").kind == heard::what::server_ack);
}

TEST_CASE("a block survives a kill, and holds for a mailbox that was closed") {
  server_process server;
  CHECK(ask(server, "PUT", "/blocks/mallory").status == 200);
  server.kill();
  server.start();
  CHECK(ask(server, "GET", "/blocks").body == R"(["mallory"])");
  chat_peer mallory(server.port(), "mallory");
  mallory.say({.id = "m1", .to = "bob"});
  CHECK(mallory.hear_answer("m1").code == "forbidden");
  CHECK(pending_of(server, "bob") == "0");
}

TEST_CASE("nobody blocks himself, nor somebody who cannot be") {
  server_process server;
  for (const auto* path : {"/blocks/bob", "/blocks/server", "/blocks/%01"})
    CHECK(ask(server, "PUT", path).status == 400);
  CHECK(ask(server, "PUT", "/blocks").status == 405);
  CHECK(http(server.port(), {.method = "PUT", .path = "/blocks/x"}).status
        == 401);
  for (int i = 0; i < 1000; ++i)
    REQUIRE(ask(server, "PUT", "/blocks/u" + std::to_string(i)).status == 200);
  CHECK(ask(server, "PUT", "/blocks/one-more").status == 403);
  CHECK(ask(server, "PUT", "/blocks/u0").status == 200);
}

TEST_CASE("a pair of users has a quota of its own") {
  server_process server(server_settings{{"limits.pending_per_sender", "3"}});
  chat_peer alice(server.port(), "alice");
  chat_peer carol(server.port(), "carol");
  for (int i = 0; i < 3; ++i) {
    alice.say({.id = "a" + std::to_string(i), .to = "bob"});
    CHECK(alice.hear_answer("a" + std::to_string(i)).kind
          == heard::what::server_ack);
  }
  alice.say({.id = "a3", .to = "bob"});
  CHECK(alice.hear_answer("a3").code == "mailbox_full");
  carol.say({.id = "c0", .to = "bob"});
  CHECK(carol.hear_answer("c0").kind == heard::what::server_ack);
  alice.say({.id = "a4", .to = "dave"});
  CHECK(alice.hear_answer("a4").kind == heard::what::server_ack);
}

} // namespace vartalap::integration
