#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Keys and tokens for tests, made by OpenSSL alone: what the library for
/// tokens gets wrong must not be wrong here too.
namespace vartalap::net {

inline std::string base64url(const std::string& bytes) {
  static constexpr std::string_view digits
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned held = 0;
  unsigned bits = 0;
  for (const auto c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6)
      out += digits[held >> (bits - 6) & 63];
  }
  if (bits > 0)
    out += digits[held << (6 - bits) & 63];
  return out;
}

inline std::string base64url(const std::vector<unsigned char>& bytes) {
  return base64url(std::string(bytes.begin(), bytes.end()));
}

/// A key pair.
class test_key {
public:
  /// @param bits Of RSA; 0: Ed25519.
  explicit test_key(unsigned bits)
    : key_(bits == 0
             ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
             : EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}),
           &EVP_PKEY_free) {
    if (!key_)
      throw std::runtime_error("no key");
  }

  std::string public_pem() const {
    return written([this](BIO* to) { PEM_write_bio_PUBKEY(to, key_.get()); });
  }
  std::string private_pem() const {
    return written([this](BIO* to) {
      PEM_write_bio_PrivateKey(to, key_.get(), nullptr, nullptr, 0, nullptr,
                               nullptr);
    });
  }

  /// A JWK; of an RSA key its modulus, of Ed25519 its point.
  std::string jwk(const std::string& kid, const std::string& more = {}) const {
    const auto head = "{\"kid\":\"" + kid + "\"," + more;
    std::vector<unsigned char> point(32);
    auto size = point.size();
    if (EVP_PKEY_get_raw_public_key(key_.get(), point.data(), &size) == 1)
      return head + R"("kty":"OKP","crv":"Ed25519","x":")" + base64url(point)
             + "\"}";
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), "n", &raw);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> n(raw, &BN_free);
    std::vector<unsigned char> bytes(
      static_cast<std::size_t>(BN_num_bytes(n.get())));
    BN_bn2bin(n.get(), bytes.data());
    return head + R"("kty":"RSA","e":"AQAB","n":")" + base64url(bytes) + "\"}";
  }

  /// Signs as the kind of key does, whatever the header says.
  std::string token(const std::string& header,
                    const std::string& claims) const {
    const auto text = base64url(header) + "." + base64url(claims);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
      EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const auto* digest = EVP_PKEY_is_a(key_.get(), "RSA") == 1 ? EVP_sha256()
                                                               : nullptr;
    const std::vector<unsigned char> bytes(text.begin(), text.end());
    EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get());
    std::size_t size = 0;
    EVP_DigestSign(context.get(), nullptr, &size, bytes.data(), bytes.size());
    std::vector<unsigned char> signature(size);
    if (EVP_DigestSign(context.get(), signature.data(), &size, bytes.data(),
                       bytes.size())
        != 1)
      throw std::runtime_error("does not sign");
    signature.resize(size);
    return text + "." + base64url(signature);
  }

private:
  template <class Write>
  static std::string written(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_mem()),
                                                       &BIO_free);
    write(to.get());
    char* bytes = nullptr;
    const auto size = BIO_get_mem_data(to.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

/// HMAC-SHA256 of a text, in hex.
inline std::string hmac_hex(const std::string& secret,
                            const std::string& text) {
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  std::vector<unsigned char> out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       bytes.data(), bytes.size(), out.data(), &size);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[out[i] >> 4U];
    hex += "0123456789abcdef"[out[i] & 15U];
  }
  return hex;
}

/// HS256, whatever the header says.
inline std::string hmac_token(const std::string& secret,
                              const std::string& header,
                              const std::string& claims) {
  const auto text = base64url(header) + "." + base64url(claims);
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  std::vector<unsigned char> out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       bytes.data(), bytes.size(), out.data(), &size);
  out.resize(size);
  return text + "." + base64url(out);
}

} // namespace vartalap::net
