#pragma once

#include "core/options.hpp"
#include "core/push.hpp"
#include "net/push_crypto.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The requests that providers' documents demand. Pure and thread-safe:
/// tokens, keys, salts and times come in as arguments.
namespace vartalap::net {

/// A POST. `untrusted`: a client has named the address.
struct push_request {
  std::string url;
  std::vector<std::string> headers; ///< "Name: value"
  std::string body;
  bool http2 = false;
  bool untrusted = false;
};

/// Where a browser takes pushes, as it says itself.
struct web_subscription {
  std::string endpoint;
  std::string point;  ///< p256dh, 65 bytes
  std::string secret; ///< auth, 16 bytes

  /// scheme://host[:port] of the endpoint: who the token of VAPID is for.
  std::string origin() const;
};

/// Reads {"endpoint":…,"keys":{"p256dh":…,"auth":…}}, as a browser gives it,
/// or the same without `keys`.
/// @returns Nothing for what no push can be sent to.
std::optional<web_subscription> read_subscription(std::string_view json);

/// The short form in which a subscription is kept.
std::string write_subscription(const web_subscription& what);

/// What is signed for the webhook: "v1=" and the hex of HMAC-SHA256 over
/// "timestamp.body".
std::string webhook_signature(std::string_view secret, std::uint64_t seconds,
                              std::string_view body);

push_request webhook_request(const core::push_options& options,
                             std::string_view secret,
                             const core::push_notice& notice);

/// Google's service account, as far as FCM needs it.
struct fcm_account {
  std::string project;
  std::string email;
  std::string key; ///< PEM
  std::string token_url;
};

/// @returns Nothing where `json` is no service account.
std::optional<fcm_account> read_fcm_account(std::string_view json);

/// Asks for an access token (RFC 7523).
/// @returns Nothing where the account's key does not sign.
std::optional<push_request> fcm_token_request(const fcm_account& account,
                                              core::wall_ms now);

/// Messages over FCM's 4096 bytes go without content.
push_request fcm_request(const core::push_options& options,
                         const fcm_account& account,
                         std::string_view access_token, std::string_view token,
                         const core::push_notice& notice);

/// The token that proves to Apple who sends; good for an hour.
std::optional<std::string> apns_token(const core::push_options& options,
                                      const std::string& pem,
                                      core::wall_ms now);

/// Messages over APNs' 4096 bytes go without content.
push_request
apns_request(const core::push_options& options, std::string_view provider_token,
             std::string_view token, const core::push_notice& notice);

/// The token that proves to a push service who sends (RFC 8292), good for 12
/// hours.
std::optional<std::string>
vapid_token(const core::push_options& options, const std::string& pem,
            const std::string& origin, core::wall_ms now);

/// Encrypts with a key and a salt of its own.
/// @param public_point Of the key that signed `vapid`.
/// @returns Nothing where the subscription's key is unusable.
std::optional<push_request>
web_push_request(const core::push_options& options, std::string_view vapid,
                 std::string_view public_point, const web_subscription& to,
                 const core::push_notice& notice);

} // namespace vartalap::net
