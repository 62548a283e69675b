// What groups have confirmed, when processes are killed; clusters.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/groups.hpp"
#include "test/integration/rig/node_pair.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace vartalap::integration;

TEST_CASE(
  "what a group has confirmed reaches everybody after a kill half way") {
  constexpr int count = 600;
  server_process server;
  const auto port = server.port();
  const auto group = create_large(port, count);
  std::vector<std::string> confirmed;
  for (int round = 0; round < 3; ++round) {
    {
      chat_peer alice(port, "alice");
      for (int i = 0; i < 10; ++i)
        alice.ws.send(frame("m" + std::to_string(round * 10 + i), group));
      // Repeats of what was sent before the kill may be confirmed again.
      for (int i = 0; i < 10; ++i) {
        const auto id = "m" + std::to_string(round * 10 + i);
        if (answer_to(alice, id).kind == heard::what::server_ack)
          confirmed.push_back(id);
      }
    }
    server.kill();
    server.start();
    // It had not come to its end, and goes on by itself.
    CHECK(
      comes_true([&] { return metric(server, "group_finished_total") > 0; }));
  }
  CHECK(confirmed.size() == 30);
  for (int i = 0; i < count; ++i) {
    const auto user = "u" + std::to_string(i);
    INFO(user);
    const auto got = waiting(port, user, confirmed.size());
    if (without_repeats(got) != confirmed)
      REQUIRE(without_repeats(got) == confirmed);
  }
}

TEST_CASE("members are who was in the group when a message was accepted") {
  server_process server;
  const auto port = server.port();
  const auto group = create_large(port, 300);
  const auto members = "/groups/" + group + "/members";
  chat_peer alice(port, "alice");
  alice.ws.send(frame("before", group));
  REQUIRE(answer_to(alice, "before").kind == heard::what::server_ack);
  call(port, "DELETE", "alice", members, R"({"member":"u299"})");
  call(port, "POST", "alice", members, R"({"members":["late"]})");
  server.kill();
  server.start();
  CHECK(waiting(port, "u299", 1) == std::vector<std::string>{"before"});
  CHECK(waiting(port, "u0", 1) == std::vector<std::string>{"before"});
  chat_peer again(port, "alice");
  again.ws.send(frame("after", group));
  REQUIRE(answer_to(again, "after").kind == heard::what::server_ack);
  CHECK(waiting(port, "late", 1) == std::vector<std::string>{"after"});
  CHECK(waiting(port, "u299") == std::vector<std::string>{"before"});
}

TEST_CASE("groups work from every node of a cluster, whoever is their home") {
  node_pair nodes(trust::secret);
  const auto left = nodes[0].port();
  const auto right = nodes[1].port();
  // Enough of them for either node to be home of some.
  for (int i = 0; i < 8; ++i) {
    const auto tag = std::to_string(i);
    const auto bob = "bob" + tag;
    const auto group = create(left, "alice", {bob, "carl"});
    CHECK(info(right, "carl", group) == "alice! " + bob + " carl");
    chat_peer alice(right, "alice");
    chat_peer other(left, bob);
    alice.ws.send(frame("m" + tag, group));
    const auto ack = answer_to(alice, "m" + tag);
    REQUIRE(ack.kind == heard::what::server_ack);
    CHECK(ack.durability == "disk+1");
    const auto got = next_message(other);
    CHECK(got.id == "m" + tag);
    CHECK(json_at(got.raw, "/head/to") == group);
    chat_peer eve(left, "eve");
    eve.ws.send(frame("x", group));
    CHECK(answer_to(eve, "x").code == "not_a_member");
    CHECK(call(right, "POST", bob, "/groups/" + group + "/members",
               R"({"members":["dora"]})")
            .body
          == R"({"status":true})");
    CHECK(info(left, "dora", group) == "alice! " + bob + " carl dora");
  }
  CHECK(json_list(call(right, "GET", "dora", "/groups/").body, "").size() == 8);
}

TEST_CASE(
  "a group goes on after its home was killed, here or on the next node") {
  constexpr int count = 200;
  node_pair nodes(trust::secret);
  // Of two groups on two nodes one or the other is likely to be at home.
  std::vector<std::string> groups;
  for (int i = 0; i < 3; ++i)
    groups.push_back(create_large(nodes[1].port(), count));
  std::vector<std::string> confirmed;
  for (int round = 0; round < 2; ++round) {
    chat_peer alice(nodes[1].port(), "alice");
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (int i = 0; i < 5; ++i) {
        const auto id = std::to_string(round) + '-' + std::to_string(g) + '-'
                        + std::to_string(i);
        alice.ws.send(frame(id, groups[g]));
      }
    // Each group answers in order, and no group waits for another.
    for (std::size_t answered = 0; answered < 5 * groups.size();) {
      const auto got = alice.hear();
      if (got.kind == heard::what::delivery) {
        alice.acknowledge({got.server_id});
        continue;
      }
      ++answered;
      CHECK(got.kind == heard::what::server_ack);
      confirmed.push_back(got.id);
    }
    nodes[0].kill();
    nodes[0].start();
  }
  CHECK(confirmed.size() == 30);
  for (int i = 0; i < count; i += 7) {
    const auto user = "u" + std::to_string(i);
    INFO(user);
    const auto complete = [&] {
      return without_repeats(waiting(nodes[1].port(), user)).size()
             == confirmed.size();
    };
    CHECK(comes_true(complete, 3 * patience));
    // In order, each group for itself.
    const auto got = without_repeats(waiting(nodes[1].port(), user));
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const auto of_group = [g](const std::vector<std::string>& all) {
        std::vector<std::string> out;
        for (const auto& id : all)
          if (id.substr(1, 3) == "-" + std::to_string(g) + "-")
            out.push_back(id);
        return out;
      };
      CHECK(of_group(got) == of_group(confirmed));
    }
  }
}
