#include "net/push_request.hpp"
#include "test/unit/net/push_support.hpp"

#include <catch2/catch.hpp>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

using namespace vartalap;
using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

constexpr core::wall_ms now = 1'700'000'000'123;

core::push_notice notice(std::string frame = {}) {
  core::push_notice out;
  out.user = "bob";
  out.episode = 77;
  out.pending = 3;
  out.serverid = "0123456789abcdef0123456789abcdef";
  out.frame = std::move(frame);
  out.devices = {"phone", "tab"};
  out.now = now;
  out.attempt = 2;
  return out;
}

/// A frame of this many bytes.
std::string frame_of(std::size_t bytes) {
  std::string out = R"({"body":")";
  return out.append(bytes - out.size() - 2, 'x') + "\"}";
}

std::string at(const std::string& json, const char* path) {
  rapidjson::Document read;
  REQUIRE_FALSE(read.Parse(json.c_str(), json.size()).HasParseError());
  const auto* found = rapidjson::Pointer(path).Get(read);
  if (found == nullptr)
    return "nothing";
  if (found->IsString())
    return found->GetString();
  if (found->IsInt64())
    return std::to_string(found->GetInt64());
  return found->IsObject() ? "an object" : "something else";
}

web_subscription subscription() {
  return {"https://push.example.net:8443/send/abc?x=1",
          from_base64url(rfc8291_point).value_or(""),
          from_base64url(rfc8291_secret).value_or("")};
}

core::push_options options() {
  core::push_options out;
  out.webhook_url = "https://hooks.example.org/vartalap";
  out.webpush_subject = "mailto:ops@example.org";
  out.apns_key_id = "KEYID67890";
  out.apns_team_id = "TEAM567890";
  out.apns_topic = "org.example.chat";
  return out;
}

} // namespace

TEST_CASE("the webhook is told who and how many, signed", "[push]") {
  const auto made = webhook_request(options(), "secret", notice());
  CHECK(made.url == "https://hooks.example.org/vartalap");
  CHECK_FALSE(made.untrusted);
  CHECK(at(made.body, "/event") == "offline");
  CHECK(at(made.body, "/user") == "bob");
  CHECK(at(made.body, "/id") == "77");
  CHECK(at(made.body, "/pending") == "3");
  CHECK(at(made.body, "/attempt") == "2");
  CHECK(at(made.body, "/devices/1") == "tab");
  CHECK(at(made.body, "/message") == "nothing");
  CHECK(value_of(made.headers, "Vartalap-Event-Id") == "77");
  CHECK(value_of(made.headers, "Vartalap-Timestamp") == "1700000000");
  CHECK(value_of(made.headers, "Vartalap-Signature")
        == "v1=" + hmac_sha256_hex("secret", "1700000000." + made.body));
}

TEST_CASE("the webhook's signature covers time and body", "[push]") {
  const auto one = webhook_signature("secret", 1, "body");
  CHECK(one != webhook_signature("secret", 2, "body"));
  CHECK(one != webhook_signature("secret", 1, "bodY"));
  CHECK(one != webhook_signature("Secret", 1, "body"));
}

TEST_CASE("with content the webhook has the frame as JSON", "[push]") {
  const auto made = webhook_request(options(), "s", notice(R"({"id":"m1"})"));
  CHECK(at(made.body, "/message/id") == "m1");
}

TEST_CASE("a service account is read, or refused", "[push]") {
  const auto read = read_fcm_account(
    R"({"type":"service_account","project_id":"chat-1","private_key":"PEM",
        "client_email":"a@b.c","token_uri":"https://t.example/token"})");
  REQUIRE(read);
  CHECK(read->project == "chat-1");
  CHECK(read->token_url == "https://t.example/token");
  for (const auto* bad :
       {"", "[]", R"({"project_id":"p","client_email":"e"})",
        R"({"project_id":"../p","client_email":"e","private_key":"k"})"})
    CHECK_FALSE(read_fcm_account(bad));
}

TEST_CASE("FCM gets data as text and a ttl in seconds", "[push]") {
  const fcm_account account{"chat-1", "a@b.c", "", ""};
  const auto made
    = fcm_request(options(), account, "ya29.x", "tok", notice(R"({"id":"m"})"));
  CHECK(made.url
        == "https://fcm.googleapis.com/v1/projects/chat-1/messages:send");
  CHECK(value_of(made.headers, "Authorization") == "Bearer ya29.x");
  CHECK(at(made.body, "/message/token") == "tok");
  CHECK(at(made.body, "/message/data/pending") == "3");
  CHECK(at(made.body, "/message/data/message") == R"({"id":"m"})");
  CHECK(at(made.body, "/message/android/ttl") == "604800s");
  CHECK(at(made.body, "/message/android/priority") == "high");
  rapidjson::Document read;
  read.Parse(made.body.c_str());
  for (const auto& each : read["message"]["data"].GetObject())
    CHECK(each.value.IsString());
}

TEST_CASE("FCM's data never exceeds its limit", "[push]") {
  const fcm_account account{"p", "", "", ""};
  bool with = false;
  bool without = false;
  for (std::size_t size = 3800; size < 4200; ++size) {
    const auto made
      = fcm_request(options(), account, "a", "t", notice(frame_of(size)));
    rapidjson::Document read;
    read.Parse(made.body.c_str());
    std::size_t data = 0;
    for (const auto& each : read["message"]["data"].GetObject())
      data += each.name.GetStringLength() + each.value.GetStringLength();
    REQUIRE(data <= 4096);
    const bool has = read["message"]["data"].HasMember("message");
    with = with || has;
    without = without || !has;
  }
  CHECK(with);
  CHECK(without);
}

TEST_CASE("APNs gets what Apple demands of an alert", "[push]") {
  const auto made
    = apns_request(options(), "jwt", "aabb", notice(R"({"id":"m"})"));
  CHECK(made.url == "https://api.push.apple.com/3/device/aabb");
  CHECK(made.http2);
  CHECK(value_of(made.headers, "authorization") == "bearer jwt");
  CHECK(value_of(made.headers, "apns-topic") == "org.example.chat");
  CHECK(value_of(made.headers, "apns-push-type") == "alert");
  CHECK(value_of(made.headers, "apns-priority") == "10");
  CHECK(value_of(made.headers, "apns-expiration") == "1700604800");
  CHECK(at(made.body, "/aps/alert") == "New messages");
  CHECK(at(made.body, "/message/id") == "m");
}

TEST_CASE("a silent push has the priority that Apple demands", "[push]") {
  auto silent = options();
  silent.apns_alert.clear();
  const auto made = apns_request(silent, "jwt", "aabb", notice());
  CHECK(value_of(made.headers, "apns-push-type") == "background");
  CHECK(value_of(made.headers, "apns-priority") == "5");
  CHECK(at(made.body, "/aps/content-available") == "1");
  CHECK(at(made.body, "/aps/alert") == "nothing");
}

TEST_CASE("APNs' payload never exceeds its limit", "[push]") {
  for (std::size_t size = 3800; size < 4200; ++size)
    REQUIRE(
      apns_request(options(), "j", "aa", notice(frame_of(size))).body.size()
      <= 4096);
  CHECK(at(apns_request(options(), "j", "aa", notice(frame_of(5000))).body,
           "/pending")
        == "3");
}

TEST_CASE("Apple's token names key and team", "[push]") {
  const auto token = apns_token(options(), std::string(rfc8291_key), now);
  REQUIRE(token);
  const auto parts = take_apart(*token);
  CHECK(at(parts.header, "/kid") == "KEYID67890");
  CHECK(at(parts.header, "/alg") == "ES256");
  CHECK(at(parts.claims, "/iss") == "TEAM567890");
  CHECK(at(parts.claims, "/iat") == "1700000000");
}

TEST_CASE("VAPID's token is for the push service's origin", "[push]") {
  const auto to = subscription();
  CHECK(to.origin() == "https://push.example.net:8443");
  const std::string pem(rfc8291_key);
  const auto token = vapid_token(options(), pem, to.origin(), now);
  REQUIRE(token);
  const auto claims = take_apart(*token).claims;
  CHECK(at(claims, "/aud") == "https://push.example.net:8443");
  CHECK(at(claims, "/sub") == "mailto:ops@example.org");
  CHECK(at(claims, "/exp") == "1700043200");
}

TEST_CASE("a web push has the headers of its documents", "[push]") {
  const auto made = web_push_request(options(), "jwt", std::string(65, 'k'),
                                     subscription(), notice());
  REQUIRE(made);
  CHECK(made->url == "https://push.example.net:8443/send/abc?x=1");
  CHECK(made->untrusted);
  CHECK(value_of(made->headers, "Content-Encoding") == "aes128gcm");
  CHECK(value_of(made->headers, "TTL") == "604800");
  CHECK(value_of(made->headers, "Urgency") == "high");
  CHECK(value_of(made->headers, "Authorization")
        == "vapid t=jwt, k=" + base64url(std::string(65, 'k')));
}

TEST_CASE("a web push never exceeds 4096 bytes, nor repeats itself", "[push]") {
  for (const std::size_t size : {100, 3900, 3993, 4096, 60'000}) {
    const auto once = web_push_request(options(), "j", "k", subscription(),
                                       notice(frame_of(size)));
    const auto again = web_push_request(options(), "j", "k", subscription(),
                                        notice(frame_of(size)));
    REQUIRE(once);
    REQUIRE(again);
    CHECK(once->body.size() <= 4096);
    CHECK(once->body.substr(0, 16) != again->body.substr(0, 16));
  }
}

TEST_CASE("a subscription is read in both forms", "[push]") {
  const std::string keys = R"("p256dh":")" + std::string(rfc8291_point)
                           + R"(","auth":")" + std::string(rfc8291_secret)
                           + '"';
  const std::string endpoint = R"("endpoint":"https://e.example/1")";
  const auto browser = read_subscription(
    "{" + endpoint + R"(,"expirationTime":null,"keys":{)" + keys + "}}");
  REQUIRE(browser);
  CHECK(browser->endpoint == "https://e.example/1");
  const auto kept = read_subscription(write_subscription(*browser));
  REQUIRE(kept);
  CHECK(kept->endpoint == browser->endpoint);
  CHECK(kept->point == browser->point);
  CHECK(kept->secret == browser->secret);
  for (const auto& bad : std::vector<std::string>{
         "", "[]", "{" + keys + "}", "{" + endpoint + "}",
         R"({"endpoint":"ftp://e/",)" + keys + "}",
         R"({"endpoint":"https://u:p@e/",)" + keys + "}",
         R"({"endpoint":"https://e/a\r\nHost: b",)" + keys + "}",
         "{" + endpoint + R"(,"p256dh":"AAAA","auth":"AAAA"})"})
    CHECK_FALSE(read_subscription(bad));
}
