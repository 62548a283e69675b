#include "actors/replicated_store.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace vartalap::actors {

namespace {

namespace op = storage::op;
using storage::outcome;
using storage::remembrance;

constexpr core::mono_time start{std::chrono::seconds{100}};
constexpr core::wall_ms wall = 1'700'000'000'000;

/// A shard's store with its disk in a list, and no links: what it would send is
/// nobody's.
struct store_rig {
  std::vector<std::pair<std::uint64_t, storage::operation>> disk;
  replicated_store store{
    0,
    {.replicas = 1, .min_copies = 1},
    [this](std::uint64_t owner, storage::operation what) {
      disk.emplace_back(owner, std::move(what));
    },
    [](std::uint64_t) { return std::vector<core::device_record>{}; }};

  /// A view of two nodes, both live.
  void view(bool calm) {
    auto out = std::make_shared<core::cluster_view>();
    out->where = std::make_shared<const core::placement>(
      std::vector<std::string>{"n1", "n2"});
    out->replicas = 1;
    out->owners.assign(core::bucket_count, 0);
    out->live = {true, true};
    out->counts = {true, true};
    out->met = {false, true};
    out->calm = calm;
    store.set_ties(std::make_shared<const cluster_ties>(
                     cluster_ties{std::move(out), {nullptr, nullptr}, 1}),
                   start);
  }

  template <class T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& [owner, what] : disk)
      if (const auto* one = std::get_if<T>(&what))
        out.push_back(*one);
    return out;
  }
};

core::envelope_ptr message(core::server_id id) {
  auto out = std::make_shared<core::envelope>();
  out->from = "alice";
  out->to = "bob";
  out->id = "m1";
  out->serverid = id;
  return out;
}

} // namespace

TEST_CASE("replicated_store remembers what was removed while all was calm when "
          "the calm ends") {
  store_rig rig;
  rig.view(true);
  rig.store.store(1, op::remove{"bob", {5, 1}}, start, wall);
  storage::operation theirs = op::remove{"bob", {6, 1}};
  CHECK(rig.store.admit(theirs, start));
  CHECK(std::get<op::remove>(theirs).remember == remembrance::none);
  CHECK(rig.store.take_keeps().empty());
  rig.disk.clear();

  rig.view(false);
  const auto removals = rig.all<op::remove>();
  REQUIRE(removals.size() == 2);
  CHECK(removals[0].serverid == core::server_id{5, 1});
  CHECK(removals[1].serverid == core::server_id{6, 1});
  for (const auto& one : removals)
    CHECK(one.remember == remembrance::always);
  CHECK(rig.store.take_keeps().size() == 1);

  SECTION("but not what was removed long before") {
    rig.view(true);
    std::vector<storage::completion> out;
    rig.store.tick(start + std::chrono::seconds{11}, out);
    rig.disk.clear();
    rig.view(false);
    CHECK(rig.disk.empty());
  }
}

TEST_CASE("replicated_store takes no copy of what was removed lately") {
  store_rig rig;
  rig.view(true);
  rig.store.store(1, op::remove{"bob", {5, 1}}, start, wall);
  storage::operation copy = op::put{message({5, 1}), {}, false};
  CHECK_FALSE(rig.store.admit(copy, start));
  REQUIRE(std::holds_alternative<op::remove>(copy));
  CHECK(std::get<op::remove>(copy).remember == remembrance::always);
  CHECK(rig.store.take_keeps()
        == std::vector<core::bucket_id>{core::bucket_of("bob")});
  CHECK(rig.store.was_removed({5, 1}));

  storage::operation other = op::put{message({6, 1}), {}, false};
  CHECK(rig.store.admit(other, start));
  CHECK(std::holds_alternative<op::put>(other));
}

TEST_CASE("replicated_store lets no older record bring an erased device back") {
  store_rig rig;
  rig.view(true);
  // Its clock is behind the one that has seen the device.
  rig.store.store(1, op::erase_device{"bob", "phone", wall + 5000}, start,
                  wall);
  REQUIRE(rig.all<op::erase_device>().size() == 1);
  CHECK(rig.all<op::erase_device>()[0].at == wall + 5000);
  CHECK(rig.all<op::erase_device>()[0].remember == remembrance::always);
  storage::operation older
    = op::merge_device{"bob", {"phone", wall + 4000, {}, 0}};
  CHECK_FALSE(rig.store.admit(older, start));
  CHECK(std::holds_alternative<op::erase_device>(older));
  storage::operation newer
    = op::merge_device{"bob", {"phone", wall + 6000, {}, 0}};
  CHECK(rig.store.admit(newer, start));
}

TEST_CASE("replicated_store has other nodes' removals remembered where they "
          "were held, unless all is calm here too") {
  store_rig rig;
  rig.view(false);
  storage::operation theirs = op::remove{"bob", {6, 1}};
  CHECK(rig.store.admit(theirs, start));
  CHECK(std::get<op::remove>(theirs).remember == remembrance::if_held);
}

TEST_CASE("replicated_store confirms what its own disk has where that is "
          "enough") {
  store_rig rig;
  rig.view(true);
  rig.store.store(7, op::put{message({5, 1}), {}, false}, start, wall);
  REQUIRE(rig.disk.size() == 1);
  std::vector<storage::completion> out;
  rig.store.completed({7, {5, 1}, outcome::committed, true}, out);
  REQUIRE(out.size() == 1);
  CHECK(out[0].owner == 7);
  CHECK(rig.store.waiting() == 0);
  CHECK(rig.store.knows_devices("bob"));
}

} // namespace vartalap::actors
