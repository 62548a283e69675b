#include "core/replicator.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::core {

using namespace std::chrono_literals;

namespace {

constexpr mono_time start{1h};

/// One node of a cluster, where everybody is there until told otherwise. The
/// node is the first in line of `bucket`; others are named by their places.
struct fixture {
  static constexpr bucket_id bucket = 1;

  std::shared_ptr<const placement> where;
  replicator copies;
  cluster_view now;
  replicator_effects out;

  fixture(std::size_t nodes, replication_rules rules)
    : where(make(nodes)), copies(rules) {
    now.where = where;
    now.me = node(0);
    now.replicas = rules.replicas;
    now.owners.assign(where->buckets(), now.me);
    now.live.assign(nodes, true);
    now.counts.assign(nodes, true);
    publish();
  }

  static std::shared_ptr<const placement> make(std::size_t nodes) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < nodes; ++i)
      names.push_back("n" + std::to_string(i));
    return std::make_shared<placement>(names, 8);
  }

  node_index node(std::size_t place) const {
    return where->line(bucket)[place];
  }

  void publish(mono_time at = start) {
    copies.set_view(std::make_shared<cluster_view>(now), at, out);
  }

  void lose(std::size_t place, mono_time at = start) {
    now.live[node(place)] = now.counts[node(place)] = false;
    now.calm = false;
    publish(at);
  }

  bool put(std::uint64_t ticket) {
    return copies.put(ticket, bucket, {1, 1}, start, out);
  }

  /// What was wanted since the last call, as text: nodes by their places.
  std::string said() {
    std::string text;
    for (const auto& each : out)
      text += (text.empty() ? "" : ", ") + std::visit(*this, each);
    out.clear();
    return text;
  }

  std::string operator()(const replicate::send& x) const {
    auto text = "send " + std::to_string(x.ticket) + " to";
    for (const auto to : x.to)
      text += " " + std::to_string(where->rank(bucket, to));
    return text;
  }

  std::string operator()(const replicate::confirmed& x) const {
    return "confirmed " + std::to_string(x.ticket) + " with "
           + std::to_string(x.copies);
  }

  std::string operator()(const replicate::refused& x) const {
    return "refused " + std::to_string(x.ticket);
  }

  std::string operator()(const replicate::forget& x) const {
    return "forget " + std::to_string(x.ticket);
  }
};

} // namespace

TEST_CASE("replicator confirms once this node and a holder have committed") {
  fixture f{3, {1, 2, false, 2s}};
  REQUIRE(f.put(7));
  CHECK(f.said() == "send 7 to 1");
  SECTION("here first") {
    f.copies.committed_here(7, f.out);
    CHECK(f.said().empty());
    f.copies.committed(7, f.node(1), f.out);
  }
  SECTION("there first") {
    f.copies.committed(7, f.node(1), f.out);
    CHECK(f.said().empty());
    f.copies.committed_here(7, f.out);
  }
  CHECK(f.said() == "confirmed 7 with 1");
  CHECK(f.copies.waiting() == 0);
  f.copies.committed(7, f.node(1), f.out);
  f.copies.committed_here(7, f.out);
  CHECK(f.said().empty());
}

TEST_CASE("replicator counts a node once") {
  fixture f{3, {2, 3, false, 2s}};
  REQUIRE(f.put(7));
  CHECK(f.said() == "send 7 to 1 2");
  f.copies.committed_here(7, f.out);
  f.copies.committed(7, f.node(1), f.out);
  f.copies.committed(7, f.node(1), f.out);
  CHECK(f.said().empty());
  f.copies.committed(7, f.node(2), f.out);
  CHECK(f.said() == "confirmed 7 with 2");
}

TEST_CASE("replicator needs nobody where one copy is enough") {
  fixture f{3, {0, 1, false, 2s}};
  REQUIRE(f.put(7));
  f.copies.committed_here(7, f.out);
  CHECK(f.said() == "confirmed 7 with 0");
}

TEST_CASE("replicator asks the next in line for a hint") {
  fixture f{4, {1, 2, false, 2s}};
  SECTION("where a holder is away") {
    f.lose(1);
    REQUIRE(f.put(7));
    CHECK(f.said() == "send 7 to 2");
  }
  SECTION("where a holder is lost meanwhile") {
    REQUIRE(f.put(7));
    CHECK(f.said() == "send 7 to 1");
    f.lose(1);
    CHECK(f.said() == "send 7 to 2");
  }
  SECTION("where a holder will not") {
    REQUIRE(f.put(7));
    f.said();
    f.copies.failed(7, f.node(1), start, f.out);
    CHECK(f.said() == "send 7 to 2");
  }
  SECTION("where a holder takes too long") {
    REQUIRE(f.put(7));
    f.said();
    f.copies.tick(start + 2s - 1us, f.out);
    CHECK(f.said().empty());
    f.copies.tick(start + 2s, f.out);
    CHECK(f.said() == "send 7 to 2");
  }
  f.copies.committed_here(7, f.out);
  f.copies.committed(7, f.node(2), f.out);
  CHECK(f.said() == "confirmed 7 with 1");
  const auto targets = f.copies.targets(fixture::bucket);
  CHECK(std::count(targets.begin(), targets.end(), f.node(2)) == 1);
}

TEST_CASE("replicator takes a late answer") {
  fixture f{3, {1, 2, false, 2s}};
  REQUIRE(f.put(7));
  f.copies.committed_here(7, f.out);
  f.copies.tick(start + 2s, f.out);
  CHECK(f.said() == "send 7 to 1, send 7 to 2");
  f.copies.committed(7, f.node(1), f.out);
  CHECK(f.said() == "confirmed 7 with 1");
}

TEST_CASE("replicator refuses where nobody is left") {
  fixture f{2, {1, 2, false, 2s}};
  SECTION("before it is stored") {
    f.lose(1);
    CHECK_FALSE(f.put(7));
    CHECK(f.said().empty());
  }
  SECTION("when the last one is lost") {
    REQUIRE(f.put(7));
    f.said();
    f.copies.committed_here(7, f.out);
    f.lose(1);
    CHECK(f.said() == "refused 7");
  }
  SECTION("when the last one takes too long") {
    REQUIRE(f.put(7));
    f.said();
    f.copies.tick(start + 2s, f.out);
    CHECK(f.said() == "refused 7");
  }
  CHECK(f.copies.waiting() == 0);
}

TEST_CASE("replicator accepts fewer copies where it is told to") {
  fixture f{2, {1, 2, true, 2s}};
  SECTION("nobody is there") {
    f.lose(1);
    REQUIRE(f.put(7));
    f.copies.committed_here(7, f.out);
  }
  SECTION("nobody is there any more") {
    REQUIRE(f.put(7));
    f.said();
    f.lose(1);
    CHECK(f.said().empty());
    f.copies.committed_here(7, f.out);
  }
  CHECK(f.said() == "confirmed 7 with 0");
}

TEST_CASE("replicator does not count who has lost confirmed data") {
  fixture f{3, {1, 2, false, 2s}};
  f.now.counts[f.node(1)] = false;
  f.publish();
  REQUIRE(f.put(7));
  CHECK(f.said() == "send 7 to 1, send 7 to 2");
  f.copies.committed_here(7, f.out);
  f.copies.committed(7, f.node(1), f.out);
  CHECK(f.said().empty());
  f.copies.committed(7, f.node(2), f.out);
  CHECK(f.said() == "confirmed 7 with 1");
}

TEST_CASE("replicator sends what waits to a holder that comes back") {
  fixture f{3, {1, 2, false, 2s}};
  f.lose(1);
  REQUIRE(f.put(7));
  CHECK(f.said() == "send 7 to 2");
  f.now.live[f.node(1)] = f.now.counts[f.node(1)] = true;
  f.publish();
  CHECK(f.said() == "send 7 to 1");
}

TEST_CASE("replicator forgets a removal that all targets confirmed in calm") {
  fixture f{3, {1, 2, false, 2s}};
  f.now.calm = true;
  f.publish();
  CHECK(f.copies.remove(7, fixture::bucket, f.out) == std::vector{f.node(1)});
  SECTION("all confirmed") {
    f.copies.committed(7, f.node(1), f.out);
    CHECK(f.said() == "forget 7");
  }
  SECTION("calm ended before") {
    f.now.calm = false;
    f.publish();
    f.now.calm = true;
    f.publish();
    f.copies.committed(7, f.node(1), f.out);
    CHECK(f.said().empty());
  }
  CHECK(f.copies.waiting() == 0);
}

TEST_CASE("replicator leaves a removal to the passes where it is not calm") {
  fixture f{3, {1, 2, false, 2s}};
  CHECK(f.copies.remove(7, fixture::bucket, f.out).size() == 1);
  f.copies.committed(7, f.node(1), f.out);
  CHECK(f.said().empty());
}

TEST_CASE("replicator waits no more for a ticket that was dropped") {
  fixture f{3, {1, 2, false, 2s}};
  REQUIRE(f.put(7));
  f.said();
  f.copies.drop(7);
  f.copies.committed_here(7, f.out);
  f.copies.committed(7, f.node(1), f.out);
  f.copies.tick(start + 1h, f.out);
  CHECK(f.said().empty());
}

TEST_CASE("replicator follows its nodes into another member list") {
  fixture f{3, {1, 2, false, 2s}};
  REQUIRE(f.put(7));
  f.said();
  f.copies.committed(7, f.node(1), f.out);
  const auto first = f.where->members()[f.node(0)];
  const auto second = f.where->members()[f.node(1)];
  cluster_view next = f.now;
  next.where = std::make_shared<placement>(
    std::vector<std::string>{"a0", "n0", "n1", "n2"}, 8);
  next.me = next.where->find(first);
  next.live.assign(4, true);
  next.counts.assign(4, true);
  f.copies.set_view(std::make_shared<cluster_view>(next), start, f.out);
  f.out.clear();
  f.copies.committed_here(7, f.out);
  REQUIRE(f.out.size() == 1);
  CHECK(std::holds_alternative<replicate::confirmed>(f.out[0]));
}

} // namespace vartalap::core
