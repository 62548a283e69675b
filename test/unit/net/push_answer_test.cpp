#include "net/push_answer.hpp"

#include <catch2/catch.hpp>

using namespace vartalap;
using namespace vartalap::net;
using kind = core::push_outcome;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

push_answer answer(long status, std::string body = {},
                   core::milliseconds after = {}) {
  push_answer out;
  out.status = status;
  out.body = std::move(body);
  out.retry_after = after;
  return out;
}

std::string fcm_error(const std::string& status, const std::string& code) {
  return R"({"error":{"status":")" + status + R"(","details":[{"@type":"x"},)"
         + R"({"errorCode":")" + code + R"("}]}})";
}

std::string apns_error(const std::string& reason) {
  return R"({"reason":")" + reason + R"("})";
}

} // namespace

TEST_CASE("silence is tried again with every provider", "[push]") {
  push_answer none;
  none.problem = "Timeout was reached";
  for (const auto& outcome : {classify_webhook(none), classify_fcm(none),
                              classify_apns(none), classify_web_push(none)}) {
    CHECK(outcome.what == kind::retry);
    CHECK_FALSE(outcome.pause);
    CHECK(outcome.why == "no answer: Timeout was reached");
  }
}

TEST_CASE("a provider that says until when is left alone until then",
          "[push]") {
  for (const long status : {429L, 503L}) {
    const auto said = answer(status, {}, seconds{120});
    for (const auto& outcome : {classify_webhook(said), classify_fcm(said),
                                classify_apns(said), classify_web_push(said)}) {
      CHECK(outcome.what == kind::retry);
      CHECK(outcome.after == seconds{120});
      CHECK(outcome.pause);
    }
  }
  const auto mad = classify_web_push(answer(503, {}, minutes{60 * 24 * 365}));
  CHECK(mad.after == minutes{60});
  CHECK(classify_fcm(answer(429)).after == seconds{60});
  CHECK(classify_fcm(answer(500)).after == seconds{0});
}

TEST_CASE("what the webhook's answers mean", "[push]") {
  CHECK(classify_webhook(answer(204)).what == kind::delivered);
  CHECK(classify_webhook(answer(302)).what == kind::misconfigured);
  CHECK(classify_webhook(answer(401)).what == kind::misconfigured);
  CHECK(classify_webhook(answer(404)).what == kind::misconfigured);
  CHECK(classify_webhook(answer(400)).what == kind::rejected);
  CHECK(classify_webhook(answer(410)).what == kind::rejected);
}

TEST_CASE("what FCM's answers mean", "[push]") {
  CHECK(classify_fcm(answer(200, R"({"name":"projects/p/messages/1"})")).what
        == kind::delivered);
  const auto gone
    = classify_fcm(answer(404, fcm_error("NOT_FOUND", "UNREGISTERED")));
  CHECK(gone.what == kind::dead);
  CHECK(gone.why == "status 404 UNREGISTERED");
  // A wrong project is no reason to forget every token.
  CHECK(classify_fcm(answer(404)).what == kind::misconfigured);
  CHECK(classify_fcm(
          answer(403, fcm_error("PERMISSION_DENIED", "SENDER_ID_MISMATCH")))
          .what
        == kind::misconfigured);
  CHECK(classify_fcm(answer(401)).what == kind::misconfigured);
  CHECK(
    classify_fcm(answer(400, fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT")))
      .what
    == kind::rejected);
  CHECK(classify_fcm(
          answer(400, R"({"error":{"status":"INVALID_ARGUMENT","details":[)"
                      R"({"fieldViolations":[{"field":"message.token"}]}]}})"))
          .what
        == kind::dead);
  CHECK(classify_fcm(answer(503, "not json")).what == kind::retry);
}

TEST_CASE("what APNs' answers mean", "[push]") {
  CHECK(classify_apns(answer(200)).what == kind::delivered);
  CHECK(classify_apns(answer(410, apns_error("Unregistered"))).what
        == kind::dead);
  CHECK(classify_apns(answer(400, apns_error("BadDeviceToken"))).what
        == kind::dead);
  CHECK(classify_apns(answer(400, apns_error("DeviceTokenNotForTopic"))).what
        == kind::misconfigured);
  CHECK(classify_apns(answer(403, apns_error("InvalidProviderToken"))).what
        == kind::misconfigured);
  CHECK(classify_apns(answer(403, apns_error("ExpiredProviderToken"))).what
        == kind::retry);
  CHECK(classify_apns(answer(413, apns_error("PayloadTooLarge"))).what
        == kind::rejected);
  // Too many for one device do not stop the others.
  const auto one = classify_apns(answer(429, apns_error("TooManyRequests")));
  CHECK(one.what == kind::retry);
  CHECK_FALSE(one.pause);
  const auto all
    = classify_apns(answer(429, apns_error("TooManyProviderTokenUpdates")));
  CHECK(all.pause);
  CHECK(all.after == minutes{20});
  CHECK(classify_apns(answer(500)).what == kind::retry);
}

TEST_CASE("what a push service's answers mean", "[push]") {
  for (const long status : {200L, 201L, 202L, 204L})
    CHECK(classify_web_push(answer(status)).what == kind::delivered);
  for (const long status : {404L, 410L})
    CHECK(classify_web_push(answer(status)).what == kind::dead);
  for (const long status : {401L, 403L})
    CHECK(classify_web_push(answer(status)).what == kind::misconfigured);
  for (const long status : {301L, 400L, 413L})
    CHECK(classify_web_push(answer(status)).what == kind::rejected);
  CHECK(classify_web_push(answer(502)).what == kind::retry);
}

TEST_CASE("a token of ours that has ended is replaced", "[push]") {
  using core::push_platform;
  CHECK(wants_new_token(push_platform::fcm, answer(401)));
  CHECK_FALSE(wants_new_token(push_platform::fcm, answer(403)));
  CHECK(wants_new_token(push_platform::apns,
                        answer(403, apns_error("ExpiredProviderToken"))));
  CHECK_FALSE(wants_new_token(push_platform::apns,
                              answer(403, apns_error("InvalidProviderToken"))));
  CHECK_FALSE(wants_new_token(push_platform::webpush, answer(401)));
}

TEST_CASE("an access token is read, or said why not", "[push]") {
  const auto good = read_access_token(
    answer(200, R"({"access_token":"ya29","expires_in":3599})"));
  REQUIRE(good);
  CHECK(good->text == "ya29");
  CHECK(good->good_for == seconds{3599});
  CHECK_FALSE(read_access_token(answer(200, R"({"access_token":"a\r\nb"})")));
  CHECK_FALSE(read_access_token(answer(200, "[]")));
  const auto refused = answer(400, R"({"error":"invalid_grant"})");
  CHECK_FALSE(read_access_token(refused));
  CHECK(classify_token(refused).what == kind::misconfigured);
  CHECK(classify_token(refused).why == "status 400 invalid_grant");
  CHECK(classify_token(answer(503)).what == kind::retry);
}

TEST_CASE("a reason cannot forge a line of the log", "[push]") {
  CHECK(classify_apns(answer(400, apns_error("Bad\\nnode error: token"))).why
        == "status 400 Badnodeerrortoken");
}
