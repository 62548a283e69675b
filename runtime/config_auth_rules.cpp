// Who may connect: what [auth] says has to go together.

#include "runtime/config_report.hpp"

#include <utility>

namespace vartalap::runtime {

namespace {

/// "https://chat.example.org" or "http://127.0.0.1:3000": no path behind it.
bool is_origin(const std::string& text) {
  const auto scheme = text.starts_with("https://")  ? std::size_t{8}
                      : text.starts_with("http://") ? std::size_t{7}
                                                    : std::string::npos;
  return scheme != std::string::npos && text.size() > scheme
         && text.find_first_of("/ *?#@", scheme) == std::string::npos;
}

/// Keys that only one setting uses; `is_used`: it is that setting.
struct keys_of {
  bool is_used;
  std::string used_by; ///< for messages
  std::vector<std::pair<std::string, const std::string*>> keys;
};

void refuse_unused(const keys_of& which, config_report& report) {
  if (which.is_used)
    return;
  for (const auto& [key, value] : which.keys)
    if (!value->empty())
      report.add(key, "is used by " + which.used_by + " only",
                 "set that, or remove it");
}

void require(const std::string& provider, const std::string& key,
             const std::string& value, config_report& report) {
  if (value.empty())
    report.add("auth.login.provider", "\"" + provider + "\" needs " + key,
               "add " + key + " under [auth.login]");
}

void check_login(const core::cluster_options& options, config_report& report) {
  const auto& login = options.login;
  const auto& provider = login.provider;
  const bool keys = options.auth.mode == core::auth_mode::accesskey;
  if (keys && provider == "none")
    report.add("auth.mode", "\"accesskey\" needs somebody who checks logins",
               "set provider under [auth.login] to \"file\", \"webhook\" or "
               "\"firebase\"");
  if (!keys && provider != "none")
    report.add("auth.login.provider",
               "is asked where auth.mode is \"accesskey\" only",
               "set mode = \"accesskey\", or remove it");
  const auto of = [&](const std::string& name) {
    return std::pair(provider == name, "provider = \"" + name + "\"");
  };
  const auto [file, by_file] = of("file");
  refuse_unused({file, by_file, {{"auth.login.users_file", &login.users_file}}},
                report);
  const auto [hook, by_hook] = of("webhook");
  refuse_unused(
    {hook,
     by_hook,
     {{"auth.login.webhook_url", &login.webhook_url},
      {"auth.login.webhook_secret_file", &login.webhook_secret_file}}},
    report);
  const auto [firebase, by_firebase] = of("firebase");
  refuse_unused({firebase,
                 by_firebase,
                 {{"auth.login.firebase_project", &login.firebase_project},
                  {"auth.login.jwks_file", &login.jwks_file}}},
                report);
  if (file)
    require(provider, "users_file", login.users_file, report);
  if (hook)
    require(provider, "webhook_url", login.webhook_url, report);
  if (hook && !login.webhook_url.empty()
      && !login.webhook_url.starts_with("https://")
      && !login.webhook_url.starts_with("http://127.0.0.1")
      && !login.webhook_url.starts_with("http://[::1]")
      && !login.webhook_url.starts_with("http://localhost"))
    report.add("auth.login.webhook_url",
               "is asked in the clear, with what proves who users are",
               "use https://, or a service on this machine");
  if (firebase) {
    require(provider, "firebase_project", login.firebase_project, report);
    require(provider, "jwks_file", login.jwks_file, report);
    require(provider, "user_claim", login.user_claim, report);
  }
}

void check_tokens(const core::auth_options& auth, config_report& report) {
  if (auth.mode == core::auth_mode::jwt) {
    if (auth.key_file.empty() && auth.jwks_file.empty())
      report.add("auth.mode",
                 "\"jwt\" needs the key that tokens are verified with",
                 "add key_file or jwks_file under [auth]; for a secret: (umask "
                 "077; openssl rand -hex 32 > jwt.secret)");
    if (!auth.key_file.empty() && !auth.jwks_file.empty())
      report.add("auth.key_file", "is not used beside jwks_file",
                 "remove one of them");
  }
  refuse_unused({auth.mode == core::auth_mode::jwt,
                 "mode = \"jwt\"",
                 {{"auth.key_file", &auth.key_file},
                  {"auth.jwks_file", &auth.jwks_file},
                  {"auth.issuer", &auth.issuer},
                  {"auth.audience", &auth.audience}}},
                report);
}

} // namespace

void check_auth(const core::cluster_options& options, config_report& report) {
  for (const auto& origin : options.auth.allowed_origins)
    if (!is_origin(origin))
      report.add("auth.allowed_origins", "\"" + origin + "\" is no origin",
                 "write scheme, host and port only, such as "
                 "\"https://chat.example.org\"");
  check_tokens(options.auth, report);
  check_login(options, report);
}

} // namespace vartalap::runtime
