#include "net/push_target_json.hpp"

#include "net/push_request.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <utility>

namespace vartalap::net::api {

namespace {

using target = std::optional<core::push_target>;

constexpr std::size_t apns_token_min = 64;
constexpr std::size_t apns_token_max = 200;

refused bad(std::string why) {
  return {400, core::refusal::bad_frame, std::move(why)};
}

bool is_visible_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~'; });
}

bool is_hex(std::string_view text) noexcept {
  return text.find_first_not_of("0123456789abcdefABCDEF")
         == std::string_view::npos;
}

/// A string as it is, an object as its text.
std::string text_of(const rapidjson::Value& value) {
  if (value.IsString())
    return {value.GetString(), value.GetStringLength()};
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

parsed<target> check(core::push_platform platform, std::string token) {
  if (token.size() > core::push_token_bytes_max)
    return bad("token is longer than any provider's");
  if (platform == core::push_platform::webpush) {
    const auto subscription = read_subscription(token);
    if (!subscription)
      return bad("token of webpush must be the browser's subscription: "
                 R"({"endpoint":"https://…","keys":{"p256dh":…,"auth":…}})");
    token = write_subscription(*subscription);
  } else if (platform == core::push_platform::apns) {
    if (token.size() < apns_token_min || token.size() > apns_token_max
        || !is_hex(token))
      return bad("token of apns must be 64 to 200 hex digits");
  } else if (token.empty() || !is_visible_ascii(token)) {
    return bad("token of fcm must be visible ASCII");
  }
  return target(core::push_target{platform, std::move(token), 0});
}

} // namespace

parsed<target> parse_push_target(std::string_view body) {
  if (body.empty())
    return target{};
  constexpr std::string_view form
    = R"(the body must be JSON: {"platform":"fcm","token":…})";
  rapidjson::Document read;
  read.Parse<rapidjson::kParseIterativeFlag
             | rapidjson::kParseValidateEncodingFlag>(body.data(), body.size());
  if (read.HasParseError() || !read.IsObject())
    return bad(std::string(form));
  const auto platform = read.FindMember("platform");
  if (platform == read.MemberEnd())
    return target{};
  if (platform->value.IsNull())
    return target(core::push_target{});
  if (!platform->value.IsString())
    return bad("platform must be a string");
  const std::string name = platform->value.GetString();
  if (name == "none")
    return target(core::push_target{});
  const auto known = core::device_platform(name);
  if (known == core::push_platform::none)
    return bad("platform must be fcm, apns, webpush or none");
  const auto token = read.FindMember("token");
  if (token == read.MemberEnd()
      || !(token->value.IsString() || token->value.IsObject()))
    return bad(std::string(form));
  return check(known, text_of(token->value));
}

parsed<target> parse_notification_token(std::string_view token) {
  if (token.empty())
    return target{};
  return check(core::push_platform::fcm, std::string(token));
}

} // namespace vartalap::net::api
