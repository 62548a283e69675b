#pragma once

#include "net/push_crypto.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace vartalap::net::testing {

/// The application server's key of RFC 8291, appendix A.
inline constexpr std::string_view rfc8291_key
  = "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIMn1j4mBPp+Ohy5x9CqmThdXySVNzGK3LdwBC7QEPqEcoAoGCCqGSM49\n"
    "AwEHoUQDQgAE/jP0qw3qcZFNtVgj9ztUlI9BMG2SBzLbuaWaUyhkgiAOWXp7e8Jg\n"
    "uhwieZhYCZLpOXMALzASooro8Gu7eOXsDw==\n"
    "-----END EC PRIVATE KEY-----\n";
inline constexpr std::string_view rfc8291_point
  = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZ"
    "GH6SRpkNtoIAiw4";
inline constexpr std::string_view rfc8291_secret = "BTBZMqHH6r4Tts7J_aSIgg";

/// A JSON Web Token taken apart.
struct jwt_parts {
  std::string header; ///< JSON
  std::string claims; ///< JSON
  std::string head_and_claims;
  std::string signature; ///< bytes
};
jwt_parts take_apart(std::string_view token);

/// True where the key with this public point (65 bytes) has signed it, checked
/// by OpenSSL alone.
bool is_signed_by(std::string_view token, std::string_view point);

/// The value of a header of "Name: value" lines; fails the test without it.
std::string value_of(const std::vector<std::string>& headers,
                     std::string_view name);

} // namespace vartalap::net::testing
