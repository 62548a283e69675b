// Limits and modes of storage: what a full map refuses, what relaxed mode
// promises.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace vartalap::integration;

namespace {

/// A map that is full soon, and nothing that refuses before it is.
const server_settings small_map{
  {"storage.max_bytes", "\"16MiB\""},
  {"storage.journal_bytes", "\"8MiB\""},
  {"limits.mailbox_messages", "0"},
  {"limits.mailbox_bytes", "0"},
  {"limits.pending_per_sender", "0"},
  // What online users say to each other must need no disk.
  {"delivery.spill_after", "\"1m\""},
  {"delivery.spill_max", "\"1m\""},
};

constexpr int recipients = 8;

/// What one filling says: messages of this many bytes, so many at once.
struct filling {
  std::size_t bytes;
  int burst;
  int messages_max; ///< more than the map could hold
};

/// Message `n`: a content of its own, since equal ones are stored once.
said message(int n, const filling& how) {
  return {.id = "m" + std::to_string(n),
          .to = "away" + std::to_string(n % recipients),
          .text = std::to_string(n) + std::string(how.bytes, 'x')};
}

/// Messages by recipient, in order.
using messages = std::map<std::string, std::vector<std::string>>;

/// Says messages until one is refused.
/// @returns The first that was, and to `confirmed` those that were not.
std::optional<said> fill(chat_peer& sender, const filling& how,
                         messages& confirmed) {
  std::optional<said> refused;
  for (int n = 0; n < how.messages_max && !refused; n += how.burst) {
    std::string burst;
    for (int i = n; i < n + how.burst; ++i)
      burst += make_frame(opcode::text, encode(sender.how, message(i, how)));
    sender.ws.send_raw(burst);
    for (int i = n; i < n + how.burst; ++i) {
      // Several mailboxes confirm, each in its order.
      const auto answer = sender.hear();
      const auto number = std::stoi(answer.id.substr(1));
      const auto what = message(number, how);
      if (answer.kind == heard::what::server_ack) {
        confirmed[what.to].push_back(what.id);
        continue;
      }
      REQUIRE(answer.code == "unavailable");
      if (!refused)
        refused = what;
    }
  }
  return refused;
}

} // namespace

TEST_CASE("relaxed durability confirms what is written, and keeps it") {
  server_process server(server_settings{{"storage.durability", "\"relaxed\""}});
  {
    chat_peer alice(server.port(), "alice");
    chat_peer anna(server.port(), "anna", speech::msgpack);
    for (auto* sender : {&alice, &anna}) {
      sender->say({.id = "m1", .to = "bob"});
      const auto ack = sender->hear_answer("m1");
      CHECK(ack.status == "stored");
      CHECK(ack.durability == "written");
    }
  }
  server.kill();
  server.start();
  chat_peer bob(server.port(), "bob");
  CHECK(bob.hear_delivery("m1").from == "alice");
  CHECK(bob.hear_delivery("m1").from == "anna");
}

TEST_CASE("a full map refuses messages, delivers, and takes them again") {
  const auto how
    = GENERATE(filling{30'000, 1, 1000}, filling{200, 200, 200'000});
  const bool restarts = GENERATE(false, true);
  server_process server(small_map);
  std::optional<bystanders> others(std::in_place, server.port());
  others->talk();
  std::optional<chat_peer> alice(std::in_place, server.port(), "alice");
  messages confirmed;
  const auto refused = fill(*alice, how, confirmed);
  REQUIRE(refused);
  REQUIRE(confirmed.size() == recipients);
  const auto page = admin(server, "/readyz");
  CHECK(page.status == 503);
  CHECK(page.body.find("full") != std::string::npos);
  CHECK(metric(server, "ready") == 0);
  CHECK(metric(server, "storage_accepting") == 0);
  CHECK(metric(server, "storage_failed") == 0);
  if (restarts) {
    server.kill();
    server.start(server_process::binary(), "/healthz");
    CHECK(admin(server, "/readyz").status == 503);
    others.emplace(server.port());
    alice.emplace(server.port(), "alice");
  }
  others->talk();
  for (const auto& [user, ids] : confirmed) {
    chat_peer recipient(server.port(), user);
    for (const auto& id : ids)
      recipient.acknowledge({recipient.hear_delivery(id).server_id});
    REQUIRE(comes_true([&] { return pending_of(server, user) == "0"; }));
  }
  CHECK(comes_true([&] { return admin(server, "/readyz").status == 200; }));
  CHECK(metric(server, "storage_accepting") == 1);
  alice->say(*refused);
  REQUIRE(alice->hear_answer(refused->id).kind == heard::what::server_ack);
  chat_peer recipient(server.port(), refused->to);
  recipient.hear_delivery(refused->id);
  server.kill();
  const auto verified = run_command({"verify", server.folder() + "/data"});
  INFO(verified.output);
  CHECK(verified.status == 0);
}
