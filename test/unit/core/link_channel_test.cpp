#include "core/link_channel.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace vartalap::core;

namespace {

constexpr std::uint64_t session = 7;

/// Two ends and the blobs between them.
struct both {
  explicit both(const link_rules& rules) : a(rules), b(rules) {
    a.open(session, now);
    b.open(session, now);
  }

  /// Carries what is due from one end to the other, without gathering.
  /// @returns The items that arrived.
  std::vector<std::string> carry(link_channel& from, link_channel& to) {
    now += link_rules{}.gather;
    return carry_due(from, to);
  }

  /// Carries what is due at this very moment.
  std::vector<std::string> carry_due(link_channel& from, link_channel& to) {
    std::vector<std::string> out;
    std::vector<std::string_view> items;
    while (from.next(now, 1000, blob)) {
      REQUIRE(to.receive(blob, now, items) == link_channel::verdict::ok);
      out.insert(out.end(), items.begin(), items.end());
    }
    return out;
  }

  mono_time now{std::chrono::hours{1}};
  link_channel a;
  link_channel b;
  std::vector<char> blob;
};

} // namespace

TEST_CASE("link_channel brings items over in order, many in a blob") {
  both ends({});
  CHECK(ends.a.add("one"));
  CHECK(ends.a.add(""));
  CHECK(ends.a.add("three"));
  CHECK(ends.carry(ends.a, ends.b)
        == std::vector<std::string>{"one", "", "three"});
  CHECK(ends.a.look().blobs_out == 1);
  CHECK(ends.b.peer_clock() == 1000);
}

TEST_CASE("link_channel sends a lone item at once and gathers what follows") {
  link_rules rules;
  both ends(rules);
  ends.now += rules.heartbeat / 2;
  const auto start = ends.now;
  CHECK(ends.a.add("one"));
  CHECK(ends.a.next_deadline() <= ends.now);
  CHECK(ends.carry_due(ends.a, ends.b) == std::vector<std::string>{"one"});
  CHECK(ends.a.add("two"));
  CHECK(ends.a.next_deadline() == start + rules.gather);
  ends.now += rules.gather - microseconds{1};
  CHECK(ends.carry_due(ends.a, ends.b).empty());
  CHECK(ends.a.add("three"));
  CHECK(ends.a.next_deadline() == start + rules.gather);
  ends.now += microseconds{1};
  CHECK(ends.carry_due(ends.a, ends.b)
        == std::vector<std::string>{"two", "three"});
  CHECK(ends.a.look().blobs_out == 2);
  // The next one comes after a pause again.
  ends.now += rules.gather;
  CHECK(ends.a.add("four"));
  CHECK(ends.carry_due(ends.a, ends.b) == std::vector<std::string>{"four"});
}

TEST_CASE("link_channel holds nothing that fills a blob") {
  link_rules rules;
  both ends(rules);
  CHECK(ends.a.add("one"));
  CHECK(ends.carry_due(ends.a, ends.b).size() == 1);
  const std::string item(rules.gather_bytes - 5, 'x');
  CHECK(ends.a.add(item));
  CHECK(ends.carry_due(ends.a, ends.b).empty());
  CHECK(ends.a.add(""));
  CHECK(ends.carry_due(ends.a, ends.b) == std::vector<std::string>{item, ""});
}

TEST_CASE("link_channel's held items carry the acknowledgement that waits") {
  link_rules rules;
  both ends(rules);
  CHECK(ends.a.add("one"));
  ends.carry(ends.a, ends.b);
  CHECK(ends.b.look().in_flight == 0);
  CHECK(ends.b.add("answer"));
  ends.carry_due(ends.b, ends.a);
  CHECK(ends.a.look().in_flight == 0);
  // Nothing is left to be acknowledged to a.
  ends.now += rules.ack_after;
  ends.carry_due(ends.b, ends.a);
  CHECK(ends.b.look().blobs_out == 1);
}

TEST_CASE("link_channel brings over items larger than a blob") {
  link_rules rules;
  rules.blob_bytes = 100;
  both ends(rules);
  std::mt19937 random(1);
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.emplace_back(random() % 500, static_cast<char>('a' + i % 26));
    CHECK(ends.a.add(sent.back()));
  }
  auto got = ends.carry(ends.a, ends.b);
  const auto rest = ends.carry(ends.a, ends.b); // the last blob is not full
  got.insert(got.end(), rest.begin(), rest.end());
  CHECK(got == sent);
}

TEST_CASE("link_channel stops at its window until it is acknowledged") {
  link_rules rules;
  rules.blob_bytes = 1000;
  rules.window_bytes = 3000;
  both ends(rules);
  for (int i = 0; i < 20; ++i)
    CHECK(ends.a.add(std::string(500, 'x')));
  CHECK(ends.carry(ends.a, ends.b).size() < 20);
  CHECK(ends.a.look().in_flight >= rules.window_bytes);
  std::size_t rest = 0;
  for (int i = 0; i < 10; ++i) {
    ends.now += rules.ack_after;
    ends.carry(ends.b, ends.a);
    rest += ends.carry(ends.a, ends.b).size();
  }
  CHECK(rest > 0);
  CHECK(ends.a.look().queued == 0);
}

TEST_CASE("link_channel refuses more than its queue holds") {
  link_rules rules;
  rules.queue_bytes = 1000;
  both ends(rules);
  CHECK(ends.a.add(std::string(1001, 'x')));
  CHECK_FALSE(ends.a.add("y"));
}

TEST_CASE("link_channel shows life when it is quiet, and sees death") {
  link_rules rules;
  both ends(rules);
  CHECK(ends.carry_due(ends.a, ends.b).empty());
  CHECK(ends.a.look().blobs_out == 0);
  CHECK(ends.a.next_deadline() == ends.now + rules.heartbeat);
  ends.now += rules.heartbeat;
  ends.carry_due(ends.a, ends.b);
  CHECK(ends.a.look().blobs_out == 1);
  ends.now += rules.dead_after - rules.heartbeat;
  CHECK(ends.a.is_dead(ends.now));
  CHECK_FALSE(ends.b.is_dead(ends.now));
}

TEST_CASE("link_channel acknowledges without having anything to say") {
  both ends({});
  CHECK(ends.a.add("one"));
  ends.carry(ends.a, ends.b);
  CHECK(ends.a.look().in_flight > 0);
  ends.now += link_rules{}.ack_after;
  ends.carry_due(ends.b, ends.a);
  CHECK(ends.a.look().in_flight == 0);
  CHECK(ends.a.look().round_trip == link_rules{}.ack_after);
}

TEST_CASE("link_channel gives up a session whose blob is damaged or missing") {
  both ends({});
  std::vector<std::string_view> items;
  CHECK(ends.a.add("one"));
  REQUIRE(ends.a.next(ends.now, 0, ends.blob));

  SECTION("any bit") {
    const auto bit = GENERATE(0U, 17U, 33U, 70U, 150U, 200U, 270U, 330U, 360U);
    ends.blob[bit / 8] = static_cast<char>(ends.blob[bit / 8] ^ 1 << bit % 8);
    CHECK(ends.b.receive(ends.blob, ends.now, items)
          != link_channel::verdict::ok);
    CHECK(items.empty());
  }
  SECTION("cut short") {
    ends.blob.pop_back();
    CHECK(ends.b.receive(ends.blob, ends.now, items)
          == link_channel::verdict::broken);
  }
  SECTION("a blob that never came") {
    CHECK(ends.a.add("two"));
    ends.now += link_rules{}.gather;
    REQUIRE(ends.a.next(ends.now, 0, ends.blob));
    CHECK(ends.b.receive(ends.blob, ends.now, items)
          == link_channel::verdict::broken);
  }
  SECTION("a blob that comes twice") {
    CHECK(ends.b.receive(ends.blob, ends.now, items)
          == link_channel::verdict::ok);
    CHECK(ends.b.receive(ends.blob, ends.now, items)
          == link_channel::verdict::broken);
  }
  SECTION("an item that claims to be huge") {
    link_rules rules;
    rules.item_bytes = 2;
    link_channel strict(rules);
    strict.open(session, ends.now);
    CHECK(strict.receive(ends.blob, ends.now, items)
          == link_channel::verdict::broken);
  }
}

TEST_CASE("link_channel ignores what belongs to another session") {
  both ends({});
  std::vector<std::string_view> items;
  CHECK(ends.a.add("one"));
  REQUIRE(ends.a.next(ends.now, 0, ends.blob));
  ends.b.open(session + 1, ends.now);
  CHECK(ends.b.receive(ends.blob, ends.now, items)
        == link_channel::verdict::stale);
  ends.b.close();
  CHECK(ends.b.receive(ends.blob, ends.now, items)
        == link_channel::verdict::stale);
  CHECK_FALSE(ends.b.add("x"));
}
