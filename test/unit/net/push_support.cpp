#include "test/unit/net/push_support.hpp"

#include <catch2/catch.hpp>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

namespace vartalap::net::testing {

jwt_parts take_apart(std::string_view token) {
  const auto first = token.find('.');
  const auto second = token.rfind('.');
  REQUIRE(first != std::string_view::npos);
  REQUIRE(second > first);
  jwt_parts out;
  out.header = from_base64url(token.substr(0, first)).value_or("");
  out.claims
    = from_base64url(token.substr(first + 1, second - first - 1)).value_or("");
  out.head_and_claims = token.substr(0, second);
  out.signature = from_base64url(token.substr(second + 1)).value_or("");
  return out;
}

bool is_signed_by(std::string_view token, std::string_view point) {
  const auto parts = take_apart(token);
  if (parts.signature.size() != 64)
    return false;
  // OpenSSL wants the signature's two numbers as ASN.1.
  const auto* bytes
    = reinterpret_cast<const unsigned char*>(parts.signature.data());
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> numbers(
    ECDSA_SIG_new(), ECDSA_SIG_free);
  REQUIRE(ECDSA_SIG_set0(numbers.get(), BN_bin2bn(bytes, 32, nullptr),
                         BN_bin2bn(bytes + 32, 32, nullptr))
          == 1);
  unsigned char* der = nullptr;
  const auto size = i2d_ECDSA_SIG(numbers.get(), &der);
  REQUIRE(size > 0);
  const std::string signature(reinterpret_cast<char*>(der),
                              static_cast<std::size_t>(size));
  OPENSSL_free(der);

  std::string group = "prime256v1";
  std::string raw_point(point);
  OSSL_PARAM params[]
    = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                        group.data(), 0),
       OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                         raw_point.data(), raw_point.size()),
       OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> making(
    EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  REQUIRE(EVP_PKEY_fromdata_init(making.get()) == 1);
  REQUIRE(EVP_PKEY_fromdata(making.get(), &made, EVP_PKEY_PUBLIC_KEY, params)
          == 1);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(made,
                                                                EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> checking(
    EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto& text = parts.head_and_claims;
  return EVP_DigestVerifyInit(checking.get(), nullptr, EVP_sha256(), nullptr,
                              key.get())
           == 1
         && EVP_DigestVerify(
              checking.get(),
              reinterpret_cast<const unsigned char*>(signature.data()),
              signature.size(),
              reinterpret_cast<const unsigned char*>(text.data()), text.size())
              == 1;
}

std::string value_of(const std::vector<std::string>& headers,
                     std::string_view name) {
  const auto start = std::string(name) + ": ";
  for (const auto& each : headers)
    if (each.starts_with(start))
      return each.substr(start.size());
  FAIL("there is no header " << name);
  return {};
}

} // namespace vartalap::net::testing
