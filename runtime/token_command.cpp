#include "runtime/token_command.hpp"

#include "core/ids.hpp"
#include "net/token_keys.hpp"
#include "net/token_verifier.hpp"
#include "runtime/config.hpp"
#include "runtime/node_auth.hpp"
#include "runtime/secret_file.hpp"
#include "runtime/units_text.hpp"

#include <CLI/CLI.hpp>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <chrono>
#include <exception>
#include <ostream>
#include <stdexcept>

namespace vartalap::runtime {

namespace {

constexpr std::int64_t microseconds_per_second = 1'000'000;

std::string claims_for(const token_request& request,
                       const core::auth_options& auth, std::int64_t now) {
  std::string problem;
  const auto lasts = parse_duration(request.valid_for, problem);
  if (!lasts)
    throw std::runtime_error("--valid-for: " + problem);
  if (*lasts < microseconds_per_second)
    throw std::runtime_error("--valid-for: less than a second is too short");
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](const char* name, const std::string& value) {
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  text("sub", request.user);
  if (!auth.issuer.empty())
    text("iss", auth.issuer);
  if (!auth.audience.empty())
    text("aud", auth.audience);
  json.Key("iat");
  json.Int64(now);
  json.Key("exp");
  json.Int64(now + *lasts / microseconds_per_second);
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string make_token(const token_request& request) {
  const auto options = load_config(request.config);
  const auto& auth = options.auth;
  if (auth.mode != core::auth_mode::jwt)
    throw std::runtime_error(request.config
                             + ": auth.mode is not \"jwt\", so no token is "
                               "taken");
  if (!core::is_valid_user(request.user))
    throw std::runtime_error("nobody can have this name: 1 to 128 bytes of "
                             "UTF-8 without control characters, and not "
                             "`server`");
  const auto file = request.key.empty() ? auth.key_file : request.key;
  if (file.empty())
    throw std::runtime_error("auth.jwks_file has public keys: name the private "
                             "one with --key");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  auto token = net::sign_token(read_secret_file("--key", file), file,
                               request.kid, claims_for(request, auth, seconds));
  // Somebody else's key, a wrong kid: better to hear of it here.
  net::token_rules rules;
  rules.issuer = auth.issuer;
  rules.audience = auth.audience;
  const net::token_verifier by(rules, load_token_keys(auth));
  const auto found
    = by.verify(token, static_cast<core::wall_ms>(seconds) * 1000);
  if (const auto* why = std::get_if<std::string>(&found))
    throw std::runtime_error("the nodes would refuse this token: " + *why);
  return token;
}

} // namespace

void add_token_options(CLI::App& app, token_request& request) {
  app.add_option("USER", request.user, "Whom the token is to name")->required();
  app.add_option("--config", request.config, "The cluster's file")
    ->capture_default_str();
  app.add_option("--key", request.key,
                 "File with the private key; not needed where auth.key_file is "
                 "a secret");
  app.add_option("--kid", request.kid, "The key's name in the JWKS");
  app.add_option("--valid-for", request.valid_for, "How long, e.g. 1h or 30d")
    ->capture_default_str();
}

int run_token(const token_request& request, std::ostream& out,
              std::ostream& err) {
  try {
    out << make_token(request) << '\n';
    return 0;
  } catch (const std::exception& problem) {
    err << problem.what() << '\n';
    return 2;
  }
}

} // namespace vartalap::runtime
