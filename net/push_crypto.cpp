#include "net/push_crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <rhonabwy.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <stdexcept>

namespace vartalap::net {

namespace {

constexpr std::size_t point_bytes = 65;
constexpr std::size_t tag_bytes = 16;

const unsigned char* raw(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(std::string& bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

template <class T>
using owned = std::unique_ptr<T, void (*)(T*)>;

void need(bool done) {
  if (!done)
    throw std::runtime_error("OpenSSL refuses a primitive that it has");
}

// HKDF-SHA256: extract with `salt`, then expand to `size` bytes.
std::string hkdf(std::string_view salt, std::string_view secret,
                 std::string_view info, std::size_t size) {
  const owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr),
                                    EVP_PKEY_CTX_free);
  std::string out(size, '\0');
  const auto length
    = [](std::string_view text) { return static_cast<int>(text.size()); };
  need(
    context && EVP_PKEY_derive_init(context.get()) > 0
    && EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) > 0
    && EVP_PKEY_CTX_set1_hkdf_salt(context.get(), raw(salt), length(salt)) > 0
    && EVP_PKEY_CTX_set1_hkdf_key(context.get(), raw(secret), length(secret))
         > 0
    && EVP_PKEY_CTX_add1_hkdf_info(context.get(), raw(info), length(info)) > 0
    && EVP_PKEY_derive(context.get(), raw(out), &size) > 0);
  return out;
}

// AES-128-GCM without associated data; the tag follows the text.
std::string seal(std::string_view key, std::string_view nonce,
                 std::string_view plain) {
  const owned<EVP_CIPHER_CTX> context(EVP_CIPHER_CTX_new(),
                                      EVP_CIPHER_CTX_free);
  std::string out(plain.size() + tag_bytes, '\0');
  int written = 0;
  int rest = 0;
  need(context
       && EVP_EncryptInit_ex(context.get(), EVP_aes_128_gcm(), nullptr,
                             raw(key), raw(nonce))
            == 1
       && EVP_EncryptUpdate(context.get(), raw(out), &written, raw(plain),
                            static_cast<int>(plain.size()))
            == 1
       && EVP_EncryptFinal_ex(context.get(), raw(out) + written, &rest) == 1
       && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes,
                              raw(out) + plain.size())
            == 1);
  return out;
}

owned<EVP_PKEY> public_key(std::string_view point) {
  owned<EVP_PKEY> none(nullptr, EVP_PKEY_free);
  const owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new(),
                                      OSSL_PARAM_BLD_free);
  if (!builder
      || OSSL_PARAM_BLD_push_utf8_string(
           builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0)
           != 1
      || OSSL_PARAM_BLD_push_octet_string(
           builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size())
           != 1)
    return none;
  const owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder.get()),
                                 OSSL_PARAM_free);
  const owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr),
                                    EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (params && context && EVP_PKEY_fromdata_init(context.get()) == 1
      && EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY,
                           params.get())
           == 1)
    return {key, EVP_PKEY_free};
  return none;
}

} // namespace

std::string base64url(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto size
    = EVP_EncodeBlock(raw(out), raw(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  while (!out.empty() && out.back() == '=')
    out.pop_back();
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  while (!text.empty() && text.back() == '=')
    text.remove_suffix(1);
  std::string padded(text);
  if (padded.size() % 4 == 1
      || padded.find_first_of("+/= \r\n\t-_", 0) != padded.find_first_of("-_"))
    return std::nullopt;
  std::replace(padded.begin(), padded.end(), '-', '+');
  std::replace(padded.begin(), padded.end(), '_', '/');
  const auto padding = (4 - padded.size() % 4) % 4;
  padded.append(padding, '=');
  std::string out(padded.size() / 4 * 3 + 1, '\0');
  const auto size
    = EVP_DecodeBlock(raw(out), raw(padded), static_cast<int>(padded.size()));
  if (size < 0)
    return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  need(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(text),
            text.size(), digest.data(), &size)
       != nullptr);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += digits[digest[i] >> 4U];
    out += digits[digest[i] & 15U];
  }
  return out;
}

std::optional<ec_key> ec_key::from_pem(std::string_view pem) {
  const owned<BIO> bio(
    BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all);
  // No passphrase: it would be asked for on the terminal.
  const auto refuse = [](char*, int, int, void*) { return -1; };
  std::shared_ptr<EVP_PKEY> key(
    PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse, nullptr),
    EVP_PKEY_free);
  std::array<char, 64> group{};
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_EC
      || EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), nullptr)
           != 1
      || std::string_view(group.data()) != "prime256v1")
    return std::nullopt;
  return ec_key(std::move(key));
}

ec_key ec_key::generate() {
  std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  need(key != nullptr);
  return ec_key(std::move(key));
}

std::string ec_key::public_point() const {
  std::string out(point_bytes, '\0');
  std::size_t size = 0;
  need(EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                       raw(out), out.size(), &size)
         == 1
       && size == point_bytes);
  return out;
}

std::optional<std::string> ec_key::agree(std::string_view point) const {
  const auto peer = public_key(point);
  if (!peer)
    return std::nullopt;
  const owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key_.get(), nullptr),
                                    EVP_PKEY_CTX_free);
  std::string out(32, '\0');
  auto size = out.size();
  if (!context || EVP_PKEY_derive_init(context.get()) <= 0
      || EVP_PKEY_derive_set_peer(context.get(), peer.get()) <= 0
      || EVP_PKEY_derive(context.get(), raw(out), &size) <= 0
      || size != out.size())
    return std::nullopt;
  return out;
}

std::optional<std::string>
encrypt_web_push(std::string_view plain, std::string_view point,
                 std::string_view secret, const ec_key& ours,
                 std::string_view salt) {
  const auto shared = ours.agree(point);
  if (!shared)
    return std::nullopt;
  const auto mine = ours.public_point();
  // RFC 8291, 3.4: first with the subscription's secret, then with the salt.
  std::string info("WebPush: info\0", 14);
  info.append(point).append(mine);
  const auto input = hkdf(secret, *shared, info, 32);
  const std::string_view key_info("Content-Encoding: aes128gcm\0", 28);
  const std::string_view nonce_info("Content-Encoding: nonce\0", 24);
  const auto key = hkdf(salt, input, key_info, 16);
  const auto nonce = hkdf(salt, input, nonce_info, 12);
  // RFC 8188, 2.1: salt, record size 4096, length of the key id, key id.
  std::string out(salt);
  out.append({'\0', '\0', '\x10', '\0', static_cast<char>(mine.size())});
  out.append(mine);
  // The only record is the last one: its text ends with 2.
  out.append(seal(key, nonce, std::string(plain) + '\x02'));
  return out;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  need(RAND_bytes(raw(out), static_cast<int>(count)) == 1);
  return out;
}

std::optional<std::string>
sign_jwt(jwt_algorithm algorithm, const std::string& pem,
         const std::string& key_id, const jwt_claims& claims) {
  static std::once_flag started;
  std::call_once(started, [] { r_global_init(); });
  jwk_t* raw_key = nullptr;
  jwt_t* raw_token = nullptr;
  if (r_jwk_init(&raw_key) != RHN_OK)
    return std::nullopt;
  const owned<jwk_t> key(raw_key, r_jwk_free);
  if (r_jwt_init(&raw_token) != RHN_OK)
    return std::nullopt;
  const owned<jwt_t> token(raw_token, r_jwt_free);
  auto done = r_jwk_import_from_pem_der(key.get(), R_X509_TYPE_PRIVKEY,
                                        R_FORMAT_PEM, raw(pem), pem.size())
              == RHN_OK;
  // rhonabwy names every key that it imports; the provider may not.
  r_jwk_delete_property_str(key.get(), "kid");
  done = done
         && r_jwt_set_sign_alg(token.get(), algorithm == jwt_algorithm::es256
                                              ? R_JWA_ALG_ES256
                                              : R_JWA_ALG_RS256)
              == RHN_OK;
  if (!key_id.empty())
    done = done
           && r_jwt_set_header_str_value(token.get(), "kid", key_id.c_str())
                == RHN_OK;
  for (const auto& [name, text] : claims.texts)
    done = done
           && r_jwt_set_claim_str_value(token.get(), name.c_str(), text.c_str())
                == RHN_OK;
  for (const auto& [name, number] : claims.numbers)
    done = done
           && r_jwt_set_claim_int_value(token.get(), name.c_str(), number)
                == RHN_OK;
  if (!done)
    return std::nullopt;
  const owned<void> text(r_jwt_serialize_signed(token.get(), key.get(), 0),
                         r_free);
  if (!text)
    return std::nullopt;
  return std::string(static_cast<const char*>(text.get()));
}

} // namespace vartalap::net
