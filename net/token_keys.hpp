#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vartalap::net {

/// How a token is signed. The key decides which, never the token.
enum class token_algorithm : std::uint8_t { hs256, rs256, eddsa };

/// Keys that verify tokens (JWT). Immutable, so that any thread may use them.
class token_keys {
public:
  struct key;

  ~token_keys();
  token_keys(const token_keys&) = delete;
  token_keys& operator=(const token_keys&) = delete;

  /// A JWKS document (RFC 7517). Keys for other uses, of other kinds or of
  /// other algorithms are left out.
  /// @throws std::runtime_error, naming `file`, where no key is left.
  static std::shared_ptr<const token_keys> from_jwks(const std::string& text,
                                                     const std::string& file);

  /// A public key or certificate in PEM (RSA of at least 2048 bits, Ed25519),
  /// or, if it is none, the secret of HS256: at least 32 bytes, a line break at
  /// its end does not count.
  /// @throws std::runtime_error, naming `file`: too short, of another kind, a
  ///         private key.
  static std::shared_ptr<const token_keys> from_key(const std::string& text,
                                                    const std::string& file);

  std::size_t size() const noexcept;

  /// True if one of these keys has signed `token` (compact form), with the
  /// algorithm that goes with that key. Where token and key both have a `kid`,
  /// they must agree. Nothing that the token's header points at is followed.
  /// @param claims The token's claims as JSON text; set only if it is true.
  bool verify(std::string_view token, std::string& claims) const;

private:
  struct parts;
  explicit token_keys(std::unique_ptr<parts> of);
  std::unique_ptr<parts> parts_;
};

/// As `vartalap token` makes them: signs `claims`, a JSON object.
/// @param key A private key in PEM (RSA, Ed25519) or the secret of HS256.
/// @param file Its name, for messages.
/// @throws std::runtime_error where the key or the claims cannot be used.
std::string sign_token(const std::string& key, const std::string& file,
                       const std::string& kid, const std::string& claims);

} // namespace vartalap::net
