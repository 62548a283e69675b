#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;
using core::channel;
using core::message_type;
using core::refusal;

namespace {

std::string with_head(std::string_view head) {
  return R"({"_v":2.1,"id":"m1","head":{"to":"bob")" + std::string{head}
         + R"(},"body":{"text":"hi"}})";
}

} // namespace

TEST_CASE("decode_json reads a frame of version 2.1") {
  const auto result = message_of(from_json(
    R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"bob",)"
    R"("from":"mallory","contentType":"text","action":"message",)"
    R"("category":"message","chatid":"c1","ephemeral":false},)"
    R"("meta":{"createdAt":1700000000000},"body":{"text": "hello"}})"));
  const auto& message = *result.what;
  REQUIRE(message.id == "m1");
  REQUIRE(message.to == "bob");
  REQUIRE(message.from.empty());
  REQUIRE(message.type == message_type::message);
  REQUIRE(message.channel == channel::individual);
  REQUIRE_FALSE(message.ephemeral);
  REQUIRE(message.timestamp == 1700000000000);
  REQUIRE(message.kind == core::content_kind::json);
  REQUIRE(message.content == R"({"text": "hello"})");
  REQUIRE(result.state_ids.empty());
  using entry = core::meta_entry;
  REQUIRE(message.meta
          == std::vector<entry>{{"action", "message", false},
                                {"category", "message", false},
                                {"chatid", "c1", false},
                                {"contentType", "text", false},
                                {"_m.createdAt", "1700000000000", true}});
}

TEST_CASE("decode_json answers ping") {
  REQUIRE(std::holds_alternative<frame::ping>(from_json("ping")));
  REQUIRE(bad_of(from_json(" ping")).code == refusal::bad_frame);
}

TEST_CASE("decode_json maps head.type to a channel") {
  const auto [word, expected] = GENERATE(table<std::string, channel>({
    {"individual", channel::individual},
    {"INDIVIDUAL", channel::individual},
    {" Chat ", channel::individual},
    {"", channel::individual},
    {"group", channel::group},
    {"GROUP", channel::group},
    {"bot", channel::other},
    {"other", channel::other},
  }));
  CAPTURE(word);
  const auto text = with_head(R"(,"type":")" + word + '"');
  REQUIRE(message_of(from_json(text)).what->channel == expected);
  REQUIRE(message_of(from_json(with_head(""))).what->channel
          == channel::individual);
}

TEST_CASE("decode_json maps head.contentType to a type and keeps it") {
  const auto [word, type, kept]
    = GENERATE(table<std::string, message_type, std::string>({
      {"text", message_type::message, "text"},
      {"Notification", message_type::notification, "Notification"},
      {" NOTIFICATION", message_type::notification, "NOTIFICATION"},
      {"custom", message_type::custom, "custom"},
      {"image", message_type::message, "image"},
      {"SERVER_ACK", message_type::message, "SERVER_ACK"},
      {"error", message_type::message, "error"},
    }));
  CAPTURE(word);
  const auto result
    = message_of(from_json(with_head(R"(,"contentType":")" + word + '"')));
  REQUIRE(result.what->type == type);
  REQUIRE(meta_of(*result.what, "contentType")->value == kept);
}

TEST_CASE("decode_json takes a missing contentType for a message") {
  for (const auto* head :
       {"", R"(,"contentType":null)", R"(,"contentType":"  ")"}) {
    const auto result = message_of(from_json(with_head(head)));
    REQUIRE(result.what->type == message_type::message);
    REQUIRE(meta_of(*result.what, "contentType") == nullptr);
  }
}

TEST_CASE("decode_json keeps the JSON type of opaque head and meta keys") {
  const auto result = message_of(
    from_json(R"({"id":"m1","head":{"to":"bob","n":1.50,"b":true,"z":null,)"
              R"("o":{"a": [1]},"s":"x\n","half":"\ud83d"},)"
              R"("meta":{"n":2,"s":"y"},"body":[1]})"));
  const auto& meta = result.what->meta;
  using entry = core::meta_entry;
  REQUIRE(meta
          == std::vector<entry>{{"n", "1.50", true},
                                {"b", "true", true},
                                {"z", "null", true},
                                {"o", R"({"a": [1]})", true},
                                {"s", "x\n", false},
                                {"half", R"("\ud83d")", true},
                                {"_m.n", "2", true},
                                {"_m.s", "y", false}});
}

TEST_CASE("decode_json takes meta.createdAt as the timestamp where it can") {
  const auto [text, expected] = GENERATE(table<std::string, std::uint64_t>({
    {"1700000000000", 1700000000000},
    {"1.7e12", 1700000000000},
    {"0", 0},
    {"-5", now},
    {"1.5", now},
    {"\"2024-01-01\"", now},
    {"null", now},
  }));
  const auto result = message_of(
    from_json(R"({"id":"m1","head":{"to":"bob"},"meta":{"createdAt":)" + text
              + R"(},"body":{}})"));
  REQUIRE(result.what->timestamp == expected);
  REQUIRE(meta_of(*result.what, "_m.createdAt") != nullptr);
}

TEST_CASE("decode_json takes the last of repeated keys") {
  const auto result = message_of(from_json(
    R"({"id":"m0","id":"m1","head":{"to":"eve"},)"
    R"("head":{"to":"eve","to":"bob","k":"a","k":2},"body":1,"body":2})"));
  REQUIRE(result.what->id == "m1");
  REQUIRE(result.what->to == "bob");
  REQUIRE(result.what->content == "2");
  REQUIRE(result.what->meta == std::vector<core::meta_entry>{{"k", "2", true}});
}

TEST_CASE("decode_json reads keys that are written with escapes") {
  const auto result = message_of(
    from_json(R"({"\u0069d":"m1","head":{"t\u006f":"bob"},"body":{}})"));
  REQUIRE(result.what->to == "bob");
}

TEST_CASE("decode_json gives a frame without a body an empty one") {
  const auto text = R"({"_v":2,"id":"m1","head":{"to":"bob"}})";
  REQUIRE(message_of(from_json(text)).what->content == "{}");
}

TEST_CASE("decode_json keeps any JSON value as content") {
  const auto body = GENERATE(as<std::string>{}, "null", "\"text\"", "12",
                             "[1, 2]", "{}", R"({"a":"\ud83d"})");
  const auto result = message_of(
    from_json(R"({"id":"m1","head":{"to":"bob"},"body": )" + body + "}"));
  REQUIRE(result.what->content == body);
}

TEST_CASE("decode_json drops what only the server may say in meta") {
  const auto result = message_of(
    from_json(R"({"id":"m1","head":{"to":"bob"},"meta":{"serverId":"x",)"
              R"("serverTimestamp":1,"hash":"h"},"body":{}})"));
  REQUIRE(result.what->meta
          == std::vector<core::meta_entry>{{"_m.hash", "h", false}});
}

TEST_CASE("decode_json reads flat frames of version 1") {
  const auto result = message_of(
    from_json(R"({"_v":1,"msgId":"m1","from":"mallory","to":"bob",)"
              R"("chatId":"c1","text":"hi","module":"group","type":"text",)"
              R"("action":"message","state":"new"})"));
  const auto& message = *result.what;
  REQUIRE(message.id == "m1");
  REQUIRE(message.channel == channel::group);
  REQUIRE(message.type == message_type::message);
  REQUIRE(message.content == R"({"text":"hi"})");
  using entry = core::meta_entry;
  REQUIRE(message.meta
          == std::vector<entry>{{"action", "message", false},
                                {"state", "new", false},
                                {"chatId", "c1", false},
                                {"contentType", "text", false}});
}

TEST_CASE("decode_json reads the web test client's version 1") {
  const auto result = message_of(from_json(
    R"({"_v":1,"msgId":"m1","from":"alice","to":"bob","chatId":"bob",)"
    R"("text":"{\"text\":\"hi\"}","module":"MESSAGE","type":"MESSAGE",)"
    R"("chatType":"MESSAGE"})"));
  REQUIRE(result.what->channel == channel::individual);
  REQUIRE(result.what->type == message_type::message);
  REQUIRE(result.what->content == R"({"text":"{\"text\":\"hi\"}"})");
}

TEST_CASE("decode_json reads flat frames that lack almost everything") {
  const auto result = message_of(from_json(R"({"msgId":"m1","to":"bob"})"));
  REQUIRE(result.what->content == "{}");
  REQUIRE(result.what->type == message_type::message);
  REQUIRE(
    message_of(from_json(R"({"msgId":"m1","to":"bob","text":5})")).what->content
    == R"({"text":5})");
}

TEST_CASE("decode_json reads every form of CLIENT_ACK") {
  const auto [text, id] = GENERATE(table<std::string, std::string>({
    // reference 1.8: accepted by the original server
    {R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"server",)"
     R"("contentType":"CLIENT_ACK"}})",
     "m1"},
    {R"({"_v":2.1,"id":"m1","head":{"contentType":" client_ack"}})", "m1"},
    // the web test client, versions 2 and 1
    {R"({"_v":2.1,"id":"ID","head":{"type":"INDIVIDUAL","from":"alice",)"
     R"("to":"server","ephemeral":true},"meta":{},"body":null})",
     "ID"},
    {R"({"_v":1,"msgId":"ID","from":"alice","to":"server","chatId":"server",)"
     R"("text":"null","module":"CLIENT_ACK","type":"CLIENT_ACK",)"
     R"("chatType":"CLIENT_ACK"})",
     "ID"},
    {R"({"msgId":"ID","to":"server"})", "ID"},
  }));
  CAPTURE(text);
  const auto ack = ack_of(from_json(text));
  REQUIRE(ack.id == id);
  REQUIRE(ack.serverids.empty());
}

TEST_CASE("decode_json reads the serverIds of a CLIENT_ACK") {
  const std::string one{serverid_text};
  const auto ack_with = [](const std::string& meta) {
    return R"({"head":{"to":"server","contentType":"CLIENT_ACK"},"meta":)"
           + meta + "}";
  };
  auto ack = ack_of(from_json(ack_with(R"({"serverId":")" + one + R"("})")));
  REQUIRE(ack.serverids == std::vector<core::server_id>{serverid()});
  ack = ack_of(from_json(
    ack_with(R"({"serverIds":[")" + one + R"(",")" + one + R"("]})")));
  REQUIRE(ack.serverids.size() == 2);
  for (const auto* meta :
       {R"({"serverId":"x"})", R"({"serverId":5})", R"({"serverIds":"x"})",
        R"({"serverIds":["x"]})", R"({"serverIds":[]})", "{}", "5",
        R"({"serverId":"018C0DE1F2A30001000000070000000B"})",
        R"({"serverId":"00000000000000000000000000000000"})"}) {
    CAPTURE(meta);
    REQUIRE(bad_of(from_json(ack_with(meta))).code == refusal::bad_frame);
  }
}

TEST_CASE("decode_json names the ids of a state frame") {
  const auto state_frame = [](std::string_view body) {
    return R"({"_v":2.1,"id":"s1","head":{"to":"bob","from":"alice",)"
           R"("action":"state","chatid":"c","type":"individual",)"
           R"("contentType":"notification","category":"system",)"
           R"("ephemeral":false},"meta":{"contentHash":"h",)"
           R"("createdAt":1700000000000},"body":)"
           + std::string{body} + "}";
  };
  const auto [body, expected]
    = GENERATE(table<std::string, std::vector<std::string>>({
      {R"({"ids":["m1","m2"],"state":"delivered"})", {"m1", "m2"}},
      {R"({"state":"read","ids":["m\u0031"]})", {"m1"}},
      {R"({"ids":["m1",5,"","\u0000"],"state":"read"})", {"m1"}},
      {R"({"ids":["m1"],"state":"seen"})", {}},
      {R"({"ids":"m1","state":"read"})", {}},
      {R"({"ids":["m1"]})", {}},
      {R"([1])", {}},
      {R"("state")", {}},
    }));
  CAPTURE(body);
  const auto result = message_of(from_json(state_frame(body)));
  REQUIRE(result.state_ids == expected);
  REQUIRE(result.what->type == message_type::notification);
  REQUIRE(result.what->content == body);
}

TEST_CASE("decode_json sees no state in other actions") {
  const auto result = message_of(
    from_json(R"({"id":"m1","head":{"to":"bob","action":"message"},)"
              R"("body":{"ids":["m1"],"state":"read"}})"));
  REQUIRE(result.state_ids.empty());
}

TEST_CASE("decode_json refuses what it cannot take and says why") {
  const auto [text, id, why]
    = GENERATE(table<std::string, std::string, std::string>({
      {"", "", "not JSON"},
      {"pong", "", "not JSON"},
      {"[]", "", "one JSON object"},
      {"\"ping\"", "", "one JSON object"},
      {R"({"id":"m1")", "", "not JSON"},
      {"{\"id\":\"\xff\"}", "", "not UTF-8"},
      {R"({"_v":"2.1","id":"m1","head":{"to":"bob"}})", "", "_v"},
      {R"({"_v":2.1,"id":"m1"})", "", "head is missing"},
      {R"({"_v":2.1,"id":"m1","head":[]})", "", "head must be an object"},
      {R"({"id":5,"head":{"to":"bob"}})", "5", "id must be a string"},
      {R"({"id":["m1"],"head":{"to":"bob"}})", "", "id must be a string"},
      {R"({"id":"","head":{"to":"bob"}})", "", "id must be 1 to 64"},
      {R"({"id":"a\u0000b","head":{"to":"bob"}})", "", "control"},
      {R"({"id":"\ud83d","head":{"to":"bob"}})", "", "id must be"},
      {R"({"head":{"to":"bob"}})", "", "id is missing"},
      {R"({"id":"m1","head":{}})", "m1", "head.to"},
      {R"({"id":"m1","head":{"to":null}})", "m1", "head.to"},
      {R"({"id":"m1","head":{"to":7}})", "m1", "head.to must be a string"},
      {R"({"id":"m1","head":{"to":"b\u0000"}})", "m1", "control"},
      {R"({"id":"m1","head":{"to":"b\u0085"}})", "m1", "control"},
      {R"({"id":"m1","head":{"to":"server","contentType":"text"}})", "m1",
       "CLIENT_ACK"},
      {R"({"id":"m1","head":{"to":"bob","type":1}})", "m1", "head.type"},
      {R"({"id":"m1","head":{"to":"bob","contentType":1}})", "m1",
       "head.contentType"},
      {R"({"id":"m1","head":{"to":"bob","ephemeral":"true"}})", "m1",
       "head.ephemeral"},
      {R"({"id":"m1","head":{"to":"bob","\udc00":1}})", "m1", "surrogate"},
      {R"({"id":"m1","head":{"to":"bob"},"meta":[]})", "m1", "meta"},
      {R"({"id":"m1","head":{"to":"bob"},"meta":{"\udc00":1}})", "m1",
       "surrogate"},
      {R"({"msgId":9,"to":"bob"})", "9", "msgId must be a string"},
      {R"({"msgId":"m1"})", "m1", "recipient"},
      {R"({"msgId":"m1","to":["bob"]})", "m1", "to must be a string"},
      {R"({"msgId":"m1","to":"bob","type":{}})", "m1", "type must"},
    }));
  CAPTURE(text);
  const auto bad = bad_of(from_json(text));
  REQUIRE(bad.code == refusal::bad_frame);
  REQUIRE(bad.id == id);
  REQUIRE(bad.why.find(why) != std::string::npos);
}

TEST_CASE("decode_json takes ids and users up to their length, not longer") {
  const auto frame_with = [](std::size_t id, std::size_t to) {
    return R"({"id":")" + std::string(id, 'i') + R"(","head":{"to":")"
           + std::string(to, 't') + R"("},"body":{}})";
  };
  message_of(from_json(frame_with(64, 128)));
  REQUIRE(bad_of(from_json(frame_with(65, 1))).code == refusal::bad_frame);
  REQUIRE(bad_of(from_json(frame_with(1, 129))).code == refusal::bad_frame);
}

TEST_CASE("decode_json takes content up to its limit, not longer") {
  codec_limits limits;
  limits.content_bytes = 10;
  const auto frame_with = [](std::string_view body) {
    return R"({"id":"m1","head":{"to":"bob"},"body":)" + std::string{body}
           + "}";
  };
  message_of(from_json(frame_with("\"12345678\""), limits));
  const auto bad = bad_of(from_json(frame_with("\"123456789\""), limits));
  REQUIRE(bad.code == refusal::too_large);
  REQUIRE(bad.id == "m1");
  limits.content_bytes = 0;
  message_of(
    from_json(frame_with('"' + std::string(200'000, 'x') + '"'), limits));
}

TEST_CASE("decode_json counts the whole body of a flat frame") {
  codec_limits limits;
  limits.content_bytes = 14; // {"text":"abc"}
  message_of(from_json(R"({"msgId":"m","to":"bob","text":"abc"})", limits));
  REQUIRE(
    bad_of(from_json(R"({"msgId":"m","to":"bob","text":"abcd"})", limits)).code
    == refusal::too_large);
}

TEST_CASE("decode_json takes meta up to its limits, not beyond") {
  const auto frame_with = [](int head, int meta) {
    std::string text = R"({"id":"m1","head":{"to":"bob","contentType":"text")";
    for (int i = 0; i < head; ++i)
      text += ",\"h" + std::to_string(i) + "\":1";
    text += R"(},"meta":{)";
    for (int i = 0; i < meta; ++i)
      text += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
    return text + "}}";
  };
  REQUIRE(message_of(from_json(frame_with(16, 16))).what->meta.size() == 33);
  REQUIRE(bad_of(from_json(frame_with(17, 16))).code == refusal::too_large);
  REQUIRE(bad_of(from_json(frame_with(0, 9999))).code == refusal::too_large);

  codec_limits limits;
  limits.meta_bytes = 10;
  const auto bytes = [](std::string_view value) {
    return R"({"id":"m1","head":{"to":"bob","kkkk":")" + std::string{value}
           + R"("}})";
  };
  message_of(from_json(bytes("123456"), limits));
  REQUIRE(bad_of(from_json(bytes("1234567"), limits)).code
          == refusal::too_large);
}

TEST_CASE("decode_json refuses nesting beyond its depth") {
  const auto nested = [](std::size_t depth) {
    return R"({"id":"m1","head":{"to":"bob"},"body":)" + std::string(depth, '[')
           + std::string(depth, ']') + "}";
  };
  message_of(from_json(nested(31)));
  REQUIRE(bad_of(from_json(nested(32))).why.find("deeper")
          != std::string::npos);
  REQUIRE(bad_of(from_json(nested(1'000'000))).code == refusal::bad_frame);
}

TEST_CASE("decode_json refuses a valid frame that is cut off anywhere") {
  const std::string whole
    = R"({"_v":2.1,"id":"m1","head":{"type":"group","to":"bob","k":[1,{}]},)"
      R"("meta":{"createdAt":1},"body":{"text":"h\u00e9é"}})";
  message_of(from_json(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    bad_of(from_json(std::string_view{whole}.substr(0, size)));
  }
}
