#include "net/token_verifier.hpp"
#include "test/unit/net/token_rig.hpp"

#include <catch2/catch.hpp>

namespace vartalap::net {

namespace {

constexpr core::wall_ms now = 1'700'000'000'000;
const std::string secret = "0123456789abcdef0123456789abcdef";
const std::string good = R"({"sub":"alice","exp":1700000600})";

const test_key& rsa() {
  static const test_key key(2048);
  return key;
}

const test_key& ed25519() {
  static const test_key key(0);
  return key;
}

std::string head(const std::string& algorithm, const std::string& more = {}) {
  return R"({"typ":"JWT","alg":")" + algorithm + "\"" + more + "}";
}

std::string in_set(const std::vector<std::string>& keys) {
  std::string out;
  for (const auto& one : keys)
    out += (out.empty() ? "" : ",") + one;
  return "{\"keys\":[" + out + "]}";
}

/// Whom a token names, or an empty text.
std::string user_of(const token_verifier& by, const std::string& token,
                    core::wall_ms at = now) {
  const auto found = by.verify(token, at);
  const auto* owner = std::get_if<token_owner>(&found);
  return owner == nullptr ? std::string() : owner->user;
}

token_verifier with_secret(token_rules rules = {}) {
  return {std::move(rules), token_keys::from_key(secret + "\n", "jwt.secret")};
}

bool takes(const token_rules& rules, const std::string& claims,
           core::wall_ms at = now) {
  return !user_of(with_secret(rules), hmac_token(secret, head("HS256"), claims),
                  at)
            .empty();
}

} // namespace

TEST_CASE("token_keys verifies HS256, RS256 and EdDSA, each with its own key") {
  const token_verifier by_rsa(
    {}, token_keys::from_key(rsa().public_pem(), "rsa.pem"));
  const token_verifier by_ed(
    {}, token_keys::from_key(ed25519().public_pem(), "ed.pem"));
  const auto by_secret = with_secret();
  const auto hs = hmac_token(secret, head("HS256"), good);
  const auto rs = rsa().token(head("RS256"), good);
  const auto ed = ed25519().token(head("EdDSA"), good);
  CHECK(user_of(by_secret, hs) == "alice");
  CHECK(user_of(by_rsa, rs) == "alice");
  CHECK(user_of(by_ed, ed) == "alice");
  for (const auto* by : {&by_rsa, &by_ed})
    CHECK(user_of(*by, hs).empty());
  CHECK(user_of(by_secret, rs).empty());
  CHECK(user_of(by_rsa, ed).empty());
  CHECK(user_of(by_ed, rs).empty());
}

TEST_CASE("token_keys lets no token choose its algorithm") {
  const auto pem = rsa().public_pem();
  const token_verifier by_rsa({}, token_keys::from_key(pem, "rsa.pem"));
  // The public key, which everybody has, as if it were a secret.
  CHECK(user_of(by_rsa, hmac_token(pem, head("HS256"), good)).empty());
  CHECK(user_of(by_rsa, rsa().token(head("HS256"), good)).empty());
  CHECK(user_of(by_rsa, rsa().token(head("PS256"), good)).empty());
  CHECK(user_of(by_rsa, rsa().token(head("none"), good)).empty());
  const auto unsigned_one = base64url(head("none")) + "." + base64url(good);
  for (const auto* tail : {"", ".", ".AAAA"}) {
    CHECK(user_of(by_rsa, unsigned_one + tail).empty());
    CHECK(user_of(with_secret(), unsigned_one + tail).empty());
  }
  CHECK(
    user_of(with_secret(), hmac_token(secret, head("hs256"), good)).empty());
  CHECK(
    user_of(with_secret(), hmac_token(secret, head("HS512"), good)).empty());
}

TEST_CASE("token_keys follows nothing that a token's header points at") {
  const test_key stranger(2048);
  const token_verifier by_rsa(
    {}, token_keys::from_key(rsa().public_pem(), "rsa.pem"));
  CHECK(user_of(by_rsa, stranger.token(
                          head("RS256", ",\"jwk\":" + stranger.jwk("x")), good))
          .empty());
  for (const auto* name : {"jku", "x5u"})
    CHECK(user_of(by_rsa, stranger.token(
                            head("RS256", std::string(",\"") + name
                                            + R"(":"http://127.0.0.1:1/")"),
                            good))
            .empty());
  // What must be understood and is not.
  CHECK(
    user_of(by_rsa, rsa().token(head("RS256", R"(,"crit":["x"],"x":1)"), good))
      .empty());
}

TEST_CASE("token_keys refuses tokens that were changed, cut or are none") {
  const auto by = with_secret();
  const auto token = hmac_token(secret, head("HS256"), good);
  CHECK(user_of(by, token) == "alice");
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CAPTURE(i);
    // The last digit's unused bits are part of no byte.
    if (i + 1 < token.size())
      CHECK(user_of(by, changed).empty());
    CHECK(user_of(by, token.substr(0, i)).empty());
  }
  CHECK(user_of(by, "").empty());
  CHECK(user_of(by, "..").empty());
  CHECK(user_of(by, token + "." + token).empty());
  CHECK(user_of(by, std::string(9000, 'A')).empty());
  CHECK(user_of(by, token + std::string(1, '\0')).empty());
  CHECK(user_of(by, hmac_token("another secret, as long as ours", head("HS256"),
                               good))
          .empty());
}

TEST_CASE("token_keys picks a key of a JWKS by kid, and tries all without") {
  const test_key other(2048);
  const token_verifier by(
    {}, token_keys::from_jwks(
          in_set({other.jwk("b"), rsa().jwk("a", R"("use":"sig",)"),
                  ed25519().jwk("c"), R"({"kty":"EC","crv":"P-256","kid":"d"})",
                  R"({"kty":"quantum","kid":"e"})"}),
          "jwks.json"));
  CHECK(user_of(by, rsa().token(head("RS256", R"(,"kid":"a")"), good))
        == "alice");
  CHECK(user_of(by, ed25519().token(head("EdDSA", R"(,"kid":"c")"), good))
        == "alice");
  CHECK(user_of(by, rsa().token(head("RS256"), good)) == "alice");
  CHECK(user_of(by, rsa().token(head("RS256", R"(,"kid":"b")"), good)).empty());
  CHECK(user_of(by, rsa().token(head("RS256", R"(,"kid":"z")"), good)).empty());
}

TEST_CASE("token_keys leaves keys of other uses and algorithms out") {
  const auto of = [](const std::string& more) {
    return token_keys::from_jwks(
      in_set({rsa().jwk("a", more), ed25519().jwk("b")}), "jwks.json");
  };
  CHECK(of("")->size() == 2);
  CHECK(of(R"("alg":"RS256",)")->size() == 2);
  CHECK(of(R"("use":"enc",)")->size() == 1);
  CHECK(of(R"("alg":"RS512",)")->size() == 1);
  CHECK(of(R"("alg":"HS256",)")->size() == 1);
  const test_key weak(1024);
  CHECK_THROWS(token_keys::from_jwks(in_set({weak.jwk("a")}), "jwks.json"));
  CHECK_THROWS(token_keys::from_jwks(in_set({}), "jwks.json"));
  CHECK_THROWS(token_keys::from_jwks("<html>", "jwks.json"));
  CHECK_THROWS(token_keys::from_jwks("", "jwks.json"));
}

TEST_CASE("token_keys takes for a secret only what may be one") {
  const test_key weak(1024);
  CHECK_THROWS(token_keys::from_key("too short\n", "jwt.secret"));
  CHECK_THROWS(token_keys::from_key(std::string(31, 'x') + "\n", "jwt.secret"));
  CHECK_NOTHROW(token_keys::from_key(std::string(32, 'x'), "jwt.secret"));
  CHECK_THROWS(token_keys::from_key(in_set({rsa().jwk("a")}), "jwt.secret"));
  CHECK_THROWS(
    token_keys::from_key("<html>not found, sorry, sorry</html>", "jwt.secret"));
  CHECK_THROWS(token_keys::from_key(rsa().private_pem(), "key.pem"));
  CHECK_THROWS(token_keys::from_key(weak.public_pem(), "key.pem"));
}

TEST_CASE("token_verifier checks exp, nbf and iat, with some leeway") {
  const token_rules rules; // 30 s
  CHECK(takes(rules, R"({"sub":"a","exp":1700000001})"));
  CHECK(takes(rules, R"({"sub":"a","exp":1699999971})"));
  CHECK_FALSE(takes(rules, R"({"sub":"a","exp":1699999970})"));
  CHECK_FALSE(takes(rules, R"({"sub":"a"})"));
  for (const auto* exp :
       {"\"1700000600\"", "-1", "1e300", "null", "true", "1700000600000"}) {
    CAPTURE(exp);
    CHECK_FALSE(takes(rules, std::string(R"({"sub":"a","exp":)") + exp + "}"));
  }
  for (const std::string name : {"nbf", "iat"}) {
    const auto claims = [&](const std::string& at) {
      return R"({"sub":"a","exp":1700000600,")" + name + "\":" + at + "}";
    };
    CHECK(takes(rules, claims("1700000030")));
    CHECK_FALSE(takes(rules, claims("1700000031")));
    CHECK_FALSE(takes(rules, claims("\"soon\"")));
  }
  const auto found
    = with_secret().verify(hmac_token(secret, head("HS256"), good), now);
  CHECK(std::get<token_owner>(found).expires == 1'700'000'630'000);
}

TEST_CASE("token_verifier checks issuer and audience where they are set") {
  const auto claims = [](const std::string& more) {
    return R"({"sub":"a","exp":1700000600)" + more + "}";
  };
  token_rules rules;
  CHECK(takes(rules, claims(R"(,"iss":"x","aud":"y")")));
  rules.issuer = "https://id.example.org";
  CHECK(takes(rules, claims(R"(,"iss":"https://id.example.org")")));
  CHECK_FALSE(takes(rules, claims(R"(,"iss":"https://id.example.org/")")));
  CHECK_FALSE(takes(rules, claims("")));
  CHECK_FALSE(takes(rules, claims(R"(,"iss":["https://id.example.org"])")));
  rules = {};
  rules.audience = "chat";
  CHECK(takes(rules, claims(R"(,"aud":"chat")")));
  CHECK(takes(rules, claims(R"(,"aud":["mail","chat"])")));
  CHECK_FALSE(takes(rules, claims(R"(,"aud":["mail"])")));
  CHECK_FALSE(takes(rules, claims(R"(,"aud":"cha")")));
  CHECK_FALSE(takes(rules, claims("")));
}

TEST_CASE("token_verifier takes the user from the claim that it is told") {
  token_rules rules;
  const auto of = [&](const std::string& claims) {
    return user_of(with_secret(rules),
                   hmac_token(secret, head("HS256"), claims));
  };
  CHECK(of(R"({"sub":"अनु","exp":1700000600})") == "अनु");
  CHECK(of(R"({"exp":1700000600})").empty());
  CHECK(of(R"({"sub":7,"exp":1700000600})").empty());
  CHECK(of(R"({"sub":"","exp":1700000600})").empty());
  CHECK(of(R"({"sub":"server","exp":1700000600})").empty());
  CHECK(of(R"({"sub":"a\u0000b","exp":1700000600})").empty());
  CHECK(of(R"({"sub":")" + std::string(129, 'x') + R"(","exp":1700000600})")
          .empty());
  rules.user_claim = "phone_number";
  CHECK(of(R"({"sub":"u1","phone_number":"+4915112345","exp":1700000600})")
        == "+4915112345");
  CHECK(of(R"({"sub":"u1","exp":1700000600})").empty());
}

TEST_CASE("token_verifier wants a claim to be true where it is told") {
  token_rules rules;
  rules.user_claim = "email";
  rules.true_claim = "email_verified";
  const auto claims = [](const std::string& verified) {
    return R"({"email":"a@example.org","exp":1700000600)" + verified + "}";
  };
  CHECK(takes(rules, claims(R"(,"email_verified":true)")));
  for (const auto* bad :
       {"", R"(,"email_verified":false)", R"(,"email_verified":"true")",
        R"(,"email_verified":1)"})
    CHECK_FALSE(takes(rules, claims(bad)));
}

TEST_CASE("token_verifier forgets the keys that were replaced") {
  token_verifier by({}, token_keys::from_jwks(in_set({rsa().jwk("a")}), "j"));
  const auto old = rsa().token(head("RS256", R"(,"kid":"a")"), good);
  const auto young = ed25519().token(head("EdDSA", R"(,"kid":"b")"), good);
  CHECK(user_of(by, old) == "alice");
  CHECK(user_of(by, young).empty());
  by.replace(token_keys::from_jwks(in_set({ed25519().jwk("b")}), "j"));
  CHECK(user_of(by, old).empty());
  CHECK(user_of(by, young) == "alice");
}

TEST_CASE("sign_token makes what token_keys verifies") {
  const token_verifier by_rsa(
    {}, token_keys::from_jwks(in_set({rsa().jwk("a")}), "j"));
  const token_verifier by_ed({},
                             token_keys::from_key(ed25519().public_pem(), "j"));
  CHECK(user_of(with_secret(), sign_token(secret + "\n", "s", "", good))
        == "alice");
  CHECK(user_of(by_rsa, sign_token(rsa().private_pem(), "s", "a", good))
        == "alice");
  CHECK(
    user_of(by_rsa, sign_token(rsa().private_pem(), "s", "b", good)).empty());
  CHECK(user_of(by_ed, sign_token(ed25519().private_pem(), "s", "", good))
        == "alice");
  CHECK_THROWS(sign_token(rsa().public_pem(), "s", "", good));
  CHECK_THROWS(sign_token("short", "s", "", good));
  CHECK_THROWS(sign_token(secret, "s", "", "no claims"));
}

} // namespace vartalap::net
