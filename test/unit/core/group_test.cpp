// Members, roles, rules, and what merges.

#include "core/group.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace vartalap::test {

using core::group;
using core::group_change;
using core::group_command;
using core::group_role;
using core::refusal;
using core::server_id;
using action = group_command::action;

namespace {

/// "alice! bob": in order, admins with a mark.
std::string text_of(const std::vector<core::group_member>& members) {
  std::string out;
  for (const auto& one : members) {
    out += (out.empty() ? "" : " ") + one.user;
    out += one.role == group_role::admin ? "!" : "";
  }
  return out;
}

std::string sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  std::string out;
  for (const auto& one : names)
    out += (out.empty() ? "" : " ") + one;
  return out;
}

server_id at(std::uint64_t n) {
  return {n, 1};
}

/// A group that carries out commands, each stamped one later.
struct group_fixture {
  group it;
  std::vector<group_change> done;
  std::uint64_t stamp = 0;

  refusal run(const group_command& command) {
    auto decided = it.decide(command);
    if (decided.refused != refusal::none || decided.nothing)
      return decided.refused;
    decided.change.stamp = at(++stamp);
    it.apply(decided.change);
    done.push_back(decided.change);
    return refusal::none;
  }
  void create() {
    REQUIRE(run({action::create, "alice", {"bob", "carl"}, "friends"})
            == refusal::none);
  }
};

} // namespace

TEST_CASE_METHOD(group_fixture, "group's creator is its admin") {
  CHECK_FALSE(it.exists());
  create();
  CHECK(it.exists());
  CHECK(it.name() == "friends");
  CHECK(text_of(it.members()) == "alice! bob carl");
  CHECK(run({action::create, "eve", {}, "mine"}) == refusal::id_reused);
}

TEST_CASE_METHOD(group_fixture, "group counts who is named twice once") {
  CHECK(run({action::create, "alice", {"bob", "bob", "alice"}, "x"})
        == refusal::none);
  CHECK(text_of(it.members()) == "alice! bob");
  CHECK(it.member_count() == 2);
}

TEST_CASE_METHOD(group_fixture, "group lets any member add") {
  create();
  CHECK(run({action::add, "bob", {"dora"}}) == refusal::none);
  CHECK(text_of(it.members()) == "alice! bob carl dora");
  CHECK(it.decide({action::add, "bob", {"dora", "carl"}}).nothing);
  CHECK(run({action::add, "eve", {"eve"}}) == refusal::not_a_member);
  CHECK(group{}.decide({action::add, "a", {"b"}}).refused
        == refusal::unknown_group);
}

TEST_CASE_METHOD(group_fixture, "group lets admins remove others, all leave") {
  create();
  CHECK(run({action::remove, "bob", {"carl"}}) == refusal::forbidden);
  CHECK(run({action::remove, "bob", {"bob"}}) == refusal::none);
  CHECK(run({action::remove, "bob", {"bob"}}) == refusal::not_a_member);
  CHECK(run({action::remove, "alice", {"carl"}}) == refusal::none);
  CHECK(text_of(it.members()) == "alice!");
}

TEST_CASE_METHOD(group_fixture, "group's longest-standing member inherits") {
  create();
  CHECK(run({action::add, "bob", {"adam"}}) == refusal::none);
  CHECK(run({action::remove, "alice", {"alice"}}) == refusal::none);
  CHECK(text_of(it.members()) == "bob! carl adam");
  CHECK(run({action::add, "carl", {"alice"}}) == refusal::none);
  CHECK(text_of(it.members()) == "bob! carl adam alice");
  CHECK(run({action::remove, "bob", {"alice"}}) == refusal::none);
}

TEST_CASE_METHOD(group_fixture, "group that everybody left is none") {
  CHECK(run({action::create, "alice", {}, "x"}) == refusal::none);
  CHECK(run({action::remove, "alice", {"alice"}}) == refusal::none);
  CHECK_FALSE(it.exists());
  CHECK(run({action::add, "alice", {"alice"}}) == refusal::unknown_group);
}

TEST_CASE_METHOD(group_fixture, "group has a most of members") {
  create();
  std::vector<std::string> many;
  for (unsigned i = 0; i < core::group_members_max - 3; ++i)
    many.push_back("u" + std::to_string(i));
  CHECK(run({action::add, "bob", many}) == refusal::none);
  CHECK(it.member_count() == core::group_members_max);
  CHECK(run({action::add, "bob", {"one more"}}) == refusal::too_large);
}

TEST_CASE_METHOD(group_fixture, "group knows who was in it at a serverId") {
  create();                                     // 1
  run({action::remove, "alice", {"bob"}});      // 2
  run({action::add, "alice", {"bob", "dora"}}); // 3
  CHECK(sorted(it.members_at(at(1))) == "alice bob carl");
  CHECK(sorted(it.members_at({1, 99})) == "alice bob carl");
  CHECK(sorted(it.members_at(at(2))) == "alice carl");
  CHECK(sorted(it.members_at(at(3))) == "alice bob carl dora");
  CHECK(it.members_at({}).empty());
}

TEST_CASE_METHOD(group_fixture, "group's records merge in any order, twice") {
  create();
  run({action::add, "bob", {"dora"}});
  run({action::remove, "alice", {"bob"}});
  run({action::add, "alice", {"bob"}});
  run({action::remove, "alice", {"alice"}});
  const auto expected = text_of(it.members());
  auto order = done;
  std::sort(order.begin(), order.end(),
            [](auto& x, auto& y) { return x.stamp < y.stamp; });
  do {
    group other;
    for (const auto& one : order)
      other.apply(one);
    other.apply(order.front());
    CHECK(text_of(other.members()) == expected);
    CHECK(other.member_count() == it.member_count());
    CHECK(other.name() == "friends");
  } while (
    std::next_permutation(order.begin(), order.end(),
                          [](auto& x, auto& y) { return x.stamp < y.stamp; }));
}

TEST_CASE("group: of one stamp leaving wins") {
  for (const bool first : {false, true}) {
    group it;
    it.apply({at(1), {{"alice", group_role::admin}}, {}, true, "x"});
    group_change change{at(2), {{"bob", group_role::user}}, {"bob"}};
    if (first)
      std::swap(change.stamp.low, change.stamp.low);
    it.apply(change);
    CHECK(text_of(it.members()) == "alice!");
  }
}

TEST_CASE_METHOD(group_fixture, "group drops records that say nothing more") {
  create();                                // 1: the name
  run({action::add, "bob", {"dora"}});     // 2
  run({action::remove, "dora", {"dora"}}); // 3
  run({action::add, "bob", {"dora"}});     // 4
  CHECK(it.obsolete(at(2), {}).empty());
  // A message of 3 still needs to know that dora was away.
  CHECK(it.obsolete(at(3), {}) == std::vector<server_id>{at(2)});
  CHECK(it.obsolete(at(9), {}) == std::vector<server_id>{at(2), at(3)});
  const auto before = text_of(it.members());
  for (const auto id : it.obsolete(at(9), {}))
    it.drop(id);
  CHECK(text_of(it.members()) == before);
  CHECK(it.member_count() == 4);
  // What says who left stays, until it is old.
  run({action::remove, "dora", {"dora"}}); // 5
  CHECK(it.obsolete(at(9), {}) == std::vector<server_id>{at(4)});
  it.drop(at(4));
  CHECK(it.obsolete(at(9), at(6)) == std::vector<server_id>{at(5)});
}

TEST_CASE("group's commands and changes travel in envelopes") {
  core::envelope message;
  core::write_command({action::create, "alice", {"bob", "carl"}, "x", "pic"},
                      message);
  const auto create = core::read_command(message);
  REQUIRE(create);
  CHECK(create->what == action::create);
  CHECK(create->by == "alice");
  CHECK(create->name == "x");
  CHECK(create->picture == "pic");
  CHECK(create->users == std::vector<std::string>{"bob", "carl"});
  CHECK_FALSE(core::read_change(message));

  core::envelope removes;
  core::write_command({action::remove, "alice", {"bob"}}, removes);
  CHECK(core::read_command(removes)->what == action::remove);

  core::envelope record;
  record.serverid = at(7);
  core::write_change({at(7),
                      {{"a", group_role::admin}, {"b", group_role::user}},
                      {"c"},
                      true,
                      "n",
                      "p"},
                     record);
  const auto change = core::read_change(record);
  REQUIRE(change);
  CHECK(change->stamp == at(7));
  CHECK(text_of(change->joined) == "a! b");
  CHECK(change->left == std::vector<std::string>{"c"});
  CHECK(change->creates);
  CHECK(change->name == "n");
  CHECK(change->picture == "p");
  CHECK_FALSE(core::read_command(record));
}

TEST_CASE("group's names are nobody else's, and keys can hold them") {
  const std::string id = "0123abcd-0000-4000-8000-0123456789ab";
  CHECK(core::is_group_id(id));
  CHECK_FALSE(core::is_group_id("0123ABCD-0000-4000-8000-0123456789ab"));
  CHECK_FALSE(core::is_group_id("bob"));
  const auto name = core::group_mailbox(id);
  CHECK(core::is_group_mailbox(name));
  CHECK(core::group_of(name) == id);
  CHECK_FALSE(core::is_valid_user(name));
  for (const std::size_t size : {1U, 126U, 127U, 128U}) {
    const auto list = core::groups_of_user(std::string(size, 'x'));
    CHECK(list.size() <= core::user_id_bytes_max);
    CHECK(core::is_internal_name(list));
    CHECK_FALSE(core::is_group_mailbox(list));
    CHECK_FALSE(core::is_valid_user(list));
  }
  CHECK_FALSE(core::is_internal_name("bob"));
}

} // namespace vartalap::test
