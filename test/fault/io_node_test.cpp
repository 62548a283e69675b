// A node whose disk fails while messages are stored: what it confirmed before
// is there when it starts again on a disk that works.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace vartalap::integration;

namespace {

constexpr int confirmed = 5;
constexpr int io_error = 70;

/// Says a message to bob. @returns The code of the ERROR that came, "none"
/// where the connection ended first, "confirmed" where it was taken.
std::string say_into_fault(chat_peer& sender, const std::string& id) {
  try {
    sender.say({.id = id, .to = "bob"});
    const auto answer = sender.hear_answer(id);
    return answer.kind == heard::what::error ? answer.code : "confirmed";
  } catch (const std::runtime_error&) {
    return "none";
  }
}

/// From the next write or sync of data.mdb on: the `nth` fails.
void order_fault(const server_process& server, int nth, bool and_all_after) {
  // Complete when it appears.
  const auto orders = server.folder() + "/data/io_orders";
  std::ofstream(orders + ".new") << nth << (and_all_after ? " 1" : " 0");
  std::filesystem::rename(orders + ".new", orders);
}

} // namespace

TEST_CASE("a node whose disk fails exits with 70 and keeps its promises") {
  // A commit writes its pages, syncs, and writes the page that makes it count.
  const auto nth = GENERATE(1, 2, 3);
  const bool and_all_after = GENERATE(false, true);
  INFO("call " << nth << (and_all_after ? " and all after it" : ""));
  server_process server;
  server.kill();
  server.start(VARTALAP_FAILING_DISK);
  {
    chat_peer alice(server.port(), "alice");
    for (int i = 0; i < confirmed; ++i) {
      const auto id = "m" + std::to_string(i);
      alice.say({.id = id, .to = "bob"});
      REQUIRE(alice.hear_answer(id).durability == "disk");
    }
    order_fault(server, nth, and_all_after);
    const auto answer = say_into_fault(alice, "lost");
    CHECK((answer == "unavailable" || answer == "none"));
    REQUIRE(server.ended_within(patience));
    CHECK(server.status() == io_error);
  }
  CHECK(std::filesystem::exists(server.folder() + "/data/suspect"));
  server.start();
  // The log has a thread of its own: the line may come after the port.
  CHECK(comes_true([&] {
    return server.log().find("verified: 0 damaged") != std::string::npos;
  }));
  chat_peer bob(server.port(), "bob");
  for (int i = 0; i < confirmed; ++i)
    bob.acknowledge({bob.hear_delivery("m" + std::to_string(i)).server_id});
  // What was not confirmed is said again, and there once.
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "lost", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("lost").server_id});
  REQUIRE(alice.hear_answer("lost").kind == heard::what::server_ack);
  alice.say({.id = "next", .to = "bob"});
  bob.hear_delivery("next");
}
