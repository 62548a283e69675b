#include "net/push_sender.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace vartalap::net {

namespace {

using core::push_outcome;
using core::push_platform;

/// Google's tokens are replaced so long before they end.
constexpr core::wall_ms before_end = 5ULL * 60 * 1000;

/// Apple refuses tokens over an hour old, and new ones within 20 minutes.
constexpr core::wall_ms apns_good_for = 40ULL * 60 * 1000;

/// Signed for 12 hours.
constexpr core::wall_ms vapid_good_for = 6ULL * 3600 * 1000;

/// Clients name the origins: no reason to remember many.
constexpr std::size_t origins_max = 256;

core::wall_ms wall_now() {
  using namespace std::chrono;
  return static_cast<core::wall_ms>(
    duration_cast<core::milliseconds>(system_clock::now().time_since_epoch())
      .count());
}

push_outcome failed(push_outcome::kind what, std::string why) {
  push_outcome out;
  out.what = what;
  out.why = std::move(why);
  return out;
}

push_outcome classify(push_platform platform, const push_answer& answer) {
  switch (platform) {
    case push_platform::fcm:
      return classify_fcm(answer);
    case push_platform::apns:
      return classify_apns(answer);
    case push_platform::webpush:
      return classify_web_push(answer);
    case push_platform::webhook:
    case push_platform::none:
      break;
  }
  return classify_webhook(answer);
}

} // namespace

push_sender::push_sender(const core::push_options& options)
  : options_(options), keys_(load_push_keys(options)),
    caller_({options.timeout, std::max<std::size_t>(options.in_flight, 1),
             options.ca_file, options.webpush_private}) {
}

bool push_sender::serves(push_platform platform) const noexcept {
  switch (platform) {
    case push_platform::fcm:
      return options_.has_fcm();
    case push_platform::apns:
      return options_.has_apns();
    case push_platform::webpush:
      return options_.has_webpush();
    case push_platform::webhook:
      return options_.has_webhook();
    case push_platform::none:
      break;
  }
  return false;
}

void push_sender::send(core::push_target target, core::push_notice notice,
                       done told) {
  auto what = std::make_shared<job>(
    job{std::move(target), std::move(notice), std::move(told)});
  caller_.post([this, what = std::move(what)] { start(what); });
}

void push_sender::stop() {
  caller_.stop();
  waiting_for_fcm_.clear();
}

void push_sender::start(const job_ptr& what) {
  try {
    dispatch(what);
  } catch (const std::exception& problem) {
    // No memory, no random bits: nothing that a push may end the node for.
    what->told(failed(push_outcome::retry, problem.what()));
  }
}

void push_sender::dispatch(const job_ptr& what) {
  const auto platform = what->target.platform;
  if (!serves(platform))
    return what->told(failed(push_outcome::misconfigured,
                             "no key for this provider in [push]"));
  if (platform == push_platform::webhook)
    start_webhook(what);
  else if (platform == push_platform::fcm)
    start_fcm(what);
  else if (platform == push_platform::apns)
    start_apns(what);
  else
    start_webpush(what);
}

void push_sender::start_webhook(const job_ptr& what) {
  call(what, webhook_request(options_, keys_.webhook_secret, what->notice));
}

void push_sender::start_fcm(const job_ptr& what) {
  const auto now = wall_now();
  if (now < fcm_.until)
    return call_fcm(what);
  // One fetch serves everybody who waits.
  waiting_for_fcm_.push_back(what);
  if (waiting_for_fcm_.size() == 1)
    fetch_fcm_token(now);
}

void push_sender::fetch_fcm_token(core::wall_ms now) {
  // The key has signed when it was loaded.
  const auto request = fcm_token_request(*keys_.fcm, now);
  caller_.call(
    request.value_or(push_request{}), [this](const push_answer& answer) {
      const auto waiting = std::exchange(waiting_for_fcm_, {});
      const auto token = read_access_token(answer);
      if (!token) {
        const auto why = classify_token(answer);
        for (const auto& each : waiting)
          each->told(why);
        return;
      }
      const auto good = static_cast<core::wall_ms>(token->good_for.count());
      fcm_.text = token->text;
      fcm_.until = wall_now()
                   + (good > 2 * before_end ? good - before_end : good / 2);
      for (const auto& each : waiting)
        call_fcm(each);
    });
}

void push_sender::call_fcm(const job_ptr& what) {
  what->own = fcm_.text;
  call(what, fcm_request(options_, *keys_.fcm, fcm_.text, what->target.token,
                         what->notice));
}

void push_sender::start_apns(const job_ptr& what) {
  const auto now = wall_now();
  if (now >= apns_.until) {
    apns_.text = apns_token(options_, keys_.apns_pem, now).value_or("");
    apns_.until = now + apns_good_for;
  }
  what->own = apns_.text;
  call(what,
       apns_request(options_, apns_.text, what->target.token, what->notice));
}

void push_sender::start_webpush(const job_ptr& what) {
  const auto to = read_subscription(what->target.token);
  if (!to)
    return what->told(failed(push_outcome::dead, "no subscription"));
  const auto now = wall_now();
  if (vapid_.size() >= origins_max)
    vapid_.clear();
  auto& token = vapid_[to->origin()];
  if (now >= token.until) {
    token.text = vapid_token(options_, keys_.webpush_pem, to->origin(), now)
                   .value_or("");
    token.until = now + vapid_good_for;
  }
  const auto request = web_push_request(options_, token.text,
                                        keys_.webpush_point, *to, what->notice);
  if (!request)
    return what->told(
      failed(push_outcome::dead, "the subscription's key is on no curve"));
  call(what, *request);
}

void push_sender::call(const job_ptr& what, const push_request& request) {
  caller_.call(
    request, [this, what](const push_answer& answer) { finish(what, answer); });
}

void push_sender::finish(const job_ptr& what, const push_answer& answer) {
  const auto platform = what->target.platform;
  if (!what->again && wants_new_token(platform, answer)) {
    what->again = true;
    // Another call may have replaced it already.
    if (auto& own = platform == push_platform::fcm ? fcm_ : apns_;
        own.text == what->own)
      own.until = 0;
    return start(what);
  }
  what->told(classify(platform, answer));
}

} // namespace vartalap::net
