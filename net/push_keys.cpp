#include "net/push_keys.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace vartalap::net {

namespace {

constexpr std::size_t secret_bytes_min = 16;

[[noreturn]] void refuse(const std::string& key, const std::string& file,
                         const std::string& what) {
  throw std::runtime_error(key + " = \"" + file + "\": " + what);
}

std::string read(const std::string& key, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in)
    text << in.rdbuf();
  if (!in || text.str().empty())
    refuse(key, file, "cannot be read: name a file that this user may read");
  return text.str();
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  return text;
}

std::string read_p256(const std::string& key, const std::string& file,
                      const std::string& mend) {
  auto pem = read(key, file);
  if (!ec_key::from_pem(pem)
      || !sign_jwt(jwt_algorithm::es256, pem, {}, {{{"iss", "x"}}, {}}))
    refuse(key, file, "is no private key on P-256 in PEM: " + mend);
  return pem;
}

} // namespace

push_keys load_push_keys(const core::push_options& options) {
  push_keys out;
  if (options.has_webhook()) {
    const std::string key = "push.webhook.secret_file";
    const auto& file = options.webhook_secret_file;
    out.webhook_secret = without_line_end(read(key, file));
    if (out.webhook_secret.size() < secret_bytes_min)
      refuse(key, file,
             "has fewer than 16 bytes: (umask 077; openssl rand -hex 32 > "
               + file + ")");
  }
  if (options.has_fcm()) {
    const std::string key = "push.fcm.account_file";
    const auto& file = options.fcm_account_file;
    out.fcm = read_fcm_account(read(key, file));
    if (!out.fcm || !fcm_token_request(*out.fcm, 0))
      refuse(key, file,
             "is no service account with a key: download its JSON key from "
             "the Google Cloud console");
  }
  if (options.has_webpush()) {
    out.webpush_pem
      = read_p256("push.webpush.key_file", options.webpush_key_file,
                  "make one with `openssl ecparam -name prime256v1 -genkey "
                  "-noout -out "
                    + options.webpush_key_file + "`");
    out.webpush_point = ec_key::from_pem(out.webpush_pem)->public_point();
  }
  if (options.has_apns())
    out.apns_pem = read_p256("push.apns.key_file", options.apns_key_file,
                             "use the .p8 file that Apple gave");
  return out;
}

} // namespace vartalap::net
