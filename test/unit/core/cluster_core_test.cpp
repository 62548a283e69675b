#include "test/unit/core/cluster_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace vartalap::core {

using namespace std::chrono_literals;

namespace {

constexpr bucket_id bucket = 3;

} // namespace

TEST_CASE("cluster_core of a single node serves at once and is calm") {
  cluster_fixture f{1};
  CHECK(f.at(0).core->look().phase == node_phase::serving);
  CHECK(f.at(0).view->is_mine(bucket));
  f.run();
  CHECK(f.at(0).view->calm);
  CHECK(f.at(0).core->look().claims == 0);
  CHECK(f.at(0).view->knows_devices(bucket));
}

TEST_CASE("cluster_core forgets tombstones at once where it is alone") {
  cluster_fixture f{1};
  f.at(0).put(bucket, 1);
  f.at(0).acknowledge(bucket, 1);
  f.pass(5s);
  CHECK(f.at(0).store[bucket].removals.empty());
}

TEST_CASE("cluster_core joins when it is in step with all") {
  cluster_fixture f{3};
  CHECK(f.at(0).core->look().phase == node_phase::joining);
  CHECK(f.at(0).view->owner(bucket) == no_node);
  f.link_all();
  CHECK(f.all_home());
  CHECK(f.all_calm());
}

TEST_CASE("cluster_core serves alone after it has waited for the others") {
  cluster_fixture f{3};
  f.pass(2900ms);
  CHECK(f.at(0).core->look().phase == node_phase::joining);
  f.pass(200ms);
  CHECK(f.at(0).core->look().phase == node_phase::serving);
  CHECK(f.at(0).view->is_mine(bucket));
  CHECK_FALSE(f.at(0).view->knows_devices(bucket));
}

TEST_CASE("cluster_core takes over and hands back") {
  cluster_fixture f{3};
  f.link_all();
  const auto home = f.home(bucket);
  const auto next = f.second(bucket);
  const auto last = f.third(bucket);
  f.cut(home, next);
  f.cut(home, last);
  // Not at once: where the whole network is gone, that shows within a moment.
  CHECK(f.at(next).view->owner(bucket) == no_node);
  f.pass(400ms);
  CHECK(f.at(next).view->owner(bucket) == next);
  CHECK(f.at(last).view->owner(bucket) == next);
  CHECK(f.at(next).core->look().claims != 0);
  CHECK(f.at(home).view->is_mine(bucket)); // it serves its own side

  f.at(next).released.clear();
  f.link(home, next);
  // Not before everybody reaches it.
  CHECK(f.at(next).view->owner(bucket) == next);
  CHECK(f.at(home).view->owner(bucket) == next);
  f.link(home, last);
  f.pass(5s);
  CHECK(
    std::count(f.at(next).released.begin(), f.at(next).released.end(), bucket)
    == 1);
  CHECK(f.all_home());
  CHECK(f.all_calm());
}

TEST_CASE("cluster_core asks the next in line to take what it cannot reach") {
  cluster_fixture f{3};
  f.link_all();
  const auto home = f.home(bucket);
  const auto next = f.second(bucket);
  const auto last = f.third(bucket);
  f.cut(home, last);
  CHECK(f.at(last).view->owner(bucket) == next); // who does not know
  CHECK(f.at(next).view->owner(bucket) == home);
  CHECK(f.at(next).view->split);
  f.pass(1500ms);
  CHECK(f.at(next).view->owner(bucket) == next);
  CHECK(f.at(home).view->owner(bucket) == next);
  f.pass(5s);
  CHECK(f.at(next).view->owner(bucket) == next); // no ping-pong
  f.link(home, last);
  f.pass(5s);
  CHECK(f.all_home());
}

TEST_CASE("cluster_core lets the greater epoch count") {
  cluster_fixture f{3};
  f.link_all();
  const auto next = f.second(bucket);
  const auto last = f.third(bucket);
  const auto home = f.home(bucket);
  f.at(home).core->received(next, say::claims{false, {{bucket, 5'000'000}}, {}},
                            f.now);
  CHECK(f.at(home).view->owner(bucket) == next);
  f.at(home).core->received(last, say::claims{false, {{bucket, 5'000'001}}, {}},
                            f.now);
  CHECK(f.at(home).view->owner(bucket) == last);
  f.at(home).core->received(last, say::claims{false, {}, {bucket}}, f.now);
  CHECK(f.at(home).view->owner(bucket) == next);
  // A claim of ours is above all that were seen.
  f.at(home).core->received(last, say::please_take{{bucket}}, f.now);
  CHECK(f.at(home).view->owner(bucket) == home);
}

TEST_CASE("cluster_core copies what a holder lacks") {
  cluster_fixture f{3};
  f.link_all();
  const auto home = f.home(bucket);
  const auto next = f.second(bucket);
  f.cut(home, next);
  f.at(home).put(bucket, 1);
  f.at(next).put(bucket, 2);
  f.link(home, next);
  f.pass(5s);
  CHECK(f.at(home).store[bucket].messages.size() == 2);
  CHECK(f.at(next).store[bucket].messages.size() == 2);
  CHECK(f.at(f.third(bucket)).store[bucket].messages.empty());
}

TEST_CASE("cluster_core carries on what it keeps for others, and drops it") {
  cluster_fixture f{3};
  f.link_all();
  auto& keeper = f.at(f.third(bucket));
  keeper.put(bucket, 1);
  CHECK(keeper.view->keeps_for_others(bucket));
  keeper.core->keeps(bucket, f.now);
  CHECK_FALSE(keeper.view->calm);
  f.pass(4s);
  CHECK(f.at(f.home(bucket)).store[bucket].messages.size() == 1);
  CHECK(f.at(f.second(bucket)).store[bucket].messages.size() == 1);
  CHECK(keeper.store[bucket].messages.empty());
  CHECK(f.all_calm());
}

TEST_CASE("cluster_core keeps for others until the last holder has it") {
  cluster_fixture f{3};
  f.link_all();
  const auto home = f.home(bucket);
  const auto last = f.third(bucket);
  f.cut(home, last);
  f.cut(home, f.second(bucket));
  f.at(last).put(bucket, 1);
  f.at(last).core->keeps(bucket, f.now);
  f.pass(5s);
  CHECK(f.at(f.second(bucket)).store[bucket].messages.size() == 1);
  CHECK(f.at(last).store[bucket].messages.size() == 1);
  CHECK(f.at(last).core->look().foreign == 1);
  f.link(home, f.second(bucket));
  f.link(home, last);
  f.pass(5s);
  CHECK(f.at(home).store[bucket].messages.size() == 1);
  CHECK(f.at(last).store[bucket].messages.empty());
}

TEST_CASE("cluster_core tries again what a peer would not take") {
  cluster_fixture f{3};
  f.link_all();
  const auto home = f.home(bucket);
  const auto next = f.second(bucket);
  f.at(next).refuses_copies = true;
  f.at(home).put(bucket, 1);
  f.at(home).core->out_of_step(next, f.now);
  f.pass(3s);
  CHECK(f.at(next).store[bucket].messages.empty());
  CHECK_FALSE(f.at(home).view->calm);
  f.at(next).refuses_copies = false;
  f.pass(10s);
  CHECK(f.at(next).store[bucket].messages.size() == 1);
  CHECK(f.all_calm());
}

TEST_CASE("cluster_core tells everybody of a removal, then forgets it") {
  cluster_fixture f{3};
  f.link_all();
  const auto home = f.home(bucket);
  const auto next = f.second(bucket);
  f.at(home).put(bucket, 1);
  f.at(next).put(bucket, 1);
  f.cut(home, next);
  f.at(home).acknowledge(bucket, 1);
  f.pass(5s);
  CHECK(f.at(home).store[bucket].removals.size() == 1); // one is away
  f.link(home, next);
  f.pass(15s);
  for (auto& each : f.nodes) {
    CHECK(each->store[bucket].messages.empty());
    CHECK(each->store[bucket].removals.empty());
  }
}

TEST_CASE("cluster_core does not count a node that has lost its disk") {
  cluster_fixture f{2};
  f.link_all();
  f.cut(0, 1);
  f.at(0).put(bucket, 1);
  f.linked[0][1] = f.linked[1][0] = true;
  f.at(0).core->link_up(1, false, f.now);
  CHECK_FALSE(f.at(0).view->counts[1]);
  f.at(1).core->link_up(0, true, f.now);
  f.run();
  CHECK(f.at(0).view->counts[1]);
  CHECK(f.at(1).store[bucket].messages.size() == 1);
}

TEST_CASE("cluster_core distrusts a node until it is repaired, link or not") {
  cluster_fixture f{2};
  f.link_all();
  f.cut(0, 1);
  f.at(0).core->link_up(1, false, f.now);
  f.at(0).core->link_down(1, f.now);
  f.at(0).core->link_up(1, true, f.now);
  CHECK_FALSE(f.at(0).view->counts[1]);
}

TEST_CASE("cluster_core drains") {
  cluster_fixture f{3};
  f.link_all();
  auto& leaving = f.at(f.home(bucket));
  leaving.core->drain(f.now);
  CHECK_FALSE(leaving.core->is_empty());
  CHECK(leaving.view->is_mine(bucket)); // until it has handed over
  f.run();
  f.pass(5s);
  CHECK(leaving.core->is_empty());
  CHECK(leaving.view->owner(bucket) == f.second(bucket));
  CHECK(leaving.core->look().claims == 0);
}

TEST_CASE("cluster_core hands over in order when its members change") {
  cluster_fixture f{3};
  f.link_all();
  for (std::size_t b = 0; b < f.where->buckets(); ++b) {
    const auto each = static_cast<bucket_id>(b);
    f.at(f.home(each)).put(each, 100 + b);
    f.at(f.second(each)).put(each, 100 + b);
  }
  f.where = cluster_of({"n0", "n1", "n2", "n3"});
  for (node_index i = 0; i < 3; ++i)
    f.at(i).core->set_members(f.where, i, f.now);
  f.linked.assign(4, std::vector<bool>(4, true));
  f.start(3);
  for (node_index i = 0; i < 3; ++i)
    f.link(i, 3);
  for (const auto& each : f.nodes)
    for (const auto owner : each->view->owners)
      REQUIRE((owner != no_node || each == f.nodes[3]));
  f.pass(20s);
  CHECK(f.all_home());
  CHECK(f.all_calm());
  for (std::size_t b = 0; b < f.where->buckets(); ++b) {
    const auto each = static_cast<bucket_id>(b);
    for (node_index i = 0; i < 4; ++i)
      CHECK(f.at(i).store[each].messages.size()
            == (f.where->rank(each, i) <= 1 ? 1 : 0));
  }
}

TEST_CASE("cluster_core ignores answers that come after their link was lost") {
  cluster_fixture f{2};
  f.linked[0][1] = f.linked[1][0] = true;
  f.at(0).core->link_up(1, true, f.now);
  f.at(1).core->link_up(0, true, f.now);
  f.at(0).core->link_down(1, f.now); // reads are outstanding
  f.run();
  CHECK_FALSE(f.at(0).core->look().peers[1].live);
  f.at(0).core->received(1, say::pass_done{1}, f.now);
  CHECK_FALSE(f.at(0).core->look().peers[1].in_step);
}

TEST_CASE("cluster_core follows another member list once all live nodes do") {
  cluster_fixture f{3};
  f.link_all();
  const auto propose = [&](node_index node) {
    f.at(node).core->propose(77, f.now);
    f.run();
  };
  propose(0);
  propose(1);
  CHECK(f.at(0).agreements == 0);
  CHECK(f.at(0).core->look().is_changing);
  CHECK_FALSE(f.at(0).core->look().peers[2].agrees);
  CHECK(f.at(0).core->look().peers[1].agrees);

  SECTION("the last of which says so") {
    propose(2);
    f.pass(1s);
    for (node_index node = 0; node < 3; ++node)
      CHECK(f.at(node).agreements == 1);
  }
  SECTION("and does not wait for one that is away") {
    f.cut(0, 2);
    f.cut(1, 2);
    f.pass(1s);
    CHECK(f.at(0).agreements == 1);
    CHECK(f.at(1).agreements == 1);
  }
  SECTION("unless it was taken back") {
    f.at(0).core->propose(0, f.now);
    f.run();
    propose(2);
    CHECK(f.at(0).agreements == 0);
    CHECK(f.at(1).agreements == 0);
    CHECK_FALSE(f.at(0).core->look().is_changing);
  }
}

TEST_CASE("cluster_core looks for the others before it follows another list") {
  cluster_fixture f{3};
  f.at(0).core->propose(77, f.now);
  f.pass(1s);
  CHECK(f.at(0).agreements == 0);

  SECTION("and follows the one that they have") {
    f.link_all();
    f.pass(20s);
    CHECK(f.at(0).core->phase() == node_phase::serving);
    CHECK(f.at(0).agreements == 0);
  }
  SECTION("and joins under it where it finds none") {
    f.pass(f.rules.wait_for_peers);
    CHECK(f.at(0).agreements == 1);
    CHECK(f.at(0).core->phase() == node_phase::joining);
    f.at(0).core->set_members(cluster_of({"n0", "n1", "n3"}), 0, f.now);
    f.pass(1s);
    CHECK(f.at(0).core->phase() == node_phase::joining);
    f.pass(f.rules.wait_for_peers);
    CHECK(f.at(0).core->phase() == node_phase::serving);
  }
}

} // namespace vartalap::core
