// What the original's clients send and expect, byte by byte, where that is not
// what one would think.

#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

constexpr auto v2 = encoding::json_v2;
constexpr auto mp = encoding::msgpack;
constexpr auto v3 = encoding::protobuf;

std::string read_golden(encoding how, std::string_view golden) {
  return is_text(how) ? compact(golden) : bytes_of(golden);
}

} // namespace

TEST_CASE("codec quirks: every acknowledgement of a client is one") {
  struct sent {
    const char* what;
    encoding how;
    const char* frame;
    const char* id; ///< null: the serverId
  };
  const std::vector<sent> cases{
    {"v3 of the web test client, time in seconds", v3,
     "0d00004040 1202'ID' 1801 2001 2801 3205'alice' 3a06'server' 4204'null'"
     "4880e2cfaa06",
     "ID"},
    {"v3 from an encoder that leaves out what it can", v3, "1202'ID' 1801",
     "ID"},
    {"v3 without a type", v3, "1202'ID' 2001 3a06'server'", "ID"},
    {"v3 with a serverId", v3,
     "1202'ID' 1801 a20120'018c0de1f2a30001000000070000000b'", nullptr},
    {"v2 of the web test client, without a contentType", v2,
     R"({"_v":2.1,"id":"ID","head":{"type":"INDIVIDUAL","from":"alice",
         "to":"server","ephemeral":true},"meta":{},"body":null})",
     "ID"},
    {"v2 with a contentType in small letters", v2,
     R"({"_v":2.1,"id":"ID","head":{"type":"individual","to":"server",
         "contentType":"client_ack"}})",
     "ID"},
    {"v2 with a serverId", v2,
     R"({"id":"ID","head":{"to":"server","contentType":"CLIENT_ACK"},
         "meta":{"serverId":"018c0de1f2a30001000000070000000b"}})",
     nullptr},
    {"v1 of the web test client, without action and state", v2,
     R"({"_v":1,"msgId":"ID","from":"alice","to":"server","chatId":"server",
         "text":"null","module":"CLIENT_ACK","type":"CLIENT_ACK",
         "chatType":"CLIENT_ACK"})",
     "ID"},
    {"MessagePack", mp, "92 01 91 d920'018c0de1f2a30001000000070000000b'",
     nullptr},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const auto ack = ack_of(from(one.how, read_golden(one.how, one.frame)));
    if (one.id != nullptr) {
      CHECK(ack.id == one.id);
      CHECK(ack.serverids.empty());
    } else {
      CHECK(ack.serverids == std::vector{serverid()});
    }
  }
}

TEST_CASE("codec quirks: the SERVER_ACK begins with the original's bytes, a "
          "zero type among them") {
  server_ack ack;
  ack.id = "abc";
  ack.to = "alice";
  ack.serverid = serverid();
  ack.server_timestamp = 1'700'000'000'000;
  ack.status = core::ack_status::stored;
  ack.durability = core::durability::disk;
  std::string out;
  encode_server_ack(v3, ack, out);
  const auto original = bytes_of("0d66660640 1203616263 1800 2001 2801"
                                 "3206736572766572 3a05616c696365");
  CHECK(hex_of(out).starts_with(hex_of(original)));
  // Only a content, which says what is confirmed, is added between.
  CHECK(hex_of(out.substr(original.size()))
        == hex_of(bytes_of("4227'{\"status\":\"stored\",\"durability\":"
                           "\"disk\"}' a20120'018c0de1f2a300010000000700"
                           "00000b' a80180d095ffbc31")));
}

TEST_CASE("codec quirks: what one encoding has and another has not") {
  struct row {
    const char* what;
    encoding in;
    const char* frame;
    encoding out;
    const char* part; ///< of the delivery
  };
  const std::vector<row> cases{
    {"flat names of v1 reach a v3 client as content and meta", v2,
     R"({"msgId":"m1","to":"bob","chatType":"INDIVIDUAL","type":"text",
         "text":"hi","chatId":"k","action":"message","state":"new"})",
     v3,
     "1202'm1' 1802 2001 2800 3205'alice' 3a03'bob' 420d'{\"text\":\"hi\"}'"
     "48fbd095ffbc31 52110a06'action' 1207'message' 520c0a05'state' 1203'new'"
     "520b0a06'chatId' 1201'k' 52130a0b'contentType' 1204'text'"},
    {"flat names are repeated for v1 clients of what a v3 client sent", v3,
     "1202'm1' 1802 2001 3a03'bob' 420d'{\"text\":\"hi\"}'"
     "520b0a06'chatId' 1201'k'",
     v2,
     R"("from":"alice","to":"bob","msgId":"m1","type":"text","chatId":"k",
        "text":"hi","module":"INDIVIDUAL","action":"message",
        "chatType":"INDIVIDUAL"})"},
    {"what was no string becomes its JSON text", v2,
     R"({"id":"m1","head":{"to":"bob","n":7,"o":{"a":[true]},"z":null},
         "body":{}})",
     v3,
     "52060a01'n' 1201'7' 52110a01'o' 120c'{\"a\":[true]}'"
     "52090a01'z' 1204'null'"},
    {"createdAt is a number again", v3,
     "1202'm1' 1802 3a03'bob' 4202'{}' 4880d095ffbc31"
     "521d0a0c'_m.createdAt' 120d'1700000000000'",
     v2, R"("meta":{"createdAt":1700000000000,)"},
    {"an unknown kind of channel is OTHER, not lost", v2,
     R"({"id":"m1","head":{"type":"bot","to":"bob"},"body":{}})", v3,
     "1802 200a 2800"},
    {"a type that v1 does not know is a MESSAGE with its spelling", v2,
     R"({"msgId":"m1","to":"bob","chatType":"chat","type":"image"})", v3,
     "1802 2001 2800 3205'alice' 3a03'bob' 4202'{}' 48fbd095ffbc31"
     "52140a0b'contentType' 1205'image'"},
    {"content that is not JSON is base64 for JSON clients", v3,
     "1202'm1' 1802 3a03'bob' 4203ff0001", v2, R"("body":{"base64":"/wAB"})"},
    {"no content is empty content", v3, "1202'm1' 1802 3a03'bob'", v2,
     R"("body":{"base64":""})"},
    {"content that is not JSON stays as it is for the binary clients", v3,
     "1202'm1' 1802 3a03'bob' 4203ff0001", mp, "c403ff0001"},
    {"a bin is a v3 client's content", mp,
     "96 02 a2'm1' a3'bob' 01 00 c403ff0001", v3, "4203ff0001"},
    {"a MessagePack value is its JSON for v3 clients", mp,
     "96 02 a2'm1' a3'bob' 01 00 82 a1'a' 93 01c3c0 a1'b' c40100", v3,
     "4229'{\"a\":[1,true,null],\"b\":{\"base64\":\"AA==\"}}'"},
    {"the four bytes null are null", v3, "1202'm1' 1802 3a03'bob' 4204'null'",
     v2, R"("body":null)"},
    {"nobody is somebody else", v3,
     "1202'm1' 1802 3205'carol' 3a03'bob' 520d0a04'from' 1205'carol'", v2,
     R"("head":{"type":"INDIVIDUAL","from":"alice","to":"bob",
        "contentType":"text","ephemeral":false,"action":"message",
        "category":"message"})"},
    {"nobody writes what looks like the server's", v3,
     "1202'm1' 1802 3a03'bob' 52190a0b'contentType' 120a'SERVER_ACK'", v2,
     R"("contentType":"text")"},
    {"a client's SERVER_ACK is a message", v3,
     "1202'm1' 1800 3a03'bob' a20102'zz'", v3,
     "1202'm1' 1802 2001 2800 3205'alice' 3a03'bob'"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const auto message = accepted(from(one.in, read_golden(one.in, one.frame)));
    const auto got = delivery(one.out, message);
    const auto part = read_golden(one.out, one.part);
    INFO((is_text(one.out) ? got : hex_of(got)));
    CHECK(got.find(part) != std::string::npos);
  }
}

TEST_CASE("codec quirks: a state frame acknowledges in every encoding") {
  struct sent {
    encoding how;
    const char* frame;
  };
  const std::vector<sent> cases{
    {v2, R"({"_v":2.1,"id":"s1","head":{"to":"bob","from":"alice",
             "action":"state","chatid":"c","type":"individual",
             "contentType":"notification","category":"system",
             "ephemeral":false},"meta":{"contentHash":"d4","createdAt":5},
             "body":{"ids":["m1","m2"],"state":"read"}})"},
    {v2, R"({"msgId":"s1","to":"bob","type":"notification","chatType":"chat",
             "action":"state","body":{"ids":["m1","m2"],"state":"read"}})"},
    {mp, "98 02 a2's1' a3'bob' 01 10 82 a3'ids' 92 a2'm1' a2'm2'"
         "a5'state' a4'read' c0 81 a6'action' a5'state'"},
    {v3, "1202's1' 1803 2001 3a03'bob' 4222'{\"ids\":[\"m1\",\"m2\"],"
         "\"state\":\"read\"}' 520f0a06'action' 1205'state'"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.frame);
    const auto result
      = message_of(from(one.how, read_golden(one.how, one.frame)));
    CHECK(result.state_ids == std::vector<std::string>{"m1", "m2"});
    CHECK(result.what->type == core::message_type::notification);
  }
}
