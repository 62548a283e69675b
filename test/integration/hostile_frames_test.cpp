// Clients that send what no client should. Each time two well-behaved ones
// must be able to talk before, meanwhile and afterwards.

#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <vector>

using namespace vartalap::integration;

namespace {

constexpr std::size_t content_max = 4096;
constexpr std::size_t frame_max = content_max + 16 * 1024;
constexpr std::size_t MiB = 1024 * 1024;

const server_settings small_content{
  {"limits.max_content_bytes", "\"4KiB\""},
};

/// What hostile input may cost the server for good.
constexpr std::size_t memory_slack = 24 * MiB;

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

std::string json_message(const std::string& id, const std::string& body) {
  return encode(speech::json, {.id = id, .to = "bob", .body = body});
}

/// A frame that ends its connection.
struct fatal_case {
  const char* what;
  speech how;
  std::string bytes; ///< on the wire
  unsigned code;
};

std::vector<fatal_case> fatal_cases() {
  std::string fragments = make_frame(opcode::text, "x", {.last = false});
  for (int i = 0; i < 100'000; ++i)
    fragments += make_frame(opcode::continuation, "x", {.last = false});
  const std::string huge_header
    = std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10)
      + std::string(4, '\0');
  return {
    {"text that is not UTF-8", speech::json,
     make_frame(opcode::text, "\xff\xfe{}"), 1007},
    {"UTF-8 that ends in the middle of a character", speech::json,
     make_frame(opcode::text, "{\"a\":\"\xc3"), 1007},
    {"a surrogate in UTF-8", speech::json,
     make_frame(opcode::text, "\xed\xa0\x80"), 1007},
    {"a frame without a mask", speech::json,
     make_frame(opcode::text, "ping", {.masked = false}), 1002},
    {"a reserved opcode", speech::json, make_frame(3, "x"), 1002},
    {"a reserved bit", speech::json,
     "\xc1" + make_frame(opcode::text, "x").substr(1), 1002},
    {"a continuation of nothing", speech::json,
     make_frame(opcode::continuation, "x"), 1002},
    {"a new message inside a fragmented one", speech::json,
     make_frame(opcode::text, "x", {.last = false})
       + make_frame(opcode::text, "y"),
     1002},
    {"a fragmented ping", speech::json,
     make_frame(opcode::ping, "x", {.last = false}), 1002},
    {"a ping of more than 125 bytes", speech::json,
     make_frame(opcode::ping, std::string(126, 'x')), 1002},
    {"a close frame with half a code", speech::json,
     make_frame(opcode::close, "x"), 1002},
    {"one byte over the limit on frames", speech::json,
     make_frame(opcode::text, std::string(frame_max + 1, ' ')), 1009},
    {"a length of 2^63", speech::json, huge_header, 1009},
    {"a length of 2^63 in a binary frame", speech::msgpack, huge_header, 1009},
    {"100,000 fragments of one byte", speech::json, fragments, 1009},
    {"a binary frame where JSON was agreed on", speech::json,
     make_frame(opcode::binary, "\x91\x02"), 1003},
    {"a length of 2^63 in a binary frame of format=binary", speech::protobuf,
     huge_header, 1009},
  };
}

/// A frame that is refused; its connection stays.
struct refused_case {
  const char* what;
  speech how;
  std::string payload;
  const char* code;
};

std::vector<refused_case> refused_cases() {
  const auto text_of
    = [](std::size_t bytes) { return '"' + std::string(bytes - 2, 'x') + '"'; };
  std::string deep_pack = std::string("\x96\x02\xa1") + "d" + "\xa3" + "bob"
                          + std::string("\x01\x00", 2)
                          + std::string(frame_max - 100, '\x91') + "\xc0";
  std::string many_keys = R"({"_v":2.1,"id":"k","head":{"to":"bob")";
  for (int i = 0; i < 40; ++i)
    many_keys += ",\"k" + std::to_string(i) + "\":1";
  many_keys += R"(},"body":{}})";
  return {
    {"content one byte over the limit", speech::json,
     json_message("big", text_of(content_max + 1)), "too_large"},
    {"content over the limit in MessagePack", speech::msgpack,
     encode(speech::msgpack,
            {.id = "big", .to = "bob", .body = text_of(content_max + 1)}),
     "too_large"},
    {"content over the limit in protobuf", speech::protobuf,
     encode(speech::protobuf,
            {.id = "big", .to = "bob", .body = text_of(content_max + 1)}),
     "too_large"},
    {"content of 2 GiB in six bytes", speech::protobuf,
     "\x42\xff\xff\xff\xff\x07", "bad_frame"},
    {"groups nested as deep as a frame holds", speech::protobuf,
     std::string(frame_max - 100, '\x5b'), "bad_frame"},
    {"a NUL in an id in protobuf", speech::protobuf,
     encode(speech::protobuf, {.id = std::string("a\0b", 3), .to = "bob"}),
     "bad_frame"},
    {"an empty frame of format=binary", speech::protobuf, "", "bad_frame"},
    {"an array of 2^28 elements in five bytes", speech::msgpack,
     std::string("\xdd\x10\x00\x00\x00", 5), "bad_frame"},
    {"a map of 2^28 entries in five bytes", speech::msgpack,
     std::string("\xdf\x10\x00\x00\x00", 5), "bad_frame"},
    {"a string of 4 GiB in five bytes", speech::msgpack,
     "\x92\x01\xdb\xff\xff\xff\xff", "bad_frame"},
    {"arrays nested as deep as a frame holds", speech::json,
     nested((frame_max - 10) / 2), "bad_frame"},
    {"a body nested as deep as a frame holds", speech::json,
     json_message("deep", nested((frame_max - 400) / 2)), "bad_frame"},
    {"MessagePack nested as deep as a frame holds", speech::msgpack, deep_pack,
     "bad_frame"},
    {"a NUL in an id", speech::json,
     R"({"_v":2.1,"id":"a\u0000b","head":{"to":"bob"},"body":{}})",
     "bad_frame"},
    {"a NUL in a recipient", speech::json,
     R"({"_v":2.1,"id":"n","head":{"to":"bo\u0000b"},"body":{}})", "bad_frame"},
    {"a NUL in an id in MessagePack", speech::msgpack,
     encode(speech::msgpack, {.id = std::string("a\0b", 3), .to = "bob"}),
     "bad_frame"},
    {"a NUL outside of a string", speech::json, std::string("{\0}", 3),
     "bad_frame"},
    {"an id of 65 bytes", speech::json, json_message(std::string(65, 'i'), "1"),
     "bad_frame"},
    {"no id", speech::json, R"({"_v":2.1,"head":{"to":"bob"},"body":{}})",
     "bad_frame"},
    {"no recipient", speech::json, R"({"_v":2.1,"id":"x","head":{}})",
     "bad_frame"},
    {"an empty text frame", speech::json, "", "bad_frame"},
    {"an empty binary frame", speech::msgpack, "", "bad_frame"},
    {"half a JSON text", speech::json, R"({"_v":2.1,"id":"x")", "bad_frame"},
    {"bytes after the JSON text", speech::json, json_message("x", "1") + "x",
     "bad_frame"},
    {"bytes after the MessagePack array", speech::msgpack,
     encode(speech::msgpack, {.id = "x", .to = "bob"}) + "x", "bad_frame"},
    {"a serverId that is none", speech::json,
     R"({"id":"x","head":{"to":"server"},"meta":{"serverId":"zz"}})",
     "bad_frame"},
    {"more meta entries than allowed", speech::json, many_keys, "too_large"},
  };
}

} // namespace

TEST_CASE("a frame that breaks the protocol ends its connection with the "
          "right code, and no other") {
  server_process server(small_content);
  bystanders others(server.port());
  others.talk();
  const auto before = server.memory();
  for (const auto& one : fatal_cases()) {
    INFO(one.what);
    chat_peer mallory(server.port(), "mallory", one.how);
    mallory.ws.send_raw(one.bytes);
    others.talk();
    CHECK(mallory.ws.wait_end().code == one.code);
    others.talk();
  }
  CHECK(server.memory() < before + memory_slack);
  CHECK(server.is_running());
}

TEST_CASE("a frame that cannot be taken is refused and its connection stays") {
  server_process server(small_content);
  bystanders others(server.port());
  others.talk();
  const auto before = server.memory();
  for (const auto& one : refused_cases()) {
    INFO(one.what);
    chat_peer mallory(server.port(), "mallory", one.how);
    mallory.ws.send(one.payload, opcode_of(one.how));
    const auto answer = mallory.hear();
    INFO(answer.raw);
    CHECK(answer.kind == heard::what::error);
    CHECK(answer.code == one.code);
    others.talk();
    mallory.say({.id = one.what, .to = "bob"});
    CHECK(mallory.hear_answer(one.what).kind == heard::what::server_ack);
  }
  CHECK(server.memory() < before + memory_slack);
  CHECK(server.is_running());
}

TEST_CASE("content and frames of exactly their limit are taken") {
  server_process server(small_content);
  chat_peer alice(server.port(), "alice");
  const auto body = '"' + std::string(content_max - 2, 'x') + '"';
  alice.ws.send(json_message("full", body));
  REQUIRE(alice.hear_answer("full").kind == heard::what::server_ack);
  chat_peer bob(server.port(), "bob");
  CHECK(bob.hear_delivery("full").body.size() == content_max - 2);
  // Blanks outside of the content count only towards the frame.
  auto frame = json_message("wide", body);
  frame.append(frame_max - frame.size(), ' ');
  alice.ws.send(frame);
  CHECK(alice.hear_answer("wide").kind == heard::what::server_ack);
}

TEST_CASE("a message in fragments, with a ping between them, is one message") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  const auto text = json_message("m1", R"({"text":"grüß"})");
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i)
    bytes += make_frame(i == 0 ? opcode::text : opcode::continuation,
                        text.substr(i, 1), {.last = i + 1 == text.size()});
  bytes.insert(make_frame(opcode::text, "x").size(),
               make_frame(opcode::ping, "between"));
  alice.ws.send_raw(bytes);
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  chat_peer bob(server.port(), "bob");
  CHECK(bob.hear_delivery("m1").body == R"({"text":"grüß"})");
}

TEST_CASE("a frame that comes byte by byte is one message") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  const auto frame = make_frame(opcode::text, json_message("m1", "1"));
  for (const auto byte : frame)
    alice.ws.send_raw(std::string(1, byte));
  CHECK(alice.hear_answer("m1").kind == heard::what::server_ack);
}

TEST_CASE("a connection that ends inside a frame leaves nothing behind") {
  server_process server;
  bystanders others(server.port());
  for (int i = 0; i < 20; ++i) {
    chat_peer mallory(server.port(), "mallory");
    const auto frame = make_frame(opcode::text, json_message("m1", "1"));
    mallory.ws.send_raw(frame.substr(0, frame.size() / 2));
    mallory.ws.drop();
  }
  others.talk();
  CHECK(server.is_running());
}
