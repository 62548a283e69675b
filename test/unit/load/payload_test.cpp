#include "load/payload.hpp"

#include <catch2/catch.hpp>

using namespace vartalap::load;

TEST_CASE("payload says which message it is and when it was due") {
  const payload_maker maker(7, 200);
  std::string content;
  maker.make({{12, 34}, 5'000'000'000}, content);
  CHECK(content.size() == 200);
  const auto facts = maker.read(content);
  REQUIRE(facts);
  CHECK(facts->key == message_key{12, 34});
  CHECK(facts->scheduled_us == 5'000'000'000);
}

TEST_CASE("payload of the same message is the same") {
  const payload_maker maker(7, 61);
  std::string a;
  std::string b = "something else";
  maker.make({{1, 2}, 3}, a);
  maker.make({{1, 2}, 3}, b);
  CHECK(a == b);
}

TEST_CASE("payload notices every changed byte and every other length") {
  const payload_maker maker(7, 61);
  std::string content;
  maker.make({{1, 2}, 3}, content);
  for (std::size_t i = 0; i < content.size(); ++i) {
    auto damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    CHECK_FALSE(maker.read(damaged));
  }
  CHECK_FALSE(maker.read(content.substr(0, 60)));
  CHECK_FALSE(maker.read(content + "x"));
  CHECK_FALSE(maker.read(""));
}

TEST_CASE("payload of another run is not ours") {
  const payload_maker mine(7, 64);
  const payload_maker other(8, 64);
  std::string content;
  other.make({{1, 2}, 3}, content);
  CHECK_FALSE(mine.read(content));
  std::string id;
  other.append_id({1, 2}, id);
  CHECK_FALSE(mine.is_ours(id));
  CHECK(other.is_ours(id));
}

TEST_CASE("payload ids come back as keys") {
  const payload_maker maker(7, 64);
  const message_key key{4'000'000'000U, 35};
  std::string id;
  maker.append_id(key, id);
  CHECK(id.size() <= 64);
  CHECK(maker.read_id(id) == key);
  CHECK_FALSE(maker.read_id(id + "!"));
  CHECK_FALSE(maker.read_id(id.substr(0, id.rfind('-'))));
  CHECK_FALSE(maker.read_id("m1"));
}

TEST_CASE("payload user names come back as numbers") {
  CHECK(payload_maker::user_name(17) == "u17");
  CHECK(payload_maker::read_user_name("u17") == 17U);
  CHECK_FALSE(payload_maker::read_user_name("u"));
  CHECK_FALSE(payload_maker::read_user_name("u1x"));
  CHECK_FALSE(payload_maker::read_user_name("bob"));
}
