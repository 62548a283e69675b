#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cctype>

using namespace vartalap::integration;

namespace {

constexpr std::array all{speech::json_v2, speech::json, speech::msgpack,
                         speech::protobuf};

bool is_server_id(const std::string& text) {
  return text.size() == 32
         && std::all_of(text.begin(), text.end(), [](unsigned char c) {
              return std::isdigit(c) || (c >= 'a' && c <= 'f');
            });
}

} // namespace

TEST_CASE("a message goes from every encoding to every other and back") {
  server_process server;
  int n = 0;
  for (const auto from : all) {
    for (const auto to : all) {
      INFO(name_of(from) << " to " << name_of(to));
      chat_peer alice(server.port(), "alice", from);
      chat_peer bob(server.port(), "bob", to);
      for (auto [sender, recipient] :
           {std::pair(&alice, &bob), std::pair(&bob, &alice)}) {
        const auto id = "m" + std::to_string(++n);
        const std::string body = R"({"text":"grüß Gott","n":[1,2.5,null]})";
        sender->say({.id = id, .to = recipient->user, .body = body});
        const auto got = recipient->hear_delivery(id);
        CHECK(got.from == sender->user);
        CHECK(got.body == body);
        CHECK(is_server_id(got.server_id));
        recipient->acknowledge({got.server_id});
        const auto ack = sender->hear_answer(id);
        CHECK(ack.kind == heard::what::server_ack);
        CHECK(ack.server_id == got.server_id);
      }
    }
  }
}

TEST_CASE("a delivery without a subprotocol repeats the names of version 1") {
  server_process server;
  chat_peer alice(server.port(), "alice", speech::msgpack);
  chat_peer old(server.port(), "old", speech::json_v2);
  chat_peer fresh(server.port(), "fresh", speech::json);
  alice.say({.id = "m1", .to = "old"});
  const auto got = old.hear_delivery("m1").raw;
  CHECK(json_at(got, "/_v") == "2.1");
  CHECK(json_at(got, "/head/type") == "INDIVIDUAL");
  CHECK(json_at(got, "/head/category") == "message");
  CHECK(json_at(got, "/msgId") == "m1");
  CHECK(json_at(got, "/from") == "alice");
  CHECK(json_at(got, "/to") == "old");
  CHECK(json_at(got, "/text") == "hello");
  CHECK(json_at(got, "/chatType") == "INDIVIDUAL");
  alice.say({.id = "m2", .to = "fresh"});
  CHECK(json_at(fresh.hear_delivery("m2").raw, "/msgId").empty());
}

TEST_CASE("a flat frame of version 1 is delivered as one of version 2.1") {
  server_process server;
  chat_peer alice(server.port(), "alice", speech::json_v2);
  chat_peer bob(server.port(), "bob");
  alice.ws.send(R"({"msgId":"v1","from":"mallory","to":"bob",)"
                R"("type":"text","chatType":"individual","text":"hi"})");
  const auto got = bob.hear_delivery("v1");
  CHECK(got.from == "alice");
  CHECK(got.body == R"({"text":"hi"})");
  CHECK(json_at(got.raw, "/head/contentType") == "text");
}

TEST_CASE("a sender is who the server knows, whatever its frame says") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.ws.send(R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"bob",)"
                R"("from":"carol"},"body":{}})");
  REQUIRE(bob.hear_delivery("m1").from == "alice");
}

TEST_CASE("head and meta of a JSON message keep their types") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.ws.send(R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"bob",)"
                R"("chatid":"c1","n":7,"deep":{"a":[true]}},)"
                R"("meta":{"createdAt":1700000000000,"k":false},"body":[1]})");
  const auto raw = bob.hear_delivery("m1").raw;
  CHECK(json_at(raw, "/head/chatid") == "c1");
  CHECK(json_at(raw, "/head/n") == "7");
  CHECK(json_at(raw, "/head/deep") == R"({"a":[true]})");
  CHECK(json_at(raw, "/meta/createdAt") == "1700000000000");
  CHECK(json_at(raw, "/meta/k") == "false");
  CHECK(json_at(raw, "/body") == "[1]");
}

TEST_CASE("the text ping is answered by the text pong") {
  server_process server;
  for (const auto how : all) {
    INFO(name_of(how));
    chat_peer alice(server.port(), "alice", how);
    alice.ws.send("ping");
    REQUIRE(alice.ws.next_message() == "pong");
  }
}

TEST_CASE("a socket without a subprotocol reads each frame by its own kind") {
  server_process server;
  for (const auto how : {speech::json_v2, speech::protobuf}) {
    INFO(name_of(how));
    chat_peer alice(server.port(), "alice", how);
    chat_peer bob(server.port(), "bob");
    int n = 0;
    for (const auto sent : {speech::json_v2, speech::protobuf}) {
      const auto id = std::string(name_of(how)) + std::to_string(++n);
      alice.ws.send(encode(sent, {.id = id, .to = "bob"}), opcode_of(sent));
      const auto got = bob.hear_delivery(id);
      CHECK(got.body == R"({"text":"hello"})");
      bob.acknowledge({got.server_id});
      // The answer is in the format of the socket.
      CHECK(alice.hear_answer(id).kind == heard::what::server_ack);
    }
  }
}

TEST_CASE("a protobuf client acknowledges by id, as the web test client does") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  {
    chat_peer bob(server.port(), "bob", speech::protobuf, "");
    alice.say({.id = "abc", .to = "bob"});
    bob.hear_delivery("abc");
    // id abc, CLIENT_ACK, from bob to server, content null, a time in seconds.
    bob.ws.send(std::string("\x0d\x00\x00\x40\x40\x12\x03"
                            "abc\x18\x01\x20\x01\x28\x01\x32\x03"
                            "bob\x3a\x06"
                            "server\x42\x04null\x48\x80\xe2\xcf\xaa\x06",
                            41),
                opcode::binary);
    CHECK(alice.hear_answer("abc").kind == heard::what::server_ack);
    // Frames are taken in order: once this one is answered, that one counts.
    bob.say({.id = "after", .to = "alice"});
    alice.hear_delivery("after");
  }
  chat_peer again(server.port(), "bob", speech::protobuf, "");
  alice.say({.id = "next", .to = "bob"});
  CHECK(again.hear_delivery("next").id == "next");
}

TEST_CASE("a protobuf client has to acknowledge, and is not the old app") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  {
    chat_peer bob(server.port(), "bob", speech::protobuf, "");
    alice.say({.id = "m1", .to = "bob"});
    bob.hear_delivery("m1");
    REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
    bob.say({.id = "s1",
             .to = "alice",
             .notification = true,
             .action = "state",
             .body = R"({"ids":["m1"],"state":"delivered"})"});
    alice.hear_delivery("s1");
  }
  chat_peer again(server.port(), "bob", speech::protobuf, "");
  CHECK(again.hear_delivery("m1").id == "m1");
}

TEST_CASE("a WebSocket ping is answered with its payload") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  alice.ws.send("are you there", opcode::ping);
  const auto frame = alice.ws.next();
  REQUIRE(frame);
  CHECK(frame->opcode == opcode::pong);
  CHECK(frame->payload == "are you there");
}

TEST_CASE("SERVER_ACKs come where they are asked for, errors always") {
  struct expectation {
    speech how;
    const char* query;
    bool acks;
  };
  const std::array<expectation, 8> cases{{
    {speech::json_v2, "", false},
    {speech::json, "", false},
    {speech::msgpack, "", true},
    {speech::protobuf, "", false},
    {speech::json_v2, "ack=true", true},
    {speech::protobuf, "ack=true", true},
    {speech::json, "ack=false", false},
    {speech::msgpack, "ack=false", false},
  }};
  server_process server;
  int n = 0;
  for (const auto& one : cases) {
    INFO(name_of(one.how) << " with " << one.query);
    chat_peer alice(server.port(), "alice", one.how, one.query);
    const auto good = "good" + std::to_string(++n);
    alice.say({.id = good, .to = "nobody"});
    if (one.acks)
      REQUIRE(alice.hear_answer(good).kind == heard::what::server_ack);
    // Other content under the same id.
    alice.say({.id = good, .to = "nobody", .text = "changed"});
    REQUIRE(alice.hear_answer(good).code == "id_reused");
  }
}

TEST_CASE("the upgrade answers with the subprotocol that it took") {
  server_process server;
  const auto first_line_of = [&server](const std::string& offered) {
    tcp_stream stream(server.port());
    stream.send(upgrade_request(server.port(),
                                {.user = "alice", .subprotocol = offered}));
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos
           && stream.receive(text) == tcp_stream::got::bytes) {
    }
    return text;
  };
  CHECK(first_line_of("vartalap.msgpack, vartalap.json")
          .find("Sec-WebSocket-Protocol: vartalap.msgpack\r\n")
        != std::string::npos);
  CHECK(first_line_of("other, vartalap.json")
          .find("Sec-WebSocket-Protocol: vartalap.json\r\n")
        != std::string::npos);
  CHECK(first_line_of("other").find("Sec-WebSocket-Protocol")
        == std::string::npos);
}
