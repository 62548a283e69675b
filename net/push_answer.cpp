#include "net/push_answer.hpp"

#include <rapidjson/document.h>

#include <algorithm>

namespace vartalap::net {

namespace {

using core::push_outcome;
using core::push_platform;

/// No provider keeps us waiting longer than this.
constexpr core::milliseconds wait_max{60LL * 60 * 1000};

/// What a provider that says "too many" without saying until when gets.
constexpr core::milliseconds quota_pause{60'000};

rapidjson::Document read(const std::string& body) {
  rapidjson::Document out;
  out.Parse<rapidjson::kParseIterativeFlag>(body.c_str(), body.size());
  if (out.HasParseError() || !out.IsObject())
    out.SetObject();
  return out;
}

const rapidjson::Value* find(const rapidjson::Value& in, const char* name) {
  if (!in.IsObject())
    return nullptr;
  const auto found = in.FindMember(name);
  return found == in.MemberEnd() ? nullptr : &found->value;
}

std::string text(const rapidjson::Value& in, const char* name) {
  const auto* found = find(in, name);
  return found != nullptr && found->IsString() ? found->GetString() : "";
}

/// A reason is the provider's word: letters, digits and underlines of it are
/// safe in a log.
std::string printable(std::string reason) {
  const auto is_odd = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
             || (c >= '0' && c <= '9') || c == '_');
  };
  reason.resize(std::min<std::size_t>(reason.size(), 64));
  std::erase_if(reason, is_odd);
  return reason;
}

push_outcome say(push_outcome::kind what, const push_answer& answer,
                 const std::string& reason = {}) {
  push_outcome out;
  out.what = what;
  out.why = answer.status == 0 ? "no answer: " + answer.problem
                               : "status " + std::to_string(answer.status);
  if (const auto word = printable(reason); !word.empty())
    out.why.append(" ").append(word);
  return out;
}

push_outcome later(const push_answer& answer, const std::string& reason = {}) {
  auto out = say(push_outcome::retry, answer, reason);
  out.after = std::clamp(answer.retry_after, core::milliseconds{0}, wait_max);
  out.pause = out.after.count() != 0;
  if (answer.status == 429 && !out.pause) {
    out.after = quota_pause;
    out.pause = true;
  }
  return out;
}

bool is_success(long status) noexcept {
  return status >= 200 && status < 300;
}

/// Silence, 408, 425, 429, 5xx.
bool is_passing(long status) noexcept {
  return status == 0 || status == 408 || status == 425 || status == 429
         || status >= 500;
}

/// FCM's own word for what is wrong: error.details[].errorCode, else
/// error.status.
std::string fcm_reason(const rapidjson::Document& body) {
  const auto* error = find(body, "error");
  if (error == nullptr)
    return {};
  if (const auto* details = find(*error, "details");
      details != nullptr && details->IsArray())
    for (const auto& each : details->GetArray())
      if (auto code = text(each, "errorCode"); !code.empty())
        return code;
  return text(*error, "status");
}

/// True where FCM says that the field `message.token` is what is wrong.
bool names_token(const rapidjson::Document& body) {
  const auto* error = find(body, "error");
  const auto* details = error == nullptr ? nullptr : find(*error, "details");
  if (details == nullptr || !details->IsArray())
    return false;
  for (const auto& each : details->GetArray()) {
    const auto* fields = find(each, "fieldViolations");
    if (fields == nullptr || !fields->IsArray())
      continue;
    for (const auto& field : fields->GetArray())
      if (text(field, "field") == "message.token")
        return true;
  }
  return false;
}

} // namespace

push_outcome classify_webhook(const push_answer& answer) {
  if (is_success(answer.status))
    return say(push_outcome::delivered, answer);
  if (is_passing(answer.status))
    return later(answer);
  if (answer.status == 401 || answer.status == 403 || answer.status == 404
      || (answer.status >= 300 && answer.status < 400))
    return say(push_outcome::misconfigured, answer);
  return say(push_outcome::rejected, answer);
}

push_outcome classify_fcm(const push_answer& answer) {
  if (is_success(answer.status))
    return say(push_outcome::delivered, answer);
  const auto body = read(answer.body);
  const auto reason = fcm_reason(body);
  if (reason == "UNREGISTERED")
    return say(push_outcome::dead, answer, reason);
  if (is_passing(answer.status))
    return later(answer, reason);
  if (answer.status == 400)
    return say(names_token(body) ? push_outcome::dead : push_outcome::rejected,
               answer, reason);
  // 404 without UNREGISTERED is a wrong project, 401 and 403 a wrong account:
  // no reason to forget every token.
  return say(push_outcome::misconfigured, answer, reason);
}

push_outcome classify_apns(const push_answer& answer) {
  if (is_success(answer.status))
    return say(push_outcome::delivered, answer);
  const auto reason = text(read(answer.body), "reason");
  if (answer.status == 410 || reason == "BadDeviceToken")
    return say(push_outcome::dead, answer, reason);
  // Of this one device, or of our own tokens; neither stops the others.
  if (reason == "TooManyRequests" || reason == "ExpiredProviderToken")
    return say(push_outcome::retry, answer, reason);
  if (reason == "TooManyProviderTokenUpdates") {
    auto out = later(answer, reason);
    out.after = std::max(out.after, core::milliseconds{20LL * 60 * 1000});
    out.pause = true;
    return out;
  }
  if (is_passing(answer.status))
    return later(answer, reason);
  if (answer.status == 413)
    return say(push_outcome::rejected, answer, reason);
  return say(push_outcome::misconfigured, answer, reason);
}

push_outcome classify_web_push(const push_answer& answer) {
  if (is_success(answer.status))
    return say(push_outcome::delivered, answer);
  if (answer.status == 404 || answer.status == 410)
    return say(push_outcome::dead, answer);
  if (is_passing(answer.status))
    return later(answer);
  if (answer.status == 401 || answer.status == 403)
    return say(push_outcome::misconfigured, answer);
  return say(push_outcome::rejected, answer);
}

bool wants_new_token(push_platform platform, const push_answer& answer) {
  if (platform == push_platform::fcm)
    return answer.status == 401;
  return platform == push_platform::apns && answer.status == 403
         && text(read(answer.body), "reason") == "ExpiredProviderToken";
}

std::optional<access_token> read_access_token(const push_answer& answer) {
  if (answer.status != 200)
    return std::nullopt;
  const auto body = read(answer.body);
  access_token out;
  out.text = text(body, "access_token");
  const auto* good = find(body, "expires_in");
  const auto seconds = good != nullptr && good->IsInt() ? good->GetInt() : 3600;
  out.good_for = core::milliseconds{1000LL * std::clamp(seconds, 0, 86'400)};
  if (out.text.empty() || out.text.find_first_of("\r\n") != std::string::npos)
    return std::nullopt;
  return out;
}

push_outcome classify_token(const push_answer& answer) {
  if (is_passing(answer.status))
    return later(answer);
  return say(push_outcome::misconfigured, answer,
             text(read(answer.body), "error"));
}

} // namespace vartalap::net
