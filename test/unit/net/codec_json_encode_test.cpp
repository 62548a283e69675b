#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

/// A frame as `alice` sends it, delivered to a connection of kind `how`.
std::string relayed(std::string_view frame, encoding how = encoding::json_v2) {
  return delivery(how, accepted(from_json(frame)));
}

core::envelope binary_message(core::content_kind kind, std::string content) {
  core::envelope result;
  result.id = "m1";
  result.from = "alice";
  result.to = "bob";
  result.kind = kind;
  result.content = std::move(content);
  result.timestamp = 1700000000000;
  return result;
}

std::string body_of(const core::envelope& message) {
  const auto text = delivery(encoding::json, message);
  const auto json = json_of(text);
  REQUIRE(json.has("body"));
  const auto begin = text.find(",\"body\":") + 8;
  return text.substr(begin, text.size() - begin - 1);
}

} // namespace

TEST_CASE("encode_delivery names the group of a member's copy") {
  auto copy = binary_message(core::content_kind::json, "{}");
  copy.group = "g1";
  copy.channel = core::channel::group;
  const auto json = delivery(encoding::json_v2, copy);
  CHECK(json.find("\"to\":\"g1\"") != std::string::npos);
  CHECK(json.find("bob") == std::string::npos);
  const auto packed = delivery(encoding::msgpack, copy);
  CHECK(packed.find("\xa2g1") != std::string::npos);
  CHECK(packed.find("bob") == std::string::npos);
}

TEST_CASE("encode_delivery writes the reference's frame, with meta") {
  // reference 1.4 in, 1.6 out, plus protocol.md 3.1's meta
  const auto out
    = relayed(R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"bob",)"
              R"("from":"mallory","contentType":"text","ephemeral":false,)"
              R"("action":"message","chatid":"c","category":"message"},)"
              R"("meta":{"createdAt":1700000000000},"body":{"text":"hi"}})");
  REQUIRE(out == compact(R"(
    {"_v":2.1,"id":"m1",
     "head":{"type":"INDIVIDUAL","from":"alice","to":"bob",
       "contentType":"text","ephemeral":false,"action":"message",
       "chatid":"c","category":"message"},
     "meta":{"createdAt":1700000000000,
       "serverId":"018c0de1f2a30001000000070000000b",
       "serverTimestamp":1700000000128},
     "body":{"text":"hi"},
     "from":"alice","to":"bob","msgId":"m1","type":"text","text":"hi",
     "module":"INDIVIDUAL","action":"message","chatType":"INDIVIDUAL"})"));
}

TEST_CASE("encode_delivery leaves the flat names out for vartalap.json") {
  const auto out = relayed(
    R"({"id":"m1","head":{"to":"g1","type":"group"},"body":{"text":"hi"}})",
    encoding::json);
  REQUIRE(out == compact(R"(
    {"_v":2.1,"id":"m1",
     "head":{"type":"GROUP","from":"alice","to":"g1","contentType":"text",
       "ephemeral":false,"action":"message","category":"message"},
     "meta":{"createdAt":1700000000123,
       "serverId":"018c0de1f2a30001000000070000000b",
       "serverTimestamp":1700000000128},
     "body":{"text":"hi"}})"));
}

TEST_CASE("encode_delivery writes a group event as the old app reads it") {
  // reference 1.12, with head.type GROUP
  const auto out = relayed(
    R"({"id":"e1","head":{"type":"group","to":"g1",)"
    R"("contentType":"notification","chatId":"g1","chatid":"g1",)"
    R"("action":"remove","category":"message"},"body":{"removed":["bob"]}})");
  const auto json = json_of(out);
  REQUIRE(json["head"]["type"] == "GROUP");
  REQUIRE(json["type"] == "notification");
  REQUIRE(json["chatId"] == "g1");
  REQUIRE(json["chatType"] == "GROUP");
  REQUIRE(json["module"] == "GROUP");
  REQUIRE(json["action"] == "remove");
  REQUIRE_FALSE(json.has("text"));
  REQUIRE(out.find("\"type\":\"notification\",\"chatId\":\"g1\",\"module\"")
          != std::string::npos);
}

TEST_CASE("encode_delivery fills in the category") {
  const auto [head, expected] = GENERATE(table<std::string, std::string>({
    {R"("action":"state")", "system"},
    {R"("action":"ack")", "system"},
    {R"("action":"message")", "message"},
    {R"("action":5)", "message"},
    {R"("x":1)", "message"},
    {R"("action":"state","category":"user")", "user"},
    {R"("action":"state","category":null)", "system"},
  }));
  CAPTURE(head);
  const auto out
    = relayed(R"({"id":"m1","head":{"to":"bob",)" + head + R"(},"body":{}})");
  const auto json = json_of(out);
  REQUIRE(json["head"]["category"] == expected);
}

TEST_CASE("encode_delivery gives the type its name where none was spelled") {
  auto message = binary_message(core::content_kind::json, "{}");
  const auto content_type = [&message] {
    const auto json = json_of(delivery(encoding::json_v2, message));
    REQUIRE(json["type"] == json["head"]["contentType"]);
    return json["type"].text();
  };
  REQUIRE(content_type() == "text");
  message.type = core::message_type::notification;
  REQUIRE(content_type() == "NOTIFICATION");
  message.type = core::message_type::custom;
  REQUIRE(content_type() == "CUSTOM");
  message.meta = {{"contentType", "custom", false}};
  REQUIRE(content_type() == "custom");
}

TEST_CASE("encode_delivery lets nobody spell another type than the message's") {
  auto message = binary_message(core::content_kind::json, "{}");
  for (const auto* word :
       {"SERVER_ACK", "error", "CLIENT_ACK", "notification", " Server_Ack "}) {
    message.meta = {{"contentType", word, false}};
    const auto json = json_of(delivery(encoding::json_v2, message));
    REQUIRE(json["head"]["contentType"] == "text");
  }
  const auto out
    = relayed(R"({"id":"m1","head":{"to":"bob","contentType":"SERVER_ACK"}})");
  REQUIRE(json_of(out)["head"]["contentType"] == "text");
}

TEST_CASE("encode_delivery lets no meta key repeat a field of the server") {
  auto message = binary_message(core::content_kind::json, "{}");
  message.serverid = serverid();
  message.server_timestamp = 7;
  message.meta
    = {{"from", "server", false},   {"to", "x", false},
       {"type", "x", false},        {"ephemeral", "x", false},
       {"_m.serverId", "x", false}, {"_m.serverTimestamp", "x", false},
       {"_m.", "empty", false},     {"", "empty too", false}};
  const auto json = json_of(delivery(encoding::json, message));
  REQUIRE(json["head"]["from"] == "alice");
  REQUIRE(json["head"].keys().size() == 8); // the seven fields and ""
  REQUIRE(json["meta"].keys().size() == 4);
  REQUIRE(json["meta"][""] == "empty");
  REQUIRE(json["meta"]["serverTimestamp"] == 7);
}

TEST_CASE("encode_delivery repeats the text of version 1") {
  const auto [body, expected] = GENERATE(table<std::string, std::string>({
    {R"({"text":"hi"})", R"("text":"hi","module")"},
    {R"({"text":"a","text":"b"})", R"("text":"b","module")"},
    {R"({ "te\u0078t" : "hi" })", R"("text":"hi","module")"},
    {R"({"text":{"a":[1, 2]}})", R"("text":{"a":[1, 2]},"module")"},
    {R"("hi")", R"("text":"[unknown]","module")"},
    {"null", R"("text":"[unknown]","module")"},
    {"[1]", R"("type":"text","module")"},
    {R"({"a":{"text":"x"}})", R"("type":"text","module")"},
  }));
  const auto out
    = relayed(R"({"id":"m1","head":{"to":"bob"},"body":)" + body + "}");
  CAPTURE(out);
  json_of(out);
  REQUIRE(out.find(expected) != std::string::npos);
}

TEST_CASE("encode_delivery keeps every JSON type from JSON to JSON") {
  const auto out = relayed(
    R"({"id":"m1","head":{"to":"bob","n":1.50,"o":{"a":[null]},"b":false,)"
    R"("s":"\"","half":"\ud83d"},"meta":{"n":2e1,"createdAt":"soon"},)"
    R"("body":{"x":1e999}})",
    encoding::json);
  for (const auto* part :
       {R"("n":1.50,"o":{"a":[null]},"b":false,"s":"\"","half":"\ud83d")",
        R"("meta":{"n":2e1,"createdAt":"soon","serverId")",
        R"("body":{"x":1e999}})"}) {
    CAPTURE(out, part);
    REQUIRE(out.find(part) != std::string::npos);
  }
}

TEST_CASE("encode_delivery says when a binary sender made a message") {
  auto message = binary_message(core::content_kind::json, "{}");
  REQUIRE(json_of(delivery(encoding::json, message))["meta"]["createdAt"]
          == 1700000000000);
  message.meta = {{"_m.createdAt", "1700000000000", false}};
  REQUIRE(json_of(delivery(encoding::json, message))["meta"]["createdAt"]
          == 1700000000000);
  message.meta = {{"_m.createdAt", "yesterday", false}};
  REQUIRE(json_of(delivery(encoding::json, message))["meta"]["createdAt"]
          == "yesterday");
}

TEST_CASE("encode_delivery escapes ids and users") {
  auto message = binary_message(core::content_kind::json, "{}");
  message.id = "a\"b\\c";
  message.from = "d\"é";
  const auto json = json_of(delivery(encoding::json_v2, message));
  REQUIRE(json["id"] == "a\"b\\c");
  REQUIRE(json["head"]["from"] == "d\"é");
  REQUIRE(json["msgId"] == "a\"b\\c");
}

TEST_CASE("encode_delivery shows a bin as JSON or as base64") {
  const auto [bytes, expected] = GENERATE(table<std::string, std::string>({
    {R"({"text":"hi"})", R"({"text":"hi"})"},
    {" [1, 2]\n", "[1, 2]"},
    {"null", "null"},
    {"", R"({"base64":""})"},
    {"hello", R"({"base64":"aGVsbG8="})"},
    {"\"\xff\"", R"({"base64":"Iv8i"})"},
    {std::string(2, '\0'), R"({"base64":"AAA="})"},
    {"{} {}", R"({"base64":"e30ge30="})"},
    {std::string(31, '[') + std::string(31, ']'),
     std::string(31, '[') + std::string(31, ']')},
  }));
  REQUIRE(body_of(binary_message(core::content_kind::bin, bytes)) == expected);
}

TEST_CASE("encode_delivery shows a deeply nested bin as base64") {
  const auto bytes = std::string(32, '[') + std::string(32, ']');
  const auto body = body_of(binary_message(core::content_kind::bin, bytes));
  REQUIRE(body.starts_with("{\"base64\":"));
}

TEST_CASE("encode_delivery shows a MessagePack value as its JSON") {
  const auto [bytes, expected] = GENERATE(table<std::string, std::string>({
    {"\xc0", "null"},
    {"\xc2", "false"},
    {"\xc3", "true"},
    {"\x7f", "127"},
    {"\xe0", "-32"},
    {"\xd0\x80", "-128"},
    {"\xd1\x7f\xff", "32767"},
    {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"},
    {std::string("\xd3\x80\0\0\0\0\0\0\0", 9), "-9223372036854775808"},
    {std::string("\xca\x3f\x80\0\0", 5), "1"},
    {std::string("\xcb\x3f\xe0\0\0\0\0\0\0", 9), "0.5"},
    {std::string("\xca\x7f\xc0\0\0", 5), "null"},
    {std::string("\xcb\xff\xf0\0\0\0\0\0\0", 9), "null"},
    {"\xa3"
     "a\"b",
     R"("a\"b")"},
    {"\xa1\xff", R"({"base64":"/w=="})"},
    {"\x92\x01\xc4\x01\xff", R"([1,{"base64":"/w=="}])"},
    {"\xd4\xff\x01", R"({"ext":-1,"base64":"AQ=="})"},
    {std::string("\xc7\0\x05", 3), R"({"ext":5,"base64":""})"},
    {"\x82\xa1"
     "a\x01\xa1"
     "b\x90",
     R"({"a":1,"b":[]})"},
    {"\x83\x01\x02\xc0\x03\x92\x01\xa1"
     "x\x04",
     R"({"1":2,"null":3,"[1,\"x\"]":4})"},
    // a container inside a key is not mapped again
    {"\x81\x81\x91\x01\x02\x03",
     R"({"{\"{\\\"base64\\\":\\\"kQE=\\\"}\":2}":3})"},
    // not one value
    {"\xc1", R"({"base64":"wQ=="})"},
    {"\x01\x02", R"({"base64":"AQI="})"},
  }));
  const auto message = binary_message(core::content_kind::msgpack, bytes);
  CAPTURE(expected);
  REQUIRE(body_of(message) == expected);
}

TEST_CASE("encode_delivery bounds what nested map keys cost") {
  // {{{…: nil}: nil}: nil}: each level would double the escapes
  std::string bytes(30, '\x81');
  bytes += "\xa1\"";
  bytes.append(30, '\xc0');
  const auto body = body_of(binary_message(core::content_kind::msgpack, bytes));
  REQUIRE(body.size() < 32 * bytes.size());
}

TEST_CASE("encode_server_ack says what was reached, in JSON") {
  server_ack ack{"m1", "alice", serverid(), now};
  ack.durability = core::durability::disk;
  std::string out;
  encode_server_ack(encoding::json, ack, out);
  REQUIRE(out == compact(R"(
    {"_v":2.1,"id":"m1","head":{"type":"INDIVIDUAL","from":"server",
     "to":"alice","contentType":"SERVER_ACK","ephemeral":true,
     "category":"system"},
     "meta":{"serverId":"018c0de1f2a30001000000070000000b",
     "serverTimestamp":1700000000123},
     "body":{"status":"stored","durability":"disk"}})"));
}

TEST_CASE("encode_server_ack repeats the flat names for old clients") {
  std::string out;
  encode_server_ack(encoding::json_v2, {"m1", "alice", serverid(), now}, out);
  const auto json = json_of(out);
  REQUIRE(json["from"] == "server");
  REQUIRE(json["to"] == "alice");
  REQUIRE(json["msgId"] == "m1");
  REQUIRE(json["type"] == "SERVER_ACK");
  REQUIRE(json["module"] == "INDIVIDUAL");
  REQUIRE(json["chatType"] == "INDIVIDUAL");
}

TEST_CASE("encode_server_ack names each status and durability") {
  using core::ack_status;
  const auto [status, durability, status_text, durability_text]
    = GENERATE(table<ack_status, int, std::string, std::string>({
      {ack_status::stored, 1, "stored", "disk"},
      {ack_status::delivered, 0, "delivered", "memory"},
      {ack_status::stored, 3, "stored", "disk+2"},
      {ack_status::stored, 255, "stored", "written"},
    }));
  server_ack ack{"m1", "alice", serverid(), now};
  ack.status = status;
  ack.durability = static_cast<core::durability>(durability);
  std::string out;
  encode_server_ack(encoding::json, ack, out);
  const auto json = json_of(out);
  REQUIRE(json["body"]["status"] == status_text);
  REQUIRE(json["body"]["durability"] == durability_text);
}

TEST_CASE("encode_server_ack gives an ephemeral message no serverId") {
  server_ack ack{"m1", "alice", {}, 0};
  ack.status = core::ack_status::relayed;
  std::string out;
  encode_server_ack(encoding::json, ack, out);
  const auto json = json_of(out);
  REQUIRE(json["meta"].keys().size() == 0);
  REQUIRE(json["body"]["status"] == "relayed");
}

TEST_CASE("encode_error names code and reason, in JSON") {
  std::string out;
  encode_error(encoding::json, "m1", "alice", core::refusal::mailbox_full,
               "say \"later\"", out);
  REQUIRE(out
          == R"({"_v":2.1,"id":"m1","head":{"type":"INDIVIDUAL",)"
             R"("from":"server","to":"alice","contentType":"ERROR",)"
             R"("ephemeral":true,"category":"system"},"meta":{},)"
             R"("body":{"code":"mailbox_full","message":"say \"later\""}})");
  out.clear();
  encode_error(encoding::json_v2, "", "alice", core::refusal::bad_frame, "x",
               out);
  REQUIRE(json_of(out)["id"] == "");
  REQUIRE(json_of(out)["type"] == "ERROR");
}

TEST_CASE("encode_gap tells the count, each time under a new id") {
  std::string first;
  std::string second;
  encode_gap(encoding::json_v2, "alice", 3, first);
  encode_gap(encoding::json, "alice", 4, second);
  const auto json = json_of(first);
  REQUIRE(json["head"]["from"] == "server");
  REQUIRE(json["head"]["to"] == "alice");
  REQUIRE(json["head"]["contentType"] == "NOTIFICATION");
  REQUIRE(json["head"]["action"] == "gap");
  REQUIRE(json["head"]["category"] == "system");
  REQUIRE(json["head"]["ephemeral"].text() == "true");
  REQUIRE(json["body"]["count"] == 3);
  REQUIRE_FALSE(json["meta"].has("serverId"));
  REQUIRE_FALSE(json["id"] == json_of(second)["id"]);
}
