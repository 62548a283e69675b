#include "net/token_keys.hpp"

#include <rhonabwy.h>

#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace vartalap::net {

namespace {

/// Longer ones are none: what a token says is a few hundred bytes.
constexpr std::size_t token_bytes_max = 8 * 1024;

constexpr std::size_t secret_bytes_min = 32;
constexpr unsigned rsa_bits_min = 2048;

struct free_jwk {
  void operator()(jwk_t* key) const noexcept {
    r_jwk_free(key);
  }
};
using jwk_ptr = std::unique_ptr<jwk_t, free_jwk>;

struct free_jwks {
  void operator()(jwks_t* keys) const noexcept {
    r_jwks_free(keys);
  }
};
using jwks_ptr = std::unique_ptr<jwks_t, free_jwks>;

struct free_jwt {
  void operator()(jwt_t* token) const noexcept {
    r_jwt_free(token);
  }
};
using jwt_ptr = std::unique_ptr<jwt_t, free_jwt>;

struct free_text {
  void operator()(char* text) const noexcept {
    r_free(text);
  }
};
using text_ptr = std::unique_ptr<char, free_text>;

[[noreturn]] void fail(const std::string& file, const std::string& why) {
  throw std::runtime_error("the key in " + file + " " + why);
}

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (r_global_init() != RHN_OK)
      throw std::runtime_error("the library for tokens does not start");
  });
}

template <class Pointer, class Init>
Pointer make(Init init) {
  typename Pointer::pointer raw = nullptr;
  if (init(&raw) != RHN_OK)
    throw std::bad_alloc{};
  return Pointer(raw);
}

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

jwa_alg name_of(token_algorithm which) noexcept {
  switch (which) {
    case token_algorithm::hs256:
      return R_JWA_ALG_HS256;
    case token_algorithm::rs256:
      return R_JWA_ALG_RS256;
    case token_algorithm::eddsa:
      return R_JWA_ALG_EDDSA;
  }
  return R_JWA_ALG_NONE;
}

/// The only algorithm that a key of this kind is used with; nothing for kinds
/// that none of ours has.
std::optional<token_algorithm> algorithm_of(jwk_t* key, unsigned& bits) {
  const auto kind = r_jwk_key_type(key, &bits, R_FLAG_IGNORE_REMOTE);
  if ((kind & R_KEY_TYPE_SYMMETRIC) != 0)
    return token_algorithm::hs256;
  if ((kind & R_KEY_TYPE_RSA) != 0)
    return token_algorithm::rs256;
  if ((kind & R_KEY_TYPE_EDDSA) != 0
      && text_of(r_jwk_get_property_str(key, "crv")) == "Ed25519")
    return token_algorithm::eddsa;
  return std::nullopt;
}

bool is_private(jwk_t* key) {
  return (r_jwk_key_type(key, nullptr, R_FLAG_IGNORE_REMOTE)
          & R_KEY_TYPE_PRIVATE)
         != 0;
}

bool is_pem(const std::string& text) {
  return text.find("-----BEGIN ") != std::string::npos;
}

/// Imports a key in PEM, trying what it may be.
jwk_ptr import_pem(const std::string& text, const std::string& file,
                   std::initializer_list<int> kinds) {
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  for (const auto kind : kinds) {
    auto key = make<jwk_ptr>(r_jwk_init);
    if (r_jwk_import_from_pem_der(key.get(), kind, R_FORMAT_PEM, bytes.data(),
                                  bytes.size())
        == RHN_OK)
      return key;
  }
  fail(file, "cannot be read: it has to be RSA or Ed25519 in PEM");
}

jwk_ptr import_secret(std::string text, const std::string& file) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  // Another file in its place must not become a secret that others know.
  if (!text.empty() && (text.front() == '{' || text.front() == '<'))
    fail(file, "is a document, not a secret: auth.key_file takes a secret or a "
               "public key in PEM, auth.jwks_file a JWKS");
  if (text.size() < secret_bytes_min)
    fail(file, "is shorter than 32 bytes: (umask 077; openssl rand -hex 32 > "
                 + file + ")");
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  auto key = make<jwk_ptr>(r_jwk_init);
  if (r_jwk_import_from_symmetric_key(key.get(), bytes.data(), bytes.size())
      != RHN_OK)
    fail(file, "cannot be used");
  return key;
}

} // namespace

struct token_keys::key {
  jwk_ptr material;
  std::string kid;
  token_algorithm algorithm = token_algorithm::hs256;
};

struct token_keys::parts {
  std::vector<key> all;
};

token_keys::token_keys(std::unique_ptr<parts> of) : parts_(std::move(of)) {
}

token_keys::~token_keys() = default;

std::size_t token_keys::size() const noexcept {
  return parts_->all.size();
}

std::shared_ptr<const token_keys>
token_keys::from_jwks(const std::string& text, const std::string& file) {
  start_library();
  const auto set = make<jwks_ptr>(r_jwks_init);
  // Some keys of it may be of kinds that the library does not know: then it
  // imports the others, and says so by an error.
  r_jwks_import_from_json_str(set.get(), text.c_str());
  auto out = std::make_unique<parts>();
  for (std::size_t i = 0; i < r_jwks_size(set.get()); ++i) {
    jwk_ptr one(r_jwks_get_at(set.get(), i));
    unsigned bits = 0;
    const auto algorithm = algorithm_of(one.get(), bits);
    const auto use = text_of(r_jwk_get_property_str(one.get(), "use"));
    const auto alg = text_of(r_jwk_get_property_str(one.get(), "alg"));
    if (!algorithm || (!use.empty() && use != "sig")
        || (!alg.empty()
            && r_str_to_jwa_alg(alg.c_str()) != name_of(*algorithm)))
      continue;
    const auto least = *algorithm == token_algorithm::rs256   ? rsa_bits_min
                       : *algorithm == token_algorithm::hs256 ? 256U
                                                              : 0U;
    if (bits < least)
      continue;
    auto kid = text_of(r_jwk_get_property_str(one.get(), "kid"));
    out->all.push_back({std::move(one), std::move(kid), *algorithm});
  }
  if (out->all.empty())
    throw std::runtime_error(
      file
      + " has no key that tokens could be signed with: it has to be a "
        "JWKS, {\"keys\":[…]}, with RSA (2048 bits or more), Ed25519 or "
        "oct (256 bits or more) keys");
  return std::shared_ptr<const token_keys>(new token_keys(std::move(out)));
}

std::shared_ptr<const token_keys>
token_keys::from_key(const std::string& text, const std::string& file) {
  start_library();
  key one;
  if (is_pem(text)) {
    if (text.find("PRIVATE KEY-----") != std::string::npos)
      fail(file, "is a private key: nodes need only the public one (openssl "
                 "pkey -pubout)");
    one.material
      = import_pem(text, file, {R_X509_TYPE_PUBKEY, R_X509_TYPE_CERTIFICATE});
  } else {
    one.material = import_secret(text, file);
  }
  unsigned bits = 0;
  const auto algorithm = algorithm_of(one.material.get(), bits);
  if (!algorithm)
    fail(file, "is of a kind that no token is signed with: RSA or Ed25519");
  if (*algorithm == token_algorithm::rs256 && bits < rsa_bits_min)
    fail(file, "is weaker than RSA with 2048 bits");
  one.algorithm = *algorithm;
  auto out = std::make_unique<parts>();
  out->all.push_back(std::move(one));
  return std::shared_ptr<const token_keys>(new token_keys(std::move(out)));
}

bool token_keys::verify(std::string_view token, std::string& claims) const {
  if (token.empty() || token.size() > token_bytes_max
      || token.find('\0') != std::string_view::npos)
    return false;
  // Signed, with three parts: no encrypted ones, no JSON forms.
  if (r_jwt_token_typen(token.data(), token.size()) != R_JWT_TYPE_SIGN
      || token.front() == '{')
    return false;
  const auto parsed = make<jwt_ptr>(r_jwt_init);
  if (r_jwt_advanced_parsen(parsed.get(), token.data(), token.size(),
                            R_PARSE_NONE, R_FLAG_IGNORE_REMOTE)
      != RHN_OK)
    return false;
  json_t* header = r_jwt_get_full_header_json_t(parsed.get());
  const bool critical = json_object_get(header, "crit") != nullptr;
  json_decref(header);
  if (critical)
    return false; // It says that it must not be read without what we lack.
  const auto kid = text_of(r_jwt_get_header_str_value(parsed.get(), "kid"));
  const auto said = r_jwt_get_sign_alg(parsed.get());
  for (const auto& one : parts_->all) {
    if (said != name_of(one.algorithm)
        || (!kid.empty() && !one.kid.empty() && kid != one.kid))
      continue;
    // The library takes keys as changeable; a copy keeps threads apart.
    const jwk_ptr copy(r_jwk_copy(one.material.get()));
    if (r_jwt_verify_signature(parsed.get(), copy.get(), R_FLAG_IGNORE_REMOTE)
        != RHN_OK)
      continue;
    const text_ptr text(r_jwt_get_full_claims_str(parsed.get()));
    claims = text_of(text.get());
    return !claims.empty();
  }
  return false;
}

std::string sign_token(const std::string& key, const std::string& file,
                       const std::string& kid, const std::string& claims) {
  start_library();
  const auto material = is_pem(key)
                          ? import_pem(key, file, {R_X509_TYPE_PRIVKEY})
                          : import_secret(key, file);
  unsigned bits = 0;
  const auto algorithm = algorithm_of(material.get(), bits);
  if (!algorithm
      || (*algorithm != token_algorithm::hs256 && !is_private(material.get())))
    fail(file, "cannot sign: it has to be a secret, or a private key, RSA or "
               "Ed25519, in PEM");
  const auto token = make<jwt_ptr>(r_jwt_init);
  if (!kid.empty())
    r_jwt_set_header_str_value(token.get(), "kid", kid.c_str());
  if (r_jwt_set_sign_alg(token.get(), name_of(*algorithm)) != RHN_OK
      || r_jwt_set_full_claims_json_str(token.get(), claims.c_str()) != RHN_OK)
    throw std::runtime_error("these claims cannot be signed");
  const text_ptr out(
    r_jwt_serialize_signed(token.get(), material.get(), R_FLAG_IGNORE_REMOTE));
  if (!out)
    fail(file, "does not sign");
  return out.get();
}

} // namespace vartalap::net
