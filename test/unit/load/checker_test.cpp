#include "load/checker.hpp"

#include <catch2/catch.hpp>

using namespace vartalap;
using load::checker;
using load::message_key;

namespace {

/// Users 0 and 1 with one device each; 0 sends three messages to 1.
struct fixture {
  checker book{2, 1};
  std::vector<message_key> sent;

  fixture() {
    for (int i = 0; i < 3; ++i)
      sent.push_back({0, book.attempted(0, 1)});
  }
  void arrive(std::size_t which, std::uint64_t order) {
    book.arrived(1, 0, sent[which], {order, 0});
  }
  void all_well() {
    for (std::size_t i = 0; i < sent.size(); ++i) {
      book.confirmed(sent[i]);
      arrive(i, i + 1);
    }
  }
};

} // namespace

TEST_CASE("checker finds nothing wrong where everything arrived in order") {
  fixture f;
  f.all_well();
  const auto v = f.book.judge();
  CHECK(v.attempted == 3);
  CHECK(v.confirmed == 3);
  CHECK(v.arrived == 3);
  CHECK_FALSE(v.broken());
  CHECK(v.unconfirmed == 0);
}

TEST_CASE("checker names a confirmed message that never arrived") {
  fixture f;
  for (const auto& key : f.sent)
    f.book.confirmed(key);
  f.arrive(0, 1);
  f.arrive(2, 3);
  const auto v = f.book.judge();
  CHECK(v.lost == 1);
  REQUIRE(v.lost_first.size() == 1);
  CHECK(v.lost_first[0] == f.sent[1]);
  CHECK(v.broken());
}

TEST_CASE("checker blames nobody for an unconfirmed message that is missing") {
  fixture f;
  f.book.confirmed(f.sent[0]);
  f.arrive(0, 1);
  const auto v = f.book.judge();
  CHECK(v.lost == 0);
  CHECK(v.unconfirmed == 2);
  CHECK_FALSE(v.broken());
}

TEST_CASE("checker counts a refused message neither lost nor unconfirmed") {
  fixture f;
  f.all_well();
  const message_key extra{0, f.book.attempted(0, 1)};
  f.book.refused(extra);
  const auto v = f.book.judge();
  CHECK(v.refused == 1);
  CHECK(v.unconfirmed == 0);
  CHECK_FALSE(v.broken());
}

TEST_CASE("checker keeps a confirmation that a refusal of a resend follows") {
  fixture f;
  f.book.confirmed(f.sent[0]);
  f.book.refused(f.sent[0]);
  CHECK(f.book.judge().confirmed == 1);
  CHECK(f.book.judge().lost == 1);
  CHECK_FALSE(f.book.confirmed(f.sent[0]));
}

TEST_CASE("checker sees a message that overtook another of its sender") {
  fixture f;
  for (const auto& key : f.sent)
    f.book.confirmed(key);
  f.arrive(1, 2);
  f.arrive(0, 1);
  f.arrive(2, 3);
  const auto v = f.book.judge();
  CHECK(v.reordered == 1);
  CHECK(v.broken());
}

TEST_CASE("checker does not compare the order of different senders") {
  checker book(3, 1);
  const message_key a{0, book.attempted(0, 2)};
  const message_key b{1, book.attempted(1, 2)};
  book.arrived(2, 0, a, {9, 0});
  book.arrived(2, 0, b, {1, 0});
  CHECK(book.judge().reordered == 0);
}

TEST_CASE("checker sees a repeat that got through the dedupe") {
  fixture f;
  f.all_well();
  f.arrive(1, 2);
  const auto v = f.book.judge();
  CHECK(v.duplicated == 1);
  CHECK(v.arrived == 3);
  CHECK(v.broken());
}

TEST_CASE("checker reports dropped repeats without blame") {
  fixture f;
  f.all_well();
  f.book.repeated(1, 0);
  f.book.foreign(1, 0);
  const auto v = f.book.judge();
  CHECK(v.duplicated_raw == 1);
  CHECK(v.foreign == 1);
  CHECK_FALSE(v.broken());
}

TEST_CASE("checker sees what nobody sent and what went to the wrong user") {
  fixture f;
  f.all_well();
  SECTION("a seq beyond the last") {
    f.book.arrived(1, 0, {0, 3}, {9, 0});
  }
  SECTION("a sender beyond the last") {
    f.book.arrived(1, 0, {7, 0}, {9, 0});
  }
  SECTION("a message for somebody else") {
    f.book.arrived(0, 0, f.sent[0], {9, 0});
  }
  SECTION("a damaged content") {
    f.book.unexpected(1, 0, load::oddity::damaged);
  }
  const auto v = f.book.judge();
  CHECK(v.unexpected == 1);
  CHECK(v.broken());
}

TEST_CASE("checker wants every message at every device") {
  checker book(2, 3);
  const message_key key{0, book.attempted(0, 1)};
  book.confirmed(key);
  book.arrived(1, 0, key, {1, 0});
  book.arrived(1, 2, key, {1, 0});
  const auto v = book.judge();
  CHECK(v.arrived == 2);
  CHECK(v.lost == 1);
}

TEST_CASE("seen_set takes keys in any order once") {
  load::seen_set seen;
  CHECK(seen.insert({1, 5}));
  CHECK(seen.insert({1, 2}));
  CHECK(seen.insert({1, 9}));
  CHECK(seen.insert({2, 5}));
  CHECK_FALSE(seen.insert({1, 2}));
  CHECK_FALSE(seen.insert({1, 9}));
  CHECK(seen.contains({1, 5}));
  CHECK_FALSE(seen.contains({1, 6}));
  CHECK_FALSE(seen.contains({3, 5}));
}
