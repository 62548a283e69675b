#include "core/ids.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace vartalap::core {

TEST_CASE("server_id survives hex and bytes") {
  const server_id id{0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  CHECK(id.to_hex() == "0123456789abcdeffedcba9876543210");
  CHECK(server_id::from_hex(id.to_hex()) == id);
  CHECK(server_id::from_bytes(id.to_bytes().data()) == id);
  CHECK_FALSE(server_id::from_hex("0123456789ABCDEFFEDCBA9876543210"));
  CHECK_FALSE(server_id::from_hex("0123"));
  CHECK_FALSE(server_id::from_hex(std::string(32, 'g')));
}

TEST_CASE("server_id sorts alike as number, hex and bytes") {
  const server_id low{1, ~0ULL};
  const server_id high{2, 0};
  CHECK(low < high);
  CHECK(low.to_hex() < high.to_hex());
  CHECK(low.to_bytes() < high.to_bytes());
}

TEST_CASE("server_id_clock only goes forward") {
  server_id_clock clock{7, 3};
  const auto first = clock.next(1000);
  CHECK(first.clock_ms() == 1000);
  CHECK(first.low == (std::uint64_t{3} << 32 | 7));
  auto last = first;
  for (int i = 0; i < 70'000; ++i) { // the counter carries into the ms
    const auto next = clock.next(900);
    REQUIRE(last < next);
    last = next;
  }
  CHECK(last.clock_ms() == 1001);
  clock.observe({5000ULL << 16, ~0ULL});
  CHECK(clock.next(1000) > server_id{5000ULL << 16, ~0ULL});
}

TEST_CASE("server_id_clocks of one node ascend over all shards") {
  node_clock node;
  server_id_clock first{7, 1, &node};
  server_id_clock second{7, 2, &node};
  auto last = first.next(1000);
  for (auto* clock : {&second, &first, &first, &second}) {
    const auto next = clock->next(900);
    CHECK(next > last);
    CHECK(next.high > last.high);
    last = next;
  }
  first.observe({5000ULL << 16, ~0ULL});
  CHECK(second.next(1000).high > 5000ULL << 16);
}

TEST_CASE("node_clock passes what it heard, unless that is absurd") {
  constexpr wall_ms wall = 1'700'000'000'000;
  constexpr auto most = static_cast<wall_ms>(node_clock::ahead_max.count());
  node_clock clock;
  CHECK(clock.read(wall) == wall << 16);
  const auto heard = (wall + 20) << 16 | 5;
  CHECK(clock.hear(heard, wall));
  CHECK(clock.read(wall) == heard);
  CHECK(clock.next(wall) > heard);
  // Of an earlier time nothing is to be learnt.
  CHECK(clock.hear(wall << 16, wall));
  CHECK(clock.read(wall) > heard);
  const auto before = clock.read(wall);
  CHECK_FALSE(clock.hear((wall + most + 1) << 16, wall));
  CHECK_FALSE(clock.hear(~std::uint64_t{0}, wall));
  CHECK(clock.read(wall) == before);
  CHECK(clock.hear((wall + most) << 16, wall));
  CHECK(clock.next(wall) > (wall + most) << 16);
}

TEST_CASE("node_clock gives every thread times of its own") {
  node_clock clock;
  constexpr std::size_t each = 20'000;
  std::array<std::vector<std::uint64_t>, 2> got;
  const auto take = [&](std::vector<std::uint64_t>& into) {
    for (std::size_t i = 0; i < each; ++i)
      into.push_back(clock.next(1));
  };
  std::thread other(take, std::ref(got[1]));
  take(got[0]);
  other.join();
  std::set<std::uint64_t> all;
  for (const auto& one : got) {
    CHECK(std::is_sorted(one.begin(), one.end()));
    all.insert(one.begin(), one.end());
  }
  CHECK(all.size() == 2 * each);
}

TEST_CASE("ids are valid UTF-8 without control characters") {
  CHECK(is_valid_id("zo\xc3\xab", 4));
  CHECK_FALSE(is_valid_id("zo\xc3\xab", 3));
  CHECK_FALSE(is_valid_id("", 4));
  CHECK_FALSE(is_valid_id("a\nb", 4));
  CHECK_FALSE(is_valid_id("a\x7f", 4));
  CHECK_FALSE(is_valid_id("\xc2\x85", 4));         // C1
  CHECK(is_valid_id("\xc2\xa0", 4));               // the first after C1
  CHECK_FALSE(is_valid_id("\xc0\xaf", 4));         // overlong
  CHECK_FALSE(is_valid_id("\xed\xa0\x80", 4));     // surrogate
  CHECK_FALSE(is_valid_id("\xf4\x90\x80\x80", 4)); // above U+10FFFF
  CHECK(is_utf8("\xf4\x8f\xbf\xbf"));
  CHECK_FALSE(is_utf8("\xe2\x82")); // cut off
  CHECK(is_valid_user("alice"));
  CHECK_FALSE(is_valid_user("server"));
  CHECK_FALSE(is_valid_user(std::string(129, 'a')));
  CHECK(is_valid_device("Phone_1.a-b"));
  CHECK_FALSE(is_valid_device("a b"));
  CHECK_FALSE(is_valid_device(std::string(65, 'a')));
}

TEST_CASE("stable_hash never changes") {
  // Buckets on disk are made from it: other values lose every mailbox.
  CHECK(stable_hash("alice") == stable_hash("alice", 0));
  CHECK(stable_hash("alice") != stable_hash("alice", 1));
  CHECK(bucket_of("alice") == 0xc5d1);
  CHECK(make_dedupe_key("a", "b", "1").a == 0x849e88e52101e0ddULL);
}

TEST_CASE("make_dedupe_key tells fields apart") {
  std::set<std::uint64_t> seen;
  for (const auto& key :
       {make_dedupe_key("ab", "c", "1"), make_dedupe_key("a", "bc", "1"),
        make_dedupe_key("a", "b", "c1"), make_dedupe_key("", "abc", "1"),
        make_dedupe_key("abc", "", "1"), make_dedupe_key("a", "c", "b1")}) {
    seen.insert(key.a);
    seen.insert(key.b);
  }
  CHECK(seen.size() == 12);
}

} // namespace vartalap::core
