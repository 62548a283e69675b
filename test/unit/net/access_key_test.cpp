#include "net/access_key.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace vartalap::net {

TEST_CASE("access keys name their user and are never the same") {
  std::set<std::string> all;
  for (const std::string user : {"a", "ab", "abc", "अनु", "+4915112345678"}) {
    for (int i = 0; i < 50; ++i) {
      const auto key = make_access_key(user);
      REQUIRE(key);
      CHECK(user_of_access_key(*key) == user);
      CHECK(all.insert(*key).second);
      // Nothing that a cookie or a header would have to escape.
      CHECK(key->find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                                   "rstuvwxyz0123456789-_.")
            == std::string::npos);
    }
  }
}

TEST_CASE("access keys are told from other texts") {
  const auto key = *make_access_key("alice");
  const auto dot = key.find('.');
  for (const auto& bad :
       {std::string(), std::string("."), key.substr(0, dot), key.substr(dot),
        key + "x", key.substr(0, key.size() - 1), "x" + key,
        "c2VydmVy" + key.substr(dot), // server
        "YQB" + key.substr(dot),      // padding bits that are set
        "AA" + key.substr(dot), "!!!!" + key.substr(dot),
        std::string(1000, 'A') + key.substr(dot)})
    CHECK_FALSE(user_of_access_key(bad));
}

TEST_CASE("access keys are stored as hashes of all of them") {
  const auto key = *make_access_key("alice");
  const auto hash = hash_of_access_key(key);
  CHECK(hash.size() == 32);
  CHECK(hash == hash_of_access_key(key));
  for (std::size_t i = 0; i < key.size(); ++i) {
    auto changed = key;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(equal_in_constant_time(hash_of_access_key(changed), hash));
  }
  CHECK(id_of_access_key(std::string("\x01\xab\x00\x00\x00\x00\x00\xff\x01", 9))
        == "01ab0000000000ff");
  // FIPS 180-2, B.1.
  CHECK(id_of_access_key(hash_of_access_key("abc")) == "ba7816bf8f01cfea");
}

TEST_CASE("access key records read back, and nothing else does") {
  const auto found
    = decode_access_key(encode_access_key({1'700'000'000'000, 7, "a.b-c_1"}));
  REQUIRE(found);
  CHECK(found->issued == 1'700'000'000'000);
  CHECK(found->expires == 7);
  CHECK(found->device == "a.b-c_1");
  for (const auto* bad :
       {"", "1", "1 2", "1 2 3", "2 1 1 x", "1 x 1 d", "1 -1 1 d"})
    CHECK_FALSE(decode_access_key(bad));
}

TEST_CASE("equal_in_constant_time compares whole texts") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "ab"));
  CHECK_FALSE(equal_in_constant_time("", "a"));
}

} // namespace vartalap::net
