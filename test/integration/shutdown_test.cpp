#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace vartalap::integration;

namespace {

/// Says messages to `to` until the connection ends, and notes which were
/// confirmed.
std::set<std::string> say_until_end(chat_peer& who, const std::string& to,
                                    std::atomic<int>& confirmed_by_all) {
  std::set<std::string> confirmed;
  int said = 0;
  int open = 0;
  for (;;) {
    while (open < 32) {
      if (!who.say({.id = who.user + std::to_string(said), .to = to}))
        return confirmed;
      ++said;
      ++open;
    }
    const auto frame = who.ws.next();
    if (!frame || frame->opcode == opcode::close)
      return confirmed;
    if (frame->opcode != opcode::text)
      continue;
    const auto got = decode_json(frame->payload);
    --open;
    if (got.kind == heard::what::server_ack) {
      confirmed.insert(got.id);
      ++confirmed_by_all;
    }
  }
}

/// All that waits for a user, acknowledged page by page.
std::set<std::string> fetch_all(const server_process& server,
                                const std::string& user) {
  std::set<std::string> out;
  std::string acks;
  for (;;) {
    const auto answer = http(
      server.port(), {.method = "POST",
                      .path = "/sync",
                      .user = user,
                      .body = "{\"acks\":[" + acks + "],\"limit\":1000}"});
    const auto page = json_list(answer.body, "/messages");
    if (page.empty())
      return out;
    acks.clear();
    for (const auto& text : page) {
      const auto got = decode_json(text);
      out.insert(got.id);
      acks += (acks.empty() ? "" : ",") + json_string(got.server_id);
    }
  }
}

const server_settings unbounded{
  {"limits.mailbox_messages", "0"},
  {"limits.mailbox_bytes", "0"},
  {"limits.pending_per_sender", "0"},
};

/// Ends the node by `end` while several senders are at work, and checks that
/// everything that was confirmed is there after a new start.
void check_end_under_load(server_process& server,
                          const std::function<void()>& end) {
  constexpr std::size_t senders = 4;
  std::atomic<int> confirmed_by_all{0};
  std::vector<std::unique_ptr<chat_peer>> peers;
  std::vector<std::set<std::string>> confirmed(senders);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < senders; ++i)
    peers.push_back(std::make_unique<chat_peer>(server.port(),
                                                "s" + std::to_string(i) + '-'));
  for (std::size_t i = 0; i < senders; ++i)
    threads.emplace_back([&, i] {
      confirmed[i] = say_until_end(*peers[i], "bob", confirmed_by_all);
    });
  const auto until = clock::now() + patience;
  while (confirmed_by_all < 500 && clock::now() < until)
    std::this_thread::yield();
  end();
  for (auto& one : threads)
    one.join();
  REQUIRE(confirmed_by_all >= 500);
  REQUIRE_FALSE(server.is_running());
  server.start();
  const auto found = fetch_all(server, "bob");
  for (const auto& one : confirmed)
    for (const auto& id : one) {
      INFO(id);
      REQUIRE(found.count(id) == 1);
    }
}

} // namespace

TEST_CASE("SIGTERM under load ends the node in order and loses nothing") {
  server_process server(unbounded);
  check_end_under_load(server, [&server] {
    server.signal(SIGTERM);
    REQUIRE(server.ended_within(milliseconds{10'000}));
    CHECK(server.status() == 0);
  });
}

TEST_CASE("SIGKILL under load loses nothing that was confirmed") {
  server_process server(unbounded);
  check_end_under_load(server, [&server] { server.kill(); });
}

TEST_CASE("SIGINT ends the node as SIGTERM does") {
  server_process server;
  bystanders others(server.port());
  others.talk();
  server.signal(SIGINT);
  REQUIRE(server.ended_within(patience));
  CHECK(server.status() == 0);
}

TEST_CASE("SIGTERM tells clients when to come back") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  alice.ws.send("ping");
  CHECK(alice.ws.next_message() == "pong");
  server.signal(SIGTERM);
  const auto end = alice.ws.wait_end();
  CHECK(end.code == 1001);
  CHECK(end.reason.find("retry_after_ms=") != std::string::npos);
  REQUIRE(server.ended_within(patience));
  CHECK(server.status() == 0);
}

TEST_CASE("a client that never reads does not hold the end up") {
  server_process server;
  chat_peer deaf(server.port(), "deaf", speech::json, "client_ack=true", 4096);
  chat_peer alice(server.port(), "alice");
  for (int i = 0; i < 20; ++i) {
    const auto id = "m" + std::to_string(i);
    alice.say({.id = id, .to = "deaf", .text = std::string(60'000, 'x')});
    alice.hear_answer(id);
  }
  server.signal(SIGTERM);
  REQUIRE(server.ended_within(milliseconds{15'000}));
  CHECK(server.status() == 0);
  server.start();
  CHECK(fetch_all(server, "deaf").size() == 20);
}

TEST_CASE("half-open requests do not hold the end up") {
  server_process server;
  tcp_stream silent(server.port());
  tcp_stream slow(server.port());
  slow.send("GET / HTTP/1.1\r\n");
  server.signal(SIGTERM);
  REQUIRE(server.ended_within(milliseconds{15'000}));
  CHECK(server.status() == 0);
}

TEST_CASE("a second SIGTERM ends the node at once, and nothing is lost") {
  server_process server(unbounded);
  chat_peer deaf(server.port(), "deaf", speech::json, "client_ack=true", 4096);
  chat_peer alice(server.port(), "alice");
  std::size_t confirmed = 0;
  for (int i = 0; i < 50; ++i) {
    const auto id = "m" + std::to_string(i);
    alice.say({.id = id, .to = "deaf", .text = std::string(60'000, 'x')});
    if (alice.hear_answer(id).kind == heard::what::server_ack)
      ++confirmed;
  }
  server.signal(SIGTERM);
  CHECK(alice.ws.wait_end().code == 1001);
  server.signal(SIGTERM);
  REQUIRE(server.ended_within(milliseconds{2000}));
  server.start();
  CHECK(fetch_all(server, "deaf").size() == confirmed);
}

TEST_CASE("a node that is going away is not ready and takes nobody") {
  server_process server;
  chat_peer deaf(server.port(), "deaf", speech::json, "client_ack=true", 4096);
  deaf.ws.answers_pings = false;
  server.signal(SIGTERM);
  // `deaf` does not answer the close frame: the node is still there.
  const auto until = clock::now() + patience;
  bool refused = false;
  while (!refused && clock::now() < until) {
    try {
      refused = http(server.admin_port(), {.path = "/readyz"}).status != 200;
    } catch (const std::runtime_error&) {
      refused = true;
    }
  }
  CHECK(refused);
  std::optional<ws_peer> late;
  try {
    late.emplace(server.port(), ws_options{.user = "late"});
  } catch (const std::runtime_error&) {
    // Refused: as good as closed.
  }
  if (late)
    CHECK(late->wait_end().code == 1001);
  REQUIRE(server.ended_within(milliseconds{15'000}));
  CHECK(server.status() == 0);
}

TEST_CASE("a second node on the same data or port says what to do") {
  server_process server;
  const auto command = "\"" + server_process::binary() + "\" serve --config "
                       + server.folder() + "/cluster.toml >" + server.folder()
                       + "/second 2>&1";
  const auto status = std::system(command.c_str());
  CHECK(status != 0);
  CHECK(server.is_running());
  bystanders others(server.port());
  others.talk();
}
