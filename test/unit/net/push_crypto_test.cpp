#include "net/push_crypto.hpp"
#include "test/unit/net/push_support.hpp"

#include <catch2/catch.hpp>

using namespace vartalap::net;
using namespace vartalap::net::testing;

namespace {

std::string decoded(std::string_view text) {
  const auto out = from_base64url(text);
  REQUIRE(out);
  return *out;
}

} // namespace

TEST_CASE("base64url goes both ways and takes nothing else", "[push]") {
  CHECK(base64url("") == "");
  CHECK(base64url("f") == "Zg");
  CHECK(base64url("fo") == "Zm8");
  CHECK(base64url("foo") == "Zm9v");
  CHECK(base64url("\xfb\xff\xbf") == "-_-_");
  for (const std::string text : {"", "f", "fo", "foo", "\xfb\xff\xbf"})
    CHECK(decoded(base64url(text)) == text);
  CHECK(decoded("Zm8=") == "fo");
  for (const auto* bad : {"Z", "Zg+a", "Zg/a", "Z g", "Zg\n", "Z=g", "Zm9v!"})
    CHECK_FALSE(from_base64url(bad));
}

TEST_CASE("HMAC-SHA256 is that of RFC 4231", "[push]") {
  CHECK(hmac_sha256_hex("Jefe", "what do ya want for nothing?")
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("a message is encrypted as RFC 8291, appendix A, has it", "[push]") {
  const auto ours = ec_key::from_pem(rfc8291_key);
  REQUIRE(ours);
  const auto sealed = encrypt_web_push(
    "When I grow up, I want to be a watermelon", decoded(rfc8291_point),
    decoded(rfc8291_secret), *ours, decoded("DGv6ra1nlYgDCS1FRnbzlw"));
  REQUIRE(sealed);
  CHECK(
    base64url(*sealed)
    == "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMo"
       "ZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf"
       "1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN");
}

TEST_CASE("a point that is on no curve encrypts nothing", "[push]") {
  const auto ours = ec_key::generate();
  auto point = decoded(rfc8291_point);
  point.back() = static_cast<char>(point.back() ^ 1);
  CHECK_FALSE(encrypt_web_push("x", point, std::string(16, 'a'), ours,
                               std::string(16, 's')));
  CHECK_FALSE(ours.agree(""));
}

TEST_CASE("the longest message fills 4096 bytes", "[push]") {
  const auto sealed = encrypt_web_push(
    std::string(web_push_plain_max, 'x'), decoded(rfc8291_point),
    decoded(rfc8291_secret), ec_key::generate(), random_bytes(16));
  REQUIRE(sealed);
  CHECK(sealed->size() == 4096);
}

TEST_CASE("the check of these tests takes the token of RFC 8292", "[push]") {
  const std::string token
    = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbX"
      "BsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY2"
      "9tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysaz"
      "NjjvW2L9OkSSHzvoD1oA";
  const auto point = decoded(
    "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9oj"
    "Swk5Y2EmClBPs");
  CHECK(is_signed_by(token, point));
  CHECK_FALSE(is_signed_by(token, decoded(rfc8291_point)));
  CHECK(take_apart(token).claims
        == R"({"aud":"https://push.example.net","exp":1453523768,)"
           R"("sub":"mailto:push@example.com"})");
}

TEST_CASE("a token is signed with ES256", "[push]") {
  const std::string pem(rfc8291_key);
  const auto token = sign_jwt(jwt_algorithm::es256, pem, "KEY7",
                              {{{"iss", "team"}}, {{"iat", 1'700'000'000}}});
  REQUIRE(token);
  CHECK(is_signed_by(*token, ec_key::from_pem(pem)->public_point()));
  const auto parts = take_apart(*token);
  CHECK(parts.header.find(R"("alg":"ES256")") != std::string::npos);
  CHECK(parts.header.find(R"("kid":"KEY7")") != std::string::npos);
  CHECK(parts.claims.find(R"("iss":"team")") != std::string::npos);
  CHECK(parts.claims.find(R"("iat":1700000000)") != std::string::npos);
}

TEST_CASE("without a key id a token names none", "[push]") {
  const auto token
    = sign_jwt(jwt_algorithm::es256, std::string(rfc8291_key), {}, {});
  REQUIRE(token);
  CHECK(take_apart(*token).header.find("kid") == std::string::npos);
}

TEST_CASE("a key that does not fit signs nothing", "[push]") {
  CHECK_FALSE(sign_jwt(jwt_algorithm::rs256, std::string(rfc8291_key), {}, {}));
  CHECK_FALSE(sign_jwt(jwt_algorithm::es256, "no key", {}, {}));
  CHECK_FALSE(ec_key::from_pem("no key"));
}
