#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

/// One message: the frame by which alice sends it in each encoding, and the
/// frame that each encoding's recipient gets, whoever of those sent it. Binary
/// frames are written as `bytes_of` reads them; line ends in JSON are not part
/// of the frame.
struct golden {
  const char* what;
  const char* json_in;
  const char* msgpack_in;
  const char* protobuf_in;
  const char* json_v2_out;
  const char* json_out;
  const char* msgpack_out;
  const char* protobuf_out;
};

// clang-format off
const std::vector<golden>& goldens() {
  static const std::vector<golden> rows{
    {"a text message with all its usual words",
R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"bob","from":"mallory",
"contentType":"text","ephemeral":false,"action":"message","chatid":"c",
"category":"message"},"meta":{"createdAt":1700000000000},"body":{"text":"hi"}})",
R"(98 02 a2'm1' a3'bob' 01 00 c40d'{"text":"hi"}' cf0000018bcfe56800 85
a6'action' a7'message' a6'chatid' a1'c' a8'category' a7'message'
ab'contentType' a4'text' ac'_m.createdAt' ad'1700000000000')",
R"(0d00004040 1202'm1' 1802 2001 3207'mallory' 3a03'bob' 420d'{"text":"hi"}'
4880d095ffbc31 52110a06'action' 1207'message' 520b0a06'chatid' 1201'c'
52130a08'category' 1207'message' 52130a0b'contentType' 1204'text'
521d0a0c'_m.createdAt' 120d'1700000000000')",
R"({"_v":2.1,"id":"m1",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"text","ephemeral":false,"action":"message","chatid":"c","category":"message"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"text":"hi"},
"from":"alice","to":"bob","msgId":"m1","type":"text","text":"hi","module":"INDIVIDUAL","action":"message","chatType":"INDIVIDUAL"})",
R"({"_v":2.1,"id":"m1",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"text","ephemeral":false,"action":"message","chatid":"c","category":"message"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"text":"hi"}})",
R"(9b 02 a2'm1' a3'bob' 01 00 c40d'{"text":"hi"}' cf0000018bcfe56800 85
a6'action' a7'message' a6'chatid' a1'c' a8'category' a7'message'
ab'contentType' a4'text' ac'_m.createdAt' ad'1700000000000' a5'alice'
d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 1202'm1' 1802 2001 2800 3205'alice' 3a03'bob' 420d'{"text":"hi"}'
4880d095ffbc31 52110a06'action' 1207'message' 520b0a06'chatid' 1201'c'
52130a08'category' 1207'message' 52130a0b'contentType' 1204'text'
521d0a0c'_m.createdAt' 120d'1700000000000'
a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
    {"a message with nothing but what it needs",
R"({"_v":2.1,"id":"m2","head":{"to":"bob"},"body":{"n":[1,2.5,null]}})",
R"(98 02 a2'm2' a3'bob' 01 00 c412'{"n":[1,2.5,null]}' c0 80)",
R"(0d00004040 1202'm2' 1802 2001 3207'mallory' 3a03'bob' 4212'{"n":[1,2.5,null]}')",
R"({"_v":2.1,"id":"m2",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"text","ephemeral":false,"action":"message","category":"message"},
"meta":{"createdAt":1700000000123,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"n":[1,2.5,null]},
"from":"alice","to":"bob","msgId":"m2","type":"text","module":"INDIVIDUAL","action":"message","chatType":"INDIVIDUAL"})",
R"({"_v":2.1,"id":"m2",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"text","ephemeral":false,"action":"message","category":"message"},
"meta":{"createdAt":1700000000123,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"n":[1,2.5,null]}})",
R"(9b 02 a2'm2' a3'bob' 01 00 c412'{"n":[1,2.5,null]}' cf0000018bcfe5687b 80
a5'alice' d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 1202'm2' 1802 2001 2800 3205'alice' 3a03'bob'
4212'{"n":[1,2.5,null]}' 48fbd095ffbc31
a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
    {"the app's typing notification",
R"({"_v":2.1,"id":"m3","head":{"type":"chat","to":"bob","action":"typing",
"chatId":"k7","contentType":"notification","ephemeral":true},
"meta":{"createdAt":1700000000000},"body":{"typing":true}})",
R"(98 02 a2'm3' a3'bob' 01 11 c40f'{"typing":true}' cf0000018bcfe56800 84
a6'action' a6'typing' a6'chatId' a2'k7' ab'contentType' ac'notification'
ac'_m.createdAt' ad'1700000000000')",
R"(0d00004040 1202'm3' 1803 2001 2801 3207'mallory' 3a03'bob'
420f'{"typing":true}' 4880d095ffbc31 52100a06'action' 1206'typing'
520c0a06'chatId' 1202'k7' 521b0a0b'contentType' 120c'notification'
521d0a0c'_m.createdAt' 120d'1700000000000')",
R"({"_v":2.1,"id":"m3",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"notification","ephemeral":true,"action":"typing","chatId":"k7","category":"message"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"typing":true},
"from":"alice","to":"bob","msgId":"m3","type":"notification","chatId":"k7","module":"INDIVIDUAL","action":"typing","chatType":"INDIVIDUAL"})",
R"({"_v":2.1,"id":"m3",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"notification","ephemeral":true,"action":"typing","chatId":"k7","category":"message"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"typing":true}})",
R"(9b 02 a2'm3' a3'bob' 01 11 c40f'{"typing":true}' cf0000018bcfe56800 84
a6'action' a6'typing' a6'chatId' a2'k7' ab'contentType' ac'notification'
ac'_m.createdAt' ad'1700000000000' a5'alice'
d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 1202'm3' 1803 2001 2801 3205'alice' 3a03'bob' 420f'{"typing":true}'
4880d095ffbc31 52100a06'action' 1206'typing' 520c0a06'chatId' 1202'k7'
521b0a0b'contentType' 120c'notification' 521d0a0c'_m.createdAt'
120d'1700000000000' a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
    {"the app's state frame",
R"({"_v":2.1,"id":"m4","head":{"to":"bob","from":"alice","action":"state",
"chatid":"c","type":"individual","contentType":"notification",
"category":"system","ephemeral":false},
"meta":{"contentHash":"9e10","createdAt":1700000000000},
"body":{"ids":["m1"],"state":"delivered"}})",
R"(98 02 a2'm4' a3'bob' 01 10 c422'{"ids":["m1"],"state":"delivered"}'
cf0000018bcfe56800 86 a6'action' a5'state' a6'chatid' a1'c' a8'category'
a6'system' ab'contentType' ac'notification' ae'_m.contentHash' a4'9e10'
ac'_m.createdAt' ad'1700000000000')",
R"(0d00004040 1202'm4' 1803 2001 3207'mallory' 3a03'bob'
4222'{"ids":["m1"],"state":"delivered"}' 4880d095ffbc31 520f0a06'action'
1205'state' 520b0a06'chatid' 1201'c' 52120a08'category' 1206'system'
521b0a0b'contentType' 120c'notification' 52160a0e'_m.contentHash' 1204'9e10'
521d0a0c'_m.createdAt' 120d'1700000000000')",
R"({"_v":2.1,"id":"m4",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"notification","ephemeral":false,"action":"state","chatid":"c","category":"system"},
"meta":{"contentHash":"9e10","createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"ids":["m1"],"state":"delivered"},
"from":"alice","to":"bob","msgId":"m4","type":"notification","module":"INDIVIDUAL","action":"state","chatType":"INDIVIDUAL"})",
R"({"_v":2.1,"id":"m4",
"head":{"type":"INDIVIDUAL","from":"alice","to":"bob","contentType":"notification","ephemeral":false,"action":"state","chatid":"c","category":"system"},
"meta":{"contentHash":"9e10","createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"ids":["m1"],"state":"delivered"}})",
R"(9b 02 a2'm4' a3'bob' 01 10 c422'{"ids":["m1"],"state":"delivered"}'
cf0000018bcfe56800 86 a6'action' a5'state' a6'chatid' a1'c' a8'category'
a6'system' ab'contentType' ac'notification' ae'_m.contentHash' a4'9e10'
ac'_m.createdAt' ad'1700000000000' a5'alice'
d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 1202'm4' 1803 2001 2800 3205'alice' 3a03'bob'
4222'{"ids":["m1"],"state":"delivered"}' 4880d095ffbc31 520f0a06'action'
1205'state' 520b0a06'chatid' 1201'c' 52120a08'category' 1206'system'
521b0a0b'contentType' 120c'notification' 52160a0e'_m.contentHash' 1204'9e10'
521d0a0c'_m.createdAt' 120d'1700000000000'
a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
    {"a message of an own type to a group",
R"({"_v":2.1,"id":"m5","head":{"type":"GROUP","to":"g1","contentType":"Custom"},
"meta":{"createdAt":1700000000000},"body":[1,{"a":"b"}]})",
R"(98 02 a2'm5' a2'g1' 02 20 c40d'[1,{"a":"b"}]' cf0000018bcfe56800 82
ab'contentType' a6'Custom' ac'_m.createdAt' ad'1700000000000')",
R"(0d00004040 1202'm5' 180a 2002 3207'mallory' 3a02'g1' 420d'[1,{"a":"b"}]'
4880d095ffbc31 52150a0b'contentType' 1206'Custom' 521d0a0c'_m.createdAt'
120d'1700000000000')",
R"({"_v":2.1,"id":"m5",
"head":{"type":"GROUP","from":"alice","to":"g1","contentType":"Custom","ephemeral":false,"action":"message","category":"message"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":[1,{"a":"b"}],
"from":"alice","to":"g1","msgId":"m5","type":"Custom","module":"GROUP","action":"message","chatType":"GROUP"})",
R"({"_v":2.1,"id":"m5",
"head":{"type":"GROUP","from":"alice","to":"g1","contentType":"Custom","ephemeral":false,"action":"message","category":"message"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":[1,{"a":"b"}]})",
R"(9b 02 a2'm5' a2'g1' 02 20 c40d'[1,{"a":"b"}]' cf0000018bcfe56800 82
ab'contentType' a6'Custom' ac'_m.createdAt' ad'1700000000000' a5'alice'
d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 1202'm5' 180a 2002 2800 3205'alice' 3a02'g1' 420d'[1,{"a":"b"}]'
4880d095ffbc31 52150a0b'contentType' 1206'Custom' 521d0a0c'_m.createdAt'
120d'1700000000000' a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
    {"a state frame of another channel, with the body null",
R"({"_v":2.1,"id":"m6","head":{"type":"channel","to":"bob","action":"state",
"contentType":"image"},"meta":{"createdAt":1700000000000},"body":null})",
R"(98 02 a2'm6' a3'bob' 0a 00 c404'null' cf0000018bcfe56800 83 a6'action'
a5'state' ab'contentType' a5'image' ac'_m.createdAt' ad'1700000000000')",
R"(0d00004040 1202'm6' 1802 200a 3207'mallory' 3a03'bob' 4204'null'
4880d095ffbc31 520f0a06'action' 1205'state' 52140a0b'contentType' 1205'image'
521d0a0c'_m.createdAt' 120d'1700000000000')",
R"({"_v":2.1,"id":"m6",
"head":{"type":"OTHER","from":"alice","to":"bob","contentType":"image","ephemeral":false,"action":"state","category":"system"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":null,
"from":"alice","to":"bob","msgId":"m6","type":"image","text":"[unknown]","module":"OTHER","action":"state","chatType":"OTHER"})",
R"({"_v":2.1,"id":"m6",
"head":{"type":"OTHER","from":"alice","to":"bob","contentType":"image","ephemeral":false,"action":"state","category":"system"},
"meta":{"createdAt":1700000000000,"serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":null})",
R"(9b 02 a2'm6' a3'bob' 0a 00 c404'null' cf0000018bcfe56800 83 a6'action'
a5'state' ab'contentType' a5'image' ac'_m.createdAt' ad'1700000000000'
a5'alice' d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 1202'm6' 1802 200a 2800 3205'alice' 3a03'bob' 4204'null'
4880d095ffbc31 520f0a06'action' 1205'state' 52140a0b'contentType' 1205'image'
521d0a0c'_m.createdAt' 120d'1700000000000'
a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
    {"letters beyond ASCII",
R"({"_v":2.1,"id":"nachricht-ü","head":{"type":"individual","to":"żółw"},
"meta":{"createdAt":1700000000000,"ключ":"é"},"body":{"text":"grüß 😀"}})",
R"(98 02 ac'nachricht-ü' a7'żółw' 01 00 c416'{"text":"grüß 😀"}'
cf0000018bcfe56800 82 ac'_m.createdAt' ad'1700000000000' ab'_m.ключ' a2'é')",
R"(0d00004040 120c'nachricht-ü' 1802 2001 3207'mallory' 3a07'żółw'
4216'{"text":"grüß 😀"}' 4880d095ffbc31 521d0a0c'_m.createdAt'
120d'1700000000000' 52110a0b'_m.ключ' 1202'é')",
R"({"_v":2.1,"id":"nachricht-ü",
"head":{"type":"INDIVIDUAL","from":"alice","to":"żółw","contentType":"text","ephemeral":false,"action":"message","category":"message"},
"meta":{"createdAt":1700000000000,"ключ":"é","serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"text":"grüß 😀"},
"from":"alice","to":"żółw","msgId":"nachricht-ü","type":"text","text":"grüß 😀","module":"INDIVIDUAL","action":"message","chatType":"INDIVIDUAL"})",
R"({"_v":2.1,"id":"nachricht-ü",
"head":{"type":"INDIVIDUAL","from":"alice","to":"żółw","contentType":"text","ephemeral":false,"action":"message","category":"message"},
"meta":{"createdAt":1700000000000,"ключ":"é","serverId":"018c0de1f2a30001000000070000000b","serverTimestamp":1700000000128},
"body":{"text":"grüß 😀"}})",
R"(9b 02 ac'nachricht-ü' a7'żółw' 01 00 c416'{"text":"grüß 😀"}'
cf0000018bcfe56800 82 ac'_m.createdAt' ad'1700000000000' ab'_m.ключ' a2'é'
a5'alice' d920'018c0de1f2a30001000000070000000b' cf0000018bcfe56880)",
R"(0d66660640 120c'nachricht-ü' 1802 2001 2800 3205'alice' 3a07'żółw'
4216'{"text":"grüß 😀"}' 4880d095ffbc31 521d0a0c'_m.createdAt'
120d'1700000000000' 52110a0b'_m.ключ' 1202'é'
a20120'018c0de1f2a30001000000070000000b' a80180d195ffbc31)"},
  };
  return rows;
}
// clang-format on

std::string text_of(std::string_view golden) {
  std::string result;
  for (const char c : golden) {
    if (c != '\n')
      result.push_back(c);
  }
  return result;
}

struct sent_frame {
  encoding how;
  std::string bytes;
};

std::vector<sent_frame> frames_in(const golden& row) {
  return {{encoding::json, text_of(row.json_in)},
          {encoding::msgpack, bytes_of(row.msgpack_in)},
          {encoding::protobuf, bytes_of(row.protobuf_in)}};
}

/// The entries' texts: JSON keeps beside them what was no string.
std::vector<std::pair<std::string, std::string>>
texts_of(const std::vector<core::meta_entry>& meta) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const auto& entry : meta)
    result.emplace_back(entry.key, entry.value);
  return result;
}

} // namespace

TEST_CASE("codec goldens: a message is the same in whatever encoding it came") {
  for (const auto& row : goldens()) {
    CAPTURE(row.what);
    const auto first = message_of(from_json(text_of(row.json_in)));
    for (const auto& [how, bytes] : frames_in(row)) {
      CAPTURE(static_cast<int>(how), hex_of(bytes));
      const auto result = message_of(from(how, bytes));
      const auto& got = *result.what;
      CHECK(got.from.empty());
      CHECK(got.id == first.what->id);
      CHECK(got.to == first.what->to);
      CHECK(got.type == first.what->type);
      CHECK(got.channel == first.what->channel);
      CHECK(got.ephemeral == first.what->ephemeral);
      CHECK(got.timestamp == first.what->timestamp);
      CHECK(got.content == first.what->content);
      CHECK(texts_of(got.meta) == texts_of(first.what->meta));
      CHECK(result.state_ids == first.state_ids);
    }
  }
}

TEST_CASE("codec goldens: every pair of encodings delivers the golden frame") {
  for (const auto& row : goldens()) {
    for (const auto& [how, bytes] : frames_in(row)) {
      CAPTURE(row.what, static_cast<int>(how));
      const auto message = accepted(from(how, bytes));
      CHECK(delivery(encoding::json_v2, message) == text_of(row.json_v2_out));
      CHECK(delivery(encoding::json, message) == text_of(row.json_out));
      CHECK(hex_of(delivery(encoding::msgpack, message))
            == hex_of(bytes_of(row.msgpack_out)));
      CHECK(hex_of(delivery(encoding::protobuf, message))
            == hex_of(bytes_of(row.protobuf_out)));
    }
  }
}

TEST_CASE("codec goldens: the state frame names its ids in every encoding") {
  std::size_t found = 0;
  for (const auto& row : goldens()) {
    if (std::string_view{row.what} != "the app's state frame")
      continue;
    for (const auto& [how, bytes] : frames_in(row)) {
      CAPTURE(static_cast<int>(how));
      CHECK(message_of(from(how, bytes)).state_ids
            == std::vector<std::string>{"m1"});
      ++found;
    }
  }
  CHECK(found == 3);
}
