#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct evp_pkey_st;

/// What providers want signed and encrypted, made of OpenSSL's primitives and
/// rhonabwy's tokens. All functions are pure and thread-safe.
namespace vartalap::net {

std::string base64url(std::string_view bytes);

/// @returns Nothing for what is no base64url; padding may be there or not.
std::optional<std::string> from_base64url(std::string_view text);

/// HMAC-SHA256 as 64 lower-case hex digits.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);

/// A private key on the curve P-256.
class ec_key {
public:
  /// @returns Nothing where `pem` is no such key.
  static std::optional<ec_key> from_pem(std::string_view pem);
  static ec_key generate();

  /// The public key as 65 bytes: 4, x, y.
  std::string public_point() const;

  /// The secret that it shares with `point`'s owner.
  /// @returns Nothing where `point` is not on the curve.
  std::optional<std::string> agree(std::string_view point) const;

private:
  explicit ec_key(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {
  }
  std::shared_ptr<evp_pkey_st> key_;
};

/// Most bytes that one Web Push message can carry encrypted into 4096.
inline constexpr std::size_t web_push_plain_max = 4096 - 86 - 16 - 1;

/// Encrypts as RFC 8291 (aes128gcm, one record).
/// @param point The subscription's p256dh, 65 bytes.
/// @param secret The subscription's auth, 16 bytes.
/// @param ours Used for this message only.
/// @param salt 16 random bytes.
/// @returns Nothing where the subscription's key is unusable.
/// @pre `plain` has at most web_push_plain_max bytes.
std::optional<std::string>
encrypt_web_push(std::string_view plain, std::string_view point,
                 std::string_view secret, const ec_key& ours,
                 std::string_view salt);

/// Random bytes of the system.
/// @throws std::runtime_error where there are none.
std::string random_bytes(std::size_t count);

/// What a JSON Web Token says.
struct jwt_claims {
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, long>> numbers;
};

enum class jwt_algorithm : unsigned char { es256, rs256 };

/// Signs with a private key in PEM.
/// @param key_id Becomes `kid`; empty: none.
/// @returns Nothing where the key does not fit the algorithm.
std::optional<std::string>
sign_jwt(jwt_algorithm algorithm, const std::string& pem,
         const std::string& key_id, const jwt_claims& claims);

} // namespace vartalap::net
