#include "net/push_request.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <chrono>

namespace vartalap::net {

namespace {

using json_writer = rapidjson::Writer<rapidjson::StringBuffer>;

/// What FCM and APNs take at most.
constexpr std::size_t payload_max = 4096;

/// A later push replaces an earlier one that was not shown yet.
constexpr std::string_view collapse = "vartalap";

void text(json_writer& json, std::string_view value) {
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void text(json_writer& json, const char* key, std::string_view value) {
  json.Key(key);
  text(json, value);
}

void frame(json_writer& json, std::string_view value) {
  json.Key("message");
  json.RawValue(value.data(), value.size(), rapidjson::kObjectType);
}

std::string text_of(const rapidjson::StringBuffer& buffer) {
  return {buffer.GetString(), buffer.GetSize()};
}

std::string member(const rapidjson::Value& in, const char* name) {
  const auto found = in.FindMember(name);
  if (found == in.MemberEnd() || !found->value.IsString())
    return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

std::string header(std::string_view name, std::string_view value) {
  return std::string(name).append(": ").append(value);
}

std::string_view type_of(const core::push_notice& notice) noexcept {
  return notice.test ? "test" : "wake";
}

std::uint64_t seconds(core::milliseconds span) {
  return static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::seconds>(span).count());
}

long seconds(core::wall_ms at) {
  return static_cast<long>(at / 1000);
}

/// What devices are told, whatever carries it; for FCM all of it is text.
std::string fcm_body(const core::push_options& options, std::string_view token,
                     const core::push_notice& notice, bool with_content) {
  const auto ttl = std::to_string(seconds(options.ttl));
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  json.Key("message");
  json.StartObject();
  text(json, "token", token);
  json.Key("data");
  json.StartObject();
  text(json, "type", type_of(notice));
  text(json, "pending", std::to_string(notice.pending));
  if (!notice.serverid.empty())
    text(json, "serverId", notice.serverid);
  if (with_content)
    text(json, "message", notice.frame);
  json.EndObject();
  json.Key("android");
  json.StartObject();
  text(json, "priority", "high");
  text(json, "ttl", ttl + "s"); // a duration in seconds, as text
  text(json, "collapse_key", collapse);
  json.EndObject();
  json.Key("apns");
  json.StartObject();
  json.Key("headers");
  json.StartObject();
  text(json, "apns-push-type", "background");
  text(json, "apns-priority", "5");
  json.EndObject();
  json.Key("payload");
  json.StartObject();
  json.Key("aps");
  json.StartObject();
  json.Key("content-available");
  json.Int(1);
  json.EndObject();
  json.EndObject();
  json.EndObject();
  json.Key("webpush");
  json.StartObject();
  json.Key("headers");
  json.StartObject();
  text(json, "TTL", ttl);
  text(json, "Urgency", "high");
  json.EndObject();
  json.EndObject();
  json.EndObject();
  json.EndObject();
  return text_of(buffer);
}

/// What the app reads, alike for APNs and the web.
void what_waits(json_writer& json, const core::push_notice& notice,
                bool with_content) {
  text(json, "type", type_of(notice));
  json.Key("pending");
  json.Uint64(notice.pending);
  if (!notice.serverid.empty())
    text(json, "serverId", notice.serverid);
  if (with_content)
    frame(json, notice.frame);
}

std::string apns_body(const core::push_options& options,
                      const core::push_notice& notice, bool with_content) {
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  json.Key("aps");
  json.StartObject();
  if (options.apns_alert.empty()) {
    json.Key("content-available");
    json.Int(1);
  } else {
    text(json, "alert", options.apns_alert);
    text(json, "sound", "default");
    json.Key("mutable-content"); // the app may put its own text there
    json.Int(1);
  }
  json.EndObject();
  what_waits(json, notice, with_content);
  json.EndObject();
  return text_of(buffer);
}

std::string web_push_body(const core::push_notice& notice, bool with_content) {
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  what_waits(json, notice, with_content);
  json.EndObject();
  return text_of(buffer);
}

} // namespace

std::string web_subscription::origin() const {
  const auto host = endpoint.find("://");
  return endpoint.substr(0, endpoint.find('/', host + 3));
}

std::optional<web_subscription> read_subscription(std::string_view json) {
  rapidjson::Document read;
  read.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (read.HasParseError() || !read.IsObject())
    return std::nullopt;
  web_subscription out;
  out.endpoint = member(read, "endpoint");
  const auto keys = read.FindMember("keys");
  const auto& from = keys != read.MemberEnd() && keys->value.IsObject()
                       ? keys->value
                       : static_cast<const rapidjson::Value&>(read);
  out.point = from_base64url(member(from, "p256dh")).value_or("");
  out.secret = from_base64url(member(from, "auth")).value_or("");
  const auto is_url = out.endpoint.starts_with("https://")
                      || out.endpoint.starts_with("http://");
  for (const auto each : out.endpoint)
    if (each <= ' ' || each > '~')
      return std::nullopt;
  if (!is_url || out.endpoint.find_first_of("@\\") != std::string::npos
      || out.endpoint.size() > core::push_token_bytes_max / 2
      || out.point.size() != 65 || out.point.front() != '\x04'
      || out.secret.size() != 16)
    return std::nullopt;
  return out;
}

std::string write_subscription(const web_subscription& what) {
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  text(json, "endpoint", what.endpoint);
  text(json, "p256dh", base64url(what.point));
  text(json, "auth", base64url(what.secret));
  json.EndObject();
  return text_of(buffer);
}

std::string webhook_signature(std::string_view secret, std::uint64_t at,
                              std::string_view body) {
  return "v1="
         + hmac_sha256_hex(secret, std::to_string(at).append(".").append(body));
}

push_request webhook_request(const core::push_options& options,
                             std::string_view secret,
                             const core::push_notice& notice) {
  const auto event = std::to_string(notice.episode);
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  text(json, "event", notice.test ? "test" : "offline");
  text(json, "id", event);
  text(json, "user", notice.user);
  json.Key("pending");
  json.Uint64(notice.pending);
  json.Key("attempt");
  json.Uint(notice.attempt);
  json.Key("at");
  json.Uint64(notice.now);
  if (!notice.serverid.empty())
    text(json, "serverId", notice.serverid);
  json.Key("devices");
  json.StartArray();
  for (const auto& device : notice.devices)
    text(json, device);
  json.EndArray();
  if (!notice.frame.empty())
    frame(json, notice.frame);
  json.EndObject();
  push_request out;
  out.url = options.webhook_url;
  out.body = text_of(buffer);
  const auto at = static_cast<std::uint64_t>(seconds(notice.now));
  out.headers
    = {"Content-Type: application/json", header("Vartalap-Event-Id", event),
       header("Vartalap-Timestamp", std::to_string(at)),
       header("Vartalap-Signature", webhook_signature(secret, at, out.body))};
  return out;
}

std::optional<fcm_account> read_fcm_account(std::string_view json) {
  rapidjson::Document read;
  read.Parse(json.data(), json.size());
  if (read.HasParseError() || !read.IsObject())
    return std::nullopt;
  fcm_account out{member(read, "project_id"), member(read, "client_email"),
                  member(read, "private_key"), member(read, "token_uri")};
  if (out.project.empty() || out.email.empty() || out.key.empty()
      || out.project.find_first_of("/?#% ") != std::string::npos)
    return std::nullopt;
  if (out.token_url.empty())
    out.token_url = "https://oauth2.googleapis.com/token";
  return out;
}

std::optional<push_request> fcm_token_request(const fcm_account& account,
                                              core::wall_ms now) {
  const auto token = sign_jwt(
    jwt_algorithm::rs256, account.key, {},
    {{{"iss", account.email},
      {"scope", "https://www.googleapis.com/auth/firebase.messaging"},
      {"aud", account.token_url}},
     {{"iat", seconds(now)}, {"exp", seconds(now) + 3600}}});
  if (!token)
    return std::nullopt;
  push_request out;
  out.url = account.token_url;
  out.headers = {"Content-Type: application/x-www-form-urlencoded"};
  // A JWT has no character that a form would have to escape.
  out.body = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
             "&assertion="
             + *token;
  return out;
}

push_request fcm_request(const core::push_options& options,
                         const fcm_account& account,
                         std::string_view access_token, std::string_view token,
                         const core::push_notice& notice) {
  push_request out;
  out.url = options.fcm_url + "/v1/projects/" + account.project
            + "/messages:send";
  out.headers
    = {"Content-Type: application/json",
       header("Authorization", "Bearer " + std::string(access_token))};
  // FCM counts names and values of `data`; what is beside the frame in it is
  // short.
  constexpr std::size_t beside_frame = 160;
  const auto fits = notice.frame.size() <= payload_max - beside_frame;
  out.body = fcm_body(options, token, notice, fits && !notice.frame.empty());
  return out;
}

std::optional<std::string> apns_token(const core::push_options& options,
                                      const std::string& pem,
                                      core::wall_ms now) {
  return sign_jwt(jwt_algorithm::es256, pem, options.apns_key_id,
                  {{{"iss", options.apns_team_id}}, {{"iat", seconds(now)}}});
}

push_request
apns_request(const core::push_options& options, std::string_view provider_token,
             std::string_view token, const core::push_notice& notice) {
  const auto is_silent = options.apns_alert.empty();
  const auto expires = static_cast<std::uint64_t>(seconds(notice.now))
                       + seconds(options.ttl);
  push_request out;
  out.url = options.apns_url + "/3/device/" + std::string(token);
  out.http2 = true;
  // Apple demands priority 5 of silent pushes.
  out.headers
    = {"Content-Type: application/json",
       header("authorization", "bearer " + std::string(provider_token)),
       header("apns-topic", options.apns_topic),
       header("apns-push-type", is_silent ? "background" : "alert"),
       header("apns-priority", is_silent ? "5" : "10"),
       header("apns-expiration", std::to_string(expires)),
       header("apns-collapse-id", collapse)};
  if (!notice.frame.empty())
    out.body = apns_body(options, notice, true);
  if (out.body.empty() || out.body.size() > payload_max)
    out.body = apns_body(options, notice, false);
  return out;
}

std::optional<std::string>
vapid_token(const core::push_options& options, const std::string& pem,
            const std::string& origin, core::wall_ms now) {
  return sign_jwt(jwt_algorithm::es256, pem, {},
                  {{{"aud", origin}, {"sub", options.webpush_subject}},
                   {{"exp", seconds(now) + 12L * 3600}}});
}

std::optional<push_request>
web_push_request(const core::push_options& options, std::string_view vapid,
                 std::string_view public_point, const web_subscription& to,
                 const core::push_notice& notice) {
  std::string plain;
  if (!notice.frame.empty())
    plain = web_push_body(notice, true);
  if (plain.empty() || plain.size() > web_push_plain_max)
    plain = web_push_body(notice, false);
  auto body = encrypt_web_push(plain, to.point, to.secret, ec_key::generate(),
                               random_bytes(16));
  if (!body)
    return std::nullopt;
  push_request out;
  out.url = to.endpoint;
  out.untrusted = true;
  out.body = std::move(*body);
  out.headers = {"Content-Type: application/octet-stream",
                 "Content-Encoding: aes128gcm",
                 header("TTL", std::to_string(seconds(options.ttl))),
                 "Urgency: high",
                 header("Topic", collapse),
                 header("Authorization", "vapid t=" + std::string(vapid)
                                           + ", k=" + base64url(public_point))};
  return out;
}

} // namespace vartalap::net
