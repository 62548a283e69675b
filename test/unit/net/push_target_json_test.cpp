#include "net/push_target_json.hpp"
#include "test/unit/net/push_support.hpp"

#include <catch2/catch.hpp>

#include <variant>

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

using target = std::optional<core::push_target>;

target taken(const std::string& body) {
  const auto read = api::parse_push_target(body);
  INFO(body);
  REQUIRE(std::holds_alternative<target>(read));
  return std::get<target>(read);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const auto c : text)
    (c == '"' ? out.append("\\") : out).push_back(c);
  return out + '"';
}

} // namespace

TEST_CASE("a push target is read from PUT /devices", "[push]") {
  const auto fcm = taken(R"({"platform":"fcm","token":"abc:DEF-1"})");
  REQUIRE(fcm);
  CHECK(fcm->platform == core::push_platform::fcm);
  CHECK(fcm->token == "abc:DEF-1");
  CHECK(taken(R"({"platform":"apns","token":")" + std::string(64, 'a') + "\"}")
          ->platform
        == core::push_platform::apns);
}

TEST_CASE("a subscription is an object or its text", "[push]") {
  const auto subscription = R"({"endpoint":"https://e/1","keys":{"p256dh":")"
                            + std::string(rfc8291_point) + R"(","auth":")"
                            + std::string(rfc8291_secret) + R"("}})";
  const auto as_object
    = taken(R"({"platform":"webpush","token":)" + subscription + "}");
  const auto as_text
    = taken(R"({"platform":"webpush","token":)" + quoted(subscription) + "}");
  REQUIRE(as_object);
  CHECK(as_object == as_text);
  CHECK(as_object->token.find("keys") == std::string::npos);
}

TEST_CASE("no platform leaves a target, none removes it", "[push]") {
  CHECK_FALSE(taken(""));
  CHECK_FALSE(taken("{}"));
  CHECK_FALSE(taken(R"({"token":"x"})"));
  for (const auto* body : {R"({"platform":null})", R"({"platform":"none"})"}) {
    const auto none = taken(body);
    REQUIRE(none);
    CHECK(none->platform == core::push_platform::none);
  }
}

TEST_CASE("what no provider takes is refused", "[push]") {
  for (const std::string body :
       {"x", "[]", R"({"platform":"webhook","token":"x"})",
        R"({"platform":"fcm"})", R"({"platform":"fcm","token":7})",
        R"({"platform":"fcm","token":""})",
        R"({"platform":"fcm","token":"a\nb"})",
        R"({"platform":"apns","token":"abcd"})",
        R"({"platform":"webpush","token":"x"})"}) {
    INFO(body);
    CHECK(std::holds_alternative<api::refused>(api::parse_push_target(body)));
  }
}

TEST_CASE("login's notificationToken is FCM's", "[push]") {
  const auto read = api::parse_notification_token("tok");
  REQUIRE(std::holds_alternative<target>(read));
  CHECK(std::get<target>(read)->platform == core::push_platform::fcm);
  CHECK_FALSE(std::get<target>(api::parse_notification_token("")));
}
