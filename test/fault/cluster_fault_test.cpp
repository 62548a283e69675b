#include "test/fault/cluster_nemesis.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdlib>
#include <functional>
#include <iostream>

using namespace vartalap::fault;

namespace {

/// Time to recover after each fault, while messages go on.
constexpr milliseconds heal{6000};
constexpr milliseconds before_first{2000};
constexpr milliseconds copies_limit{30'000};
constexpr milliseconds ten_seconds{10'000};

/// What must hold beside that nothing is lost.
struct demands {
  bool ordered = true;        ///< not while several faults are active
  bool never_refused = false; ///< not even for now
};

/// A seed from outside repeats a run.
std::uint32_t seed(std::uint32_t usual) {
  const auto* given = std::getenv("VARTALAP_SEED");
  return given == nullptr
           ? usual
           : static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
}

void require_kept(const cluster_rig& rig, const load_verdict& got,
                  const demands& wanted) {
  INFO(rig.logs());
  CHECK(got.confirmed > 1000);
  CHECK(got.lost == 0);
  CHECK(got.unexpected == 0);
  CHECK(got.duplicated == 0);
  if (wanted.ordered)
    CHECK(got.reordered == 0);
  CHECK(got.unconfirmed == 0);
  CHECK(got.gave_up == 0);
  if (wanted.never_refused)
    CHECK(got.refusals.empty());
  CHECK(got.settled_seconds.has_value());
}

void require_copies(cluster_rig& rig, std::size_t copies) {
  rig.wait_for_copies(copies_limit);
  const auto dumps = rig.stop_and_dump();
  const auto mail = rig.waiting_mail();
  std::cout << count_messages(dumps) << " messages still stored, "
            << mail.size() << " of them for users who never came\n";
  CHECK_FALSE(mail.empty());
  for (const auto& id : missing_from(dumps, mail))
    FAIL_CHECK("confirmed, and nowhere: " << id);
  for (const auto& problem : compare_copies(dumps, copies))
    FAIL_CHECK(problem);
}

using fault_t = std::function<void(cluster_rig&, std::size_t round)>;

/// Hurts a cluster under load again and again, then judges it.
void run_rounds(const cluster_plan& plan, std::size_t rounds,
                const fault_t& fault, const demands& wanted = {}) {
  std::cout << "seed " << plan.seed << '\n';
  cluster_rig rig(plan);
  rig.begin_load();
  rig.wait(before_first);
  for (std::size_t round = 0; round < rounds; ++round) {
    fault(rig, round);
    // What the last one delayed counts as recovery: no rest after it.
    if (round + 1 < rounds)
      rig.wait(heal);
  }
  const auto got = rig.end_load();
  std::cout << summary(got) << '\n';
  require_kept(rig, got, wanted);
  require_copies(rig, std::size_t{plan.replicas} + 1);
}

cluster_plan three_nodes(std::uint32_t usual_seed) {
  cluster_plan plan;
  plan.seed = seed(usual_seed);
  return plan;
}

cluster_plan one_node(std::uint32_t usual_seed) {
  auto plan = three_nodes(usual_seed);
  plan.nodes = 1;
  plan.replicas = 0;
  return plan;
}

} // namespace

TEST_CASE("one node under the rig keeps what it confirmed through kills, "
          "freezes and orderly ends",
          "[single]") {
  std::mt19937 random(seed(100));
  run_rounds(one_node(100), 4, [&](cluster_rig& rig, std::size_t round) {
    switch (round) {
      case 0:
        return kill_and_restart(rig, {0}, milliseconds{1000});
      case 1:
        freeze(rig, 0, milliseconds{2000});
        return;
      case 2:
        CHECK(kill_loop(rig, 0, 3, random) < milliseconds{2000});
        return;
      default:
        stop_and_restart(rig, 0, milliseconds{5000});
    }
  });
}

TEST_CASE("the rig sees that a lone node with an old copy of its data has lost "
          "what it confirmed",
          "[control]") {
  cluster_rig rig(one_node(101));
  rig.begin_load();
  rig.wait(before_first);
  restore_old_copy(rig, 0, milliseconds{5000});
  rig.wait(before_first);
  std::cout << summary(rig.end_load()) << '\n';
  const auto dumps = rig.stop_and_dump();
  CHECK_FALSE(missing_from(dumps, rig.waiting_mail()).empty());
}

TEST_CASE("a cluster survives kill -9 of each node, the home of the hottest "
          "mailboxes among them",
          "[kill-home]") {
  auto plan = three_nodes(1);
  plan.load = {"--scenario", "fanin", "--users", "40",
               "--senders",  "36",    "--rate",  "250"};
  run_rounds(plan, 3, [](cluster_rig& rig, std::size_t round) {
    kill_and_restart(rig, {round}, milliseconds{3000});
  });
}

TEST_CASE("a cluster survives kill -9 of nodes in every role", "[kill-roles]") {
  run_rounds(three_nodes(2), 4, [](cluster_rig& rig, std::size_t round) {
    kill_and_restart(rig, {(round * 2) % rig.size()},
                     milliseconds{1000 + 1500 * (round % 3)});
  });
}

TEST_CASE("a cluster survives kill -9 of two of three and of all nodes",
          "[kill-many]") {
  run_rounds(
    three_nodes(3), 3,
    [](cluster_rig& rig, std::size_t round) {
      if (round == 1)
        kill_and_restart(rig, {0, 1, 2}, milliseconds{2000});
      else
        kill_and_restart(rig, {round, (round + 1) % 3}, milliseconds{3000});
    },
    {.ordered = false});
}

TEST_CASE("a cluster survives a node that is killed again and again",
          "[kill-loop]") {
  std::mt19937 random(seed(4));
  run_rounds(three_nodes(4), 2, [&](cluster_rig& rig, std::size_t round) {
    CHECK(kill_loop(rig, round, 10, random) < milliseconds{2000});
  });
}

TEST_CASE("a cluster survives a frozen node without growing", "[freeze]") {
  static constexpr std::size_t growth_max = 64U << 20;
  run_rounds(three_nodes(5), 3, [](cluster_rig& rig, std::size_t round) {
    CHECK(freeze(rig, round, milliseconds{6000}) < growth_max);
  });
}

TEST_CASE("a cluster survives the isolation of a node", "[partition]") {
  run_rounds(three_nodes(6), 2, [](cluster_rig& rig, std::size_t round) {
    partition(rig, round, cut::both, ten_seconds);
  });
}

TEST_CASE("a cluster survives a partition in one direction", "[one-way]") {
  run_rounds(three_nodes(7), 2, [](cluster_rig& rig, std::size_t round) {
    partition(rig, round + 1, round == 0 ? cut::from_it : cut::to_it,
              ten_seconds);
  });
}

TEST_CASE("a cluster survives two nodes that do not see each other",
          "[partial]") {
  run_rounds(three_nodes(8), 2, [](cluster_rig& rig, std::size_t round) {
    partial_partition(rig, round, round + 1, ten_seconds);
  });
}

TEST_CASE("a cluster survives a flapping network", "[flapping]") {
  run_rounds(three_nodes(9), 2, [](cluster_rig& rig, std::size_t round) {
    flapping(rig, round, milliseconds{500}, ten_seconds);
  });
}

TEST_CASE("a cluster rids itself of clients who do not read, and serves the "
          "others",
          "[slow]") {
  auto plan = three_nodes(14);
  // Unacknowledged deliveries end a connection after their retries.
  plan.delivery = "ack_timeout = \"1s\"\n";
  constexpr std::size_t each = 7;
  constexpr milliseconds disconnected_within{20'000};
  constexpr std::uint64_t confirmed_within_us = 2'000'000;
  cluster_rig rig(plan);
  rig.begin_load();
  rig.wait(before_first);
  for (int round = 0; round < 2; ++round)
    CHECK(slow_consumers(rig, each, disconnected_within) == 0);
  const auto got = rig.end_load();
  std::cout << summary(got) << '\n';
  require_kept(rig, got, {});
  CHECK(got.confirm_p99_us < confirmed_within_us);
  require_copies(rig, std::size_t{plan.replicas} + 1);
}

TEST_CASE(
  "a cluster repairs a node that came back with an old copy of its data",
  "[restore]") {
  run_rounds(three_nodes(18), 2, [](cluster_rig& rig, std::size_t round) {
    restore_old_copy(rig, round, milliseconds{6000});
  });
}

TEST_CASE("a node ends in order within 5 s whatever state its peers are in",
          "[stop-beside]") {
  run_rounds(three_nodes(20), 3,
             [](cluster_rig& rig, std::size_t round) {
               constexpr std::array all{trouble::killed, trouble::frozen,
                                        trouble::cut_off};
               const auto took
                 = stop_beside(rig, round, (round + 1) % 3, all[round]);
               std::cout << "ended after " << took.count() << " ms\n";
             },
             {.ordered = false});
}

TEST_CASE("a cluster is restarted node by node and refuses nothing meanwhile",
          "[rolling]") {
  run_rounds(three_nodes(21), 2,
             [](cluster_rig& rig, std::size_t) { rolling_restart(rig); },
             {.ordered = true, .never_refused = true});
}

TEST_CASE("nodes come and go while a cluster serves, and nothing is refused",
          "[members]") {
  auto plan = three_nodes(22);
  plan.spare = 2;
  plan.replicas = 1; // so that most buckets move
  run_rounds(plan, 2,
             [](cluster_rig& rig, std::size_t round) {
               const auto added = add_node(rig, 3 + round);
               rig.wait(before_first);
               const auto removed = remove_node(rig, round);
               std::cout << "added within " << added.count()
                         << " ms, removed within " << removed.count()
                         << " ms\n";
             },
             {.ordered = true, .never_refused = true});
}

TEST_CASE("a changed member list is in force once the last node was restarted "
          "with it",
          "[members-restart]") {
  auto plan = three_nodes(23);
  plan.spare = 1;
  run_rounds(
    plan, 1,
    [](cluster_rig& rig, std::size_t) { add_node_by_restarts(rig, 3); }, {});
}

TEST_CASE("a cluster survives random faults for as long as one likes",
          "[.soak]") {
  const auto* given = std::getenv("VARTALAP_SOAK_MINUTES");
  const std::chrono::minutes span{given == nullptr ? 10 : std::atoi(given)};
  const auto plan = three_nodes(std::random_device{}());
  std::mt19937 random(plan.seed);
  const auto until = std::chrono::steady_clock::now() + span;
  std::cout << "seed " << plan.seed << '\n';
  cluster_rig rig(plan);
  rig.begin_load();
  while (std::chrono::steady_clock::now() < until) {
    const auto what = random_nemesis(rig, random);
    std::cout << what << std::endl;
    rig.wait(heal);
  }
  const auto got = rig.end_load();
  std::cout << summary(got) << '\n';
  require_kept(rig, got, {.ordered = false});
  require_copies(rig, std::size_t{plan.replicas} + 1);
}
