// The commands beside `serve`: what an operator does to a node's data, and the
// client of the terminal.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace vartalap::integration;

namespace {

constexpr int backed_up = 20;

/// Messages to bob, who is away.
/// @returns Their serverIds, in order.
std::vector<std::string> leave_messages(chat_peer& sender) {
  std::vector<std::string> out;
  for (int i = 0; i < backed_up; ++i) {
    const auto id = "m" + std::to_string(i);
    sender.say({.id = id,
                .to = "bob",
                .text = std::to_string(i) + std::string(20'000, 'x')});
    out.push_back(sender.hear_answer(id).server_id);
  }
  return out;
}

/// Flips a bit in the middle of the file, within a message's text.
void damage(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const auto at = bytes.find(std::string(100, 'x'), bytes.size() / 2);
  REQUIRE(at != std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(at));
  file.put('x' ^ 1);
  REQUIRE(file.flush());
}

/// `vartalap chat` of a user whose state lies in the server's folder.
std::unique_ptr<command_process> chat(const server_process& server,
                                      const std::string& user,
                                      const std::string& to) {
  auto out = std::make_unique<command_process>(
    std::vector<std::string>{"chat", "--user", user, "--to", to, "--url",
                             "ws://127.0.0.1:" + std::to_string(server.port()),
                             "--state", server.folder() + "/state-" + user});
  out->lines_until("* connected");
  return out;
}

std::size_t count_with(const std::vector<std::string>& lines,
                       const std::string& part) {
  return static_cast<std::size_t>(
    std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return line.find(part) != std::string::npos;
    }));
}

} // namespace

TEST_CASE("a backup of a running node is whole, and serves in its place") {
  server_process server;
  const auto data = server.folder() + "/data";
  const auto copy = server.folder() + "/copy";
  chat_peer alice(server.port(), "alice");
  const auto server_ids = leave_messages(alice);
  const auto made = run_command({"backup", data, copy});
  INFO(made.output);
  REQUIRE(made.status == 0);
  // Not into the copy, nor hindered by it.
  alice.say({.id = "later", .to = "bob"});
  REQUIRE(alice.hear_answer("later").status == "stored");
  // A copy is never overwritten.
  CHECK(run_command({"backup", data, copy}).status == 2);
  const auto verified = run_command({"verify", copy});
  INFO(verified.output);
  CHECK(verified.status == 0);
  CHECK(verified.output.find(" 0 damaged") != std::string::npos);

  server.kill();
  std::filesystem::rename(data, server.folder() + "/before");
  std::filesystem::rename(copy, data);
  server.start();
  chat_peer bob(server.port(), "bob");
  for (int i = 0; i < backed_up; ++i) {
    const auto got = bob.hear_delivery("m" + std::to_string(i));
    CHECK(got.server_id == server_ids[static_cast<std::size_t>(i)]);
    bob.acknowledge({got.server_id});
  }
  chat_peer again(server.port(), "alice");
  again.say({.id = "new", .to = "bob"});
  bob.hear_delivery("new");
}

TEST_CASE("dump lists what a node keeps, alike for equal copies") {
  server_process server;
  const auto data = server.folder() + "/data";
  const auto copy = server.folder() + "/copy";
  chat_peer alice(server.port(), "alice");
  const auto server_ids = leave_messages(alice);
  REQUIRE(run_command({"backup", data, copy}).status == 0);
  const auto listed = run_command({"dump", copy});
  INFO(listed.output);
  REQUIRE(listed.status == 0);
  for (const auto& id : server_ids)
    CHECK(listed.output.find("\tbob\t" + id + "\t-\n") != std::string::npos);
  CHECK(listed.output.find("\talice\tdefault\n") != std::string::npos);
  server.kill();
  CHECK(run_command({"dump", data}).output == listed.output);
  CHECK(run_command({"dump", server.folder() + "/nothing"}).status == 2);
}

TEST_CASE("verify finds a flipped bit in a backup") {
  server_process server;
  const auto copy = server.folder() + "/copy";
  chat_peer alice(server.port(), "alice");
  leave_messages(alice);
  REQUIRE(run_command({"backup", server.folder() + "/data", copy}).status == 0);
  REQUIRE(run_command({"verify", copy}).status == 0);
  damage(copy + "/data.mdb");
  const auto verified = run_command({"verify", copy});
  INFO(verified.output);
  CHECK(verified.status == 1);
  CHECK(verified.output.find("damaged") != std::string::npos);
  CHECK(run_command({"verify", server.folder() + "/nothing"}).status == 2);
}

TEST_CASE("a chat that is killed shows what it missed, once") {
  server_process server;
  const auto alice = chat(server, "alice", "bob");
  auto bob = chat(server, "bob", "alice");
  alice->enter("the first");
  bob->lines_until("alice: the first");
  // The receipt: bob has noted it and will not show it again.
  alice->lines_until("the first  ✓✓");
  bob->enter("an answer");
  alice->lines_until("bob: an answer");

  bob->kill();
  alice->enter("the second");
  alice->lines_until("the second  ✓");
  bob = chat(server, "bob", "alice");
  auto shown = bob->lines_until("alice: the second");
  alice->lines_until("the second  ✓✓");
  alice->enter("the third");
  const auto more = bob->lines_until("alice: the third");
  shown.insert(shown.end(), more.begin(), more.end());
  CHECK(count_with(shown, "the second") == 1);
  CHECK(count_with(shown, "the first") == 0);

  for (const auto& one : {alice.get(), bob.get()}) {
    one->end_input();
    REQUIRE(one->ended_within(patience));
    CHECK(one->status() == 0);
  }
}

TEST_CASE("a chat does not show again what comes again") {
  server_process server;
  const auto data = server.folder() + "/data";
  const auto copy = server.folder() + "/copy";
  chat(server, "bob", "alice"); // to be known, and gone
  {
    chat_peer alice(server.port(), "alice");
    alice.say({.id = "m1", .to = "bob", .text = "the first"});
    REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  }
  REQUIRE(run_command({"backup", data, copy}).status == 0);
  {
    const auto bob = chat(server, "bob", "alice");
    bob->lines_until("alice: the first");
    REQUIRE(comes_true([&] { return pending_of(server, "bob") == "0"; }));
  }

  // A node that does not know that bob has it.
  server.kill();
  std::filesystem::remove_all(data);
  std::filesystem::rename(copy, data);
  server.start();
  REQUIRE(pending_of(server, "bob") == "1");
  const auto bob = chat(server, "bob", "alice");
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "m2", .to = "bob", .text = "the second"});
  const auto shown = bob->lines_until("alice: the second");
  CHECK(count_with(shown, "the first") == 0);
  CHECK(comes_true([&] { return pending_of(server, "bob") == "0"; }));
}

TEST_CASE("a chat sends what it could not send before it was killed") {
  server_process server;
  auto alice = chat(server, "alice", "bob");
  alice->enter("to be known");
  alice->lines_until("to be known  ✓");
  server.kill();
  alice->lines_until("* connection lost");
  alice->enter("while nobody listens");
  alice->lines_until("while nobody listens");
  alice->kill();
  server.start();
  alice = chat(server, "alice", "bob");
  alice->lines_until("while nobody listens  ✓");
  chat_peer bob(server.port(), "bob");
  CHECK(json_at(bob.hear().body, "/text") == "to be known");
  CHECK(json_at(bob.hear().body, "/text") == "while nobody listens");
}
