#include "net/token_verifier.hpp"

#include "core/ids.hpp"

#include <rapidjson/document.h>

#include <cmath>
#include <optional>
#include <utility>

namespace vartalap::net {

namespace {

/// Later ones are mistakes, such as milliseconds in place of seconds, and must
/// not overflow: the year 9999.
constexpr double seconds_max = 253'402'300'799.0;

std::string_view text_of(const rapidjson::Value& from) {
  return {from.GetString(), from.GetStringLength()};
}

const rapidjson::Value* member(const rapidjson::Document& of,
                               const char* name) {
  const auto found = of.FindMember(name);
  return found == of.MemberEnd() ? nullptr : &found->value;
}

/// A NumericDate in milliseconds.
std::optional<core::wall_ms> date_of(const rapidjson::Value& from) {
  if (!from.IsNumber())
    return std::nullopt;
  const auto seconds = from.GetDouble();
  if (!(seconds >= 0 && seconds <= seconds_max))
    return std::nullopt;
  return static_cast<core::wall_ms>(std::floor(seconds * 1000));
}

bool names_audience(const rapidjson::Value* from, const std::string& wanted) {
  if (from == nullptr)
    return false;
  if (from->IsString())
    return text_of(*from) == wanted;
  if (!from->IsArray())
    return false;
  for (const auto& one : from->GetArray())
    if (one.IsString() && text_of(one) == wanted)
      return true;
  return false;
}

} // namespace

token_verifier::token_verifier(token_rules rules,
                               std::shared_ptr<const token_keys> keys)
  : rules_(std::move(rules)), keys_(std::move(keys)) {
}

void token_verifier::replace(std::shared_ptr<const token_keys> keys) {
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

std::variant<token_owner, std::string>
token_verifier::verify(std::string_view token, core::wall_ms now) const {
  std::shared_ptr<const token_keys> keys;
  {
    const std::lock_guard lock(mutex_);
    keys = keys_;
  }
  std::string text;
  if (!keys->verify(token, text))
    return "not signed by a key of ours";
  rapidjson::Document claims;
  claims.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
  if (claims.HasParseError() || !claims.IsObject())
    return "its claims are no object";
  const auto leeway = static_cast<core::wall_ms>(rules_.leeway.count());
  const auto* exp = member(claims, "exp");
  const auto expires = exp == nullptr ? std::nullopt : date_of(*exp);
  if (!expires)
    return "it never expires: exp is missing or no time";
  if (now >= *expires + leeway)
    return "it has expired";
  for (const auto* name : {"nbf", "iat"})
    if (const auto* from = member(claims, name)) {
      const auto begins = date_of(*from);
      if (!begins || *begins > now + leeway)
        return std::string(name) + " is in the future, or no time";
    }
  const auto* iss = member(claims, "iss");
  if (!rules_.issuer.empty()
      && (iss == nullptr || !iss->IsString() || text_of(*iss) != rules_.issuer))
    return "it is of another issuer";
  if (!rules_.audience.empty()
      && !names_audience(member(claims, "aud"), rules_.audience))
    return "it is for somebody else";
  if (!rules_.true_claim.empty()) {
    const auto* is = member(claims, rules_.true_claim.c_str());
    if (is == nullptr || !is->IsTrue())
      return rules_.true_claim + " is not true";
  }
  const auto* user = member(claims, rules_.user_claim.c_str());
  if (user == nullptr || !user->IsString()
      || !core::is_valid_user(text_of(*user)))
    return rules_.user_claim + " names no user";
  return token_owner{std::string(text_of(*user)), *expires + leeway};
}

} // namespace vartalap::net
