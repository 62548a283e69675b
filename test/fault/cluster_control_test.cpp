// Servers with planted faults, each in the arrangement that shows it; the real
// one comes through the same.
#include "test/fault/cluster_rig.hpp"
#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <iostream>

using namespace vartalap::fault;
using vartalap::integration::chat_peer;
using vartalap::integration::comes_true;
using vartalap::integration::heard;
using vartalap::integration::json_at;
using vartalap::integration::json_list;

namespace {

constexpr std::size_t messages = 200;
constexpr milliseconds limit{30'000};
/// Longer than a node needs to refuse what it cannot confirm.
constexpr milliseconds answer_limit{8000};

cluster_plan plan_of(const std::string& server, unsigned replicas) {
  cluster_plan out;
  out.server = server;
  out.replicas = replicas;
  return out;
}

using ids_t = std::vector<std::string>;

/// Sends messages by way of a node, each to a user of its own.
/// @returns serverIds of those that were confirmed.
ids_t send_all(cluster_rig& rig, std::size_t node, const std::string& name) {
  ids_t out;
  rig.net().node(node).run([&] {
    chat_peer postman(rig.client_port(node), "postman");
    for (std::size_t i = 0; i < messages; ++i) {
      const auto id = name + std::to_string(i);
      postman.say({.id = id, .to = id});
    }
    try {
      for (std::size_t i = 0; i < messages; ++i)
        if (const auto answer = postman.hear(answer_limit);
            answer.kind == heard::what::server_ack)
          out.push_back(answer.server_id);
    } catch (const std::runtime_error&) {
      // No answer to the others.
    }
  });
  return out;
}

/// What a node says of another one; empty where it says nothing.
std::string seen_of(cluster_rig& rig, std::size_t by, std::size_t node,
                    const char* what) {
  const auto seen = rig.picture(by);
  return seen.empty() ? "" : json_at(json_list(seen, "/nodes").at(node), what);
}

void wait_until(cluster_rig& rig, std::size_t by, std::size_t node,
                const char* what, const std::string& value) {
  REQUIRE(
    comes_true([&] { return seen_of(rig, by, node, what) == value; }, limit));
}

void lose_disk(cluster_rig& rig, std::size_t node) {
  rig.kill(node);
  std::filesystem::remove_all(rig.data(node));
}

/// @returns How many of the messages no node has.
std::size_t count_missing(cluster_rig& rig, const ids_t& ids) {
  rig.wait_calm(limit);
  const auto missing = missing_from(rig.stop_and_dump(), ids).size();
  std::cout << missing << " of " << ids.size() << " messages are nowhere\n";
  return missing;
}

/// A node that is cut off from the others loses its disk.
/// @returns How many confirmed messages are lost.
std::size_t lose_cut_off_disk(const std::string& server) {
  cluster_rig rig(plan_of(server, 1));
  rig.wait_calm(limit);
  auto confirmed = send_all(rig, 0, "before");
  REQUIRE(confirmed.size() == messages);
  rig.net().isolate(0, cut::both);
  for (auto& each : send_all(rig, 0, "apart"))
    confirmed.push_back(std::move(each));
  lose_disk(rig, 0);
  rig.net().heal();
  rig.start(0);
  return count_missing(rig, confirmed);
}

/// A user acknowledges while a node is cut off.
/// @returns How many acknowledged messages are there when it is back.
std::size_t acknowledge_beside_cut_off(const std::string& server) {
  cluster_rig rig(plan_of(server, 2));
  rig.wait_calm(limit);
  ids_t ids;
  rig.net().node(0).run([&] {
    chat_peer postman(rig.client_port(0), "postman");
    for (std::size_t i = 0; i < messages; ++i) {
      const auto id = std::to_string(i);
      postman.say({.id = id, .to = "witness"});
      ids.push_back(postman.hear_answer(id).server_id);
    }
  });
  rig.wait_calm(limit);
  rig.net().isolate(2, cut::both);
  for (const std::size_t node : {0, 1})
    wait_until(rig, node, 2, "/live", "false");
  rig.net().node(0).run([&] {
    chat_peer witness(rig.client_port(0), "witness");
    for (std::size_t i = 0; i < messages; ++i)
      witness.acknowledge({witness.hear_delivery(std::to_string(i)).server_id});
    // What came before it on this connection has been taken.
    witness.say({.id = "last", .to = "nobody"});
    witness.hear_answer("last");
  });
  rig.net().heal();
  return ids.size() - count_missing(rig, ids);
}

/// A node that keeps copies for one that is away is restarted, and then the
/// home loses its disk.
/// @returns How many confirmed messages are lost.
std::size_t lose_home_beside_hints(const std::string& server) {
  cluster_rig rig(plan_of(server, 1));
  rig.wait_calm(limit);
  rig.kill(2);
  for (const std::size_t node : {0, 1})
    wait_until(rig, node, 2, "/live", "false");
  const auto confirmed = send_all(rig, 0, "kept");
  REQUIRE(confirmed.size() == messages);
  rig.kill(1);
  rig.start(1);
  rig.wait_ready(1, limit);
  wait_until(rig, 0, 1, "/inStep", "true");
  wait_until(rig, 1, 0, "/inStep", "true");
  lose_disk(rig, 0);
  rig.start(0);
  rig.start(2);
  return count_missing(rig, confirmed);
}

} // namespace

TEST_CASE("a cluster keeps what it confirmed where a node that was cut off "
          "loses its disk",
          "[cut-off-disk]") {
  CHECK(lose_cut_off_disk("") == 0);
}

TEST_CASE("the rig sees nodes that confirm before min_copies",
          "[early-confirm]") {
  CHECK(lose_cut_off_disk(VARTALAP_EARLY_CONFIRM) > 0);
}

TEST_CASE("a cluster does not bring back what was acknowledged while a node "
          "was cut off",
          "[removals]") {
  CHECK(acknowledge_beside_cut_off("") == 0);
}

TEST_CASE("the rig sees nodes that forget removals", "[forgotten-removal]") {
  CHECK(acknowledge_beside_cut_off(VARTALAP_FORGOTTEN_REMOVAL) > 0);
}

TEST_CASE("a cluster keeps what a restarted node holds for one that is away",
          "[hints]") {
  CHECK(lose_home_beside_hints("") == 0);
}

TEST_CASE("the rig sees nodes that drop what they keep for others",
          "[dropped-hints]") {
  CHECK(lose_home_beside_hints(VARTALAP_DROPPED_HINTS) > 0);
}
