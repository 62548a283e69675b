#include "net/api_json.hpp"
#include "test/unit/net/codec_support.hpp"

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

template <class Request>
Request taken(const api::parsed<Request>& result) {
  if (const auto* refused = std::get_if<api::refused>(&result))
    FAIL("refused: " << refused->why);
  return std::get<Request>(result);
}

template <class Request>
api::refused refused(const api::parsed<Request>& result) {
  REQUIRE(std::holds_alternative<api::refused>(result));
  return std::get<api::refused>(result);
}

const std::string quoted_id = '"' + std::string{serverid_text} + '"';

std::string list_of(std::string_view item, std::size_t count) {
  std::string out = "[";
  for (std::size_t i = 0; i < count; ++i)
    out.append(i > 0 ? "," : "").append(item);
  return out + "]";
}

} // namespace

TEST_CASE("parse_messages hands out each frame's text") {
  const auto frames = taken(
    api::parse_messages(R"( ["{\"id\":\"m1\"}", {"id": 2}, 5, "ping"] )", ""));
  REQUIRE(
    frames
    == std::vector<std::string>{R"({"id":"m1"})", R"({"id": 2})", "5", "ping"});
  REQUIRE(taken(api::parse_messages("[]", "text")).empty());
}

TEST_CASE("parse_messages refuses what is no list of frames") {
  for (const auto* body :
       {"", "{}", "\"x\"", "[", "[\"\xff\"]", "[1,]", R"(["\ud83d"])"}) {
    CAPTURE(body);
    const auto why = refused(api::parse_messages(body, ""));
    REQUIRE(why.status == 400);
    REQUIRE(why.code == core::refusal::bad_frame);
    REQUIRE_FALSE(why.why.empty());
  }
}

TEST_CASE("parse_messages knows the formats text and binary alone") {
  REQUIRE(taken(api::parse_messages("[\"AA==\"]", "binary"))
          == std::vector<std::string>{"AA=="});
  const auto why = refused(api::parse_messages("[]", "xml"));
  REQUIRE(why.status == 400);
  REQUIRE(why.why.find("binary") != std::string::npos);
}

TEST_CASE("base64 is read as it is written, and no other way") {
  for (const auto& [bytes, text] :
       std::vector<std::pair<std::string, std::string>>{
         {"", ""},
         {"f", "Zg=="},
         {"fo", "Zm8="},
         {"foo", "Zm9v"},
         {std::string("\0\xff\xfe\xfd", 4), "AP/+/Q=="}}) {
    REQUIRE(api::to_base64(bytes) == text);
    REQUIRE(api::from_base64(text) == bytes);
  }
  for (const auto* text :
       {"Zg", "Zg=", "Zh==", "Z===", "====", " Zm9v", "Zm9v\n",
        "Zg==Zg==", "Zm-_", "{\"a\":1}", "Z=g=", "="}) {
    CAPTURE(text);
    REQUIRE_FALSE(api::from_base64(text));
  }
}

TEST_CASE("parse_messages takes frames up to its limit, not more") {
  REQUIRE(taken(api::parse_messages(list_of("1", api::frames_max), "")).size()
          == api::frames_max);
  const auto why
    = refused(api::parse_messages(list_of("1", api::frames_max + 1), ""));
  REQUIRE(why.status == 413);
  REQUIRE(why.code == core::refusal::too_large);
}

TEST_CASE("parse_messages refuses bodies that are nested too deep") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  taken(api::parse_messages(nested(32), ""));
  REQUIRE(refused(api::parse_messages(nested(33), "")).why.find("deeper")
          != std::string::npos);
}

TEST_CASE("parse_serverids reads a list of them") {
  const auto body_of = [](std::string_view list) {
    return "{\"serverIds\":" + std::string{list} + ",\"later\":1}";
  };
  REQUIRE(taken(api::parse_serverids(body_of(list_of(quoted_id, 2))))
          == std::vector<core::server_id>{serverid(), serverid()});
  REQUIRE(taken(api::parse_serverids(body_of("[]"))).empty());
  REQUIRE(
    taken(api::parse_serverids(body_of(list_of(quoted_id, api::serverids_max))))
      .size()
    == api::serverids_max);
  REQUIRE(refused(api::parse_serverids(
                    body_of(list_of(quoted_id, api::serverids_max + 1))))
            .status
          == 413);
}

TEST_CASE("parse_serverids refuses anything else") {
  for (const auto* body :
       {"", "[]", "{}", R"({"serverIds":null})", R"({"serverIds":"x"})",
        R"({"serverIds":["x"]})", R"({"serverIds":[5]})",
        R"({"serverIds":["018C0DE1F2A30001000000070000000B"]})",
        R"({"serverIds":["00000000000000000000000000000000"]})"}) {
    CAPTURE(body);
    REQUIRE(refused(api::parse_serverids(body)).status == 400);
  }
}

TEST_CASE("parse_sync reads what is given and fills in the rest") {
  auto request = taken(api::parse_sync(R"({"acks":)" + list_of(quoted_id, 1)
                                       + R"(,"limit":5,"maxBytes":1e3})"));
  REQUIRE(request.acks == std::vector<core::server_id>{serverid()});
  REQUIRE(request.limit == 5);
  REQUIRE(request.max_bytes == 1000);
  for (const auto* body : {"", "{}", R"({"acks":null,"limit":null})"}) {
    request = taken(api::parse_sync(body));
    REQUIRE(request.acks.empty());
    REQUIRE(request.limit == api::page_messages_default);
    REQUIRE(request.max_bytes == api::page_bytes_default);
  }
  request = taken(api::parse_sync(R"({"limit":1e9,"maxBytes":1e15})"));
  REQUIRE(request.limit == api::page_messages_max);
  REQUIRE(request.max_bytes == api::page_bytes_max);
}

TEST_CASE("parse_sync refuses wrong types") {
  for (const auto* body :
       {"[]", R"({"acks":{}})", R"({"acks":["x"]})", R"({"limit":0})",
        R"({"limit":-1})", R"({"limit":"5"})", R"({"maxBytes":1.5})"}) {
    CAPTURE(body);
    REQUIRE(refused(api::parse_sync(body)).status == 400);
  }
}

TEST_CASE("parse_login reads what the known clients send") {
  const auto web
    = taken(api::parse_login(R"({"username":"alice","authToken":"test",)"
                             R"("notificationToken":"testing-token",)"
                             R"("deviceId":"phone.1","messageVersion":3.0})"));
  REQUIRE(web.username == "alice");
  REQUIRE(web.auth_token == "test");
  REQUIRE(web.notification_token == "testing-token");
  REQUIRE(web.device_id == "phone.1");
  REQUIRE(web.message_version == 3.0);
  const auto app = taken(
    api::parse_login(R"({"username":"+919999","notificationToken":null})"));
  REQUIRE(app.username == "+919999");
  REQUIRE(app.auth_token.empty());
  REQUIRE_FALSE(app.notification_token);
  REQUIRE(app.device_id == "default");
  REQUIRE(app.message_version == 2.1);
}

TEST_CASE("parse_login refuses what cannot be a login") {
  for (const auto* body :
       {"", "[]", "{}", R"({"username":""})", R"({"username":5})",
        R"({"username":"server"})", R"({"username":"a\u0000"})",
        R"({"username":"a","deviceId":"a b"})",
        R"({"username":"a","deviceId":""})",
        R"({"username":"a","authToken":5})",
        R"({"username":"a","notificationToken":{}})",
        R"({"username":"a","messageVersion":"2"})"}) {
    CAPTURE(body);
    const auto why = refused(api::parse_login(body));
    REQUIRE(why.status == 400);
    REQUIRE_FALSE(why.why.empty());
  }
}

TEST_CASE("parse_limit reads a query parameter") {
  REQUIRE(taken(api::parse_limit("")) == api::page_messages_default);
  REQUIRE(taken(api::parse_limit("7")) == 7);
  REQUIRE(taken(api::parse_limit("999999")) == api::page_messages_max);
  for (const auto* text : {"0", "-1", "x", "7x", "1.5"})
    refused(api::parse_limit(text));
}

TEST_CASE("api bodies are the JSON of the protocol") {
  const std::vector<std::string> frames{R"({"id":"m1"})", R"({"id":"m2"})"};
  REQUIRE(api::page_body(frames, true)
          == R"({"messages":[{"id":"m1"},{"id":"m2"}],"more":true})");
  REQUIRE(api::page_body({}, false) == R"({"messages":[],"more":false})");
  REQUIRE(api::acks_body(frames)
          == R"({"acks":["{\"id\":\"m1\"}","{\"id\":\"m2\"}"]})");
  const std::vector<api::node_line> nodes{{"n1", "ws://127.0.0.1:8081"},
                                          {"n2", "ws://127.0.0.1:8082"}};
  REQUIRE(api::nodes_body(nodes, "n2")
          == R"({"nodes":[{"name":"n1","url":"ws://127.0.0.1:8081"},)"
             R"({"name":"n2","url":"ws://127.0.0.1:8082"}],"node":"n2"})");
  REQUIRE(api::acknowledged_body(3) == R"({"acknowledged":3})");
  REQUIRE(api::login_body("a\"b", "key", true)
          == R"({"status":true,"username":"a\"b","accesskey":"key",)"
             R"("isNew":true})");
}
