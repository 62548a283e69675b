// Clients that take what they do not give back: readers that do not read,
// silence, floods, file descriptors.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace vartalap::integration;

namespace {

constexpr std::size_t MiB = 1024 * 1024;

} // namespace

TEST_CASE("a reader that never reads is closed with 1013 and loses nothing") {
  server_process server({{"limits.output_bytes", "\"400KiB\""},
                         {"limits.write_timeout", "\"500ms\""},
                         {"limits.pending_per_sender", "0"},
                         {"limits.mailbox_messages", "0"},
                         {"delivery.window", "100000"},
                         {"delivery.window_bytes", "\"64KiB\""}});
  bystanders others(server.port());
  others.talk();
  chat_peer deaf(server.port(), "deaf", speech::json, "client_ack=true", 4096);
  chat_peer alice(server.port(), "alice");
  const auto before = server.memory();
  // Ephemeral ones have no window: they fill what there is.
  int n = 0;
  const std::string filling(16 * 1024, 'x');
  const auto say = [&](bool ephemeral) {
    const auto id = "m" + std::to_string(++n);
    alice.say(
      {.id = id, .to = "deaf", .text = filling, .ephemeral = ephemeral});
    REQUIRE(alice.hear_answer(id).kind == heard::what::server_ack);
  };
  for (int i = 0; i < 20; ++i)
    say(false);
  for (int i = 0; i < 400; ++i) {
    say(true);
    if (i % 50 == 0)
      others.talk();
  }
  const auto end = deaf.ws.wait_end();
  CHECK((end.code == 1013 || end.code == 0));
  CHECK(pending_of(server, "deaf") == "20");
  CHECK(server.memory() < before + 32 * MiB);
  others.talk();
  chat_peer healed(server.port(), "deaf");
  for (int i = 1; i <= 20; ++i) {
    const auto got = healed.hear_delivery("m" + std::to_string(i));
    healed.acknowledge({got.server_id});
  }
}

TEST_CASE("a reader that stalls while nothing more is sent to it is closed") {
  server_process server({{"limits.write_timeout", "\"500ms\""},
                         {"delivery.ack_timeout", "\"1m\""},
                         {"limits.output_bytes", "\"8MiB\""},
                         {"delivery.window_bytes", "\"4MiB\""},
                         {"delivery.window", "1000"},
                         {"limits.memory_bytes", "\"8MiB\""}});
  chat_peer alice(server.port(), "alice");
  chat_peer deaf(server.port(), "deaf", speech::json, "client_ack=true", 4096);
  constexpr int count = 100; // 5 MB: more than the kernel buffers
  for (int i = 0; i < count; ++i) {
    const auto id = "m" + std::to_string(i);
    alice.say({.id = id, .to = "deaf", .text = std::string(50'000, 'x')});
    alice.hear_answer(id);
  }
  const auto until = clock::now() + patience;
  const auto is_connected = [&server] {
    return json_at(http(server.admin_port(), {.path = "/users/deaf"}).body,
                   "/connections")
           != "0";
  };
  while (is_connected() && clock::now() < until) {
  }
  CHECK_FALSE(is_connected());
  CHECK(pending_of(server, "deaf") == std::to_string(count));
}

TEST_CASE("a flood of pings is closed with 4029") {
  server_process server;
  bystanders others(server.port());
  others.talk();
  chat_peer mallory(server.port(), "mallory");
  std::string flood;
  for (int i = 0; i < 2000; ++i)
    flood += make_frame(opcode::ping, "x");
  mallory.ws.send_raw(flood);
  others.talk();
  const auto end = mallory.ws.wait_end();
  CHECK(end.code == 4029);
  CHECK(end.reason.find("retry_after_ms=") != std::string::npos);
  others.talk();
}

TEST_CASE("pings below the limit are answered") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  for (int i = 0; i < 10; ++i) {
    alice.ws.send(std::to_string(i), opcode::ping);
    const auto frame = alice.ws.next();
    REQUIRE(frame);
    CHECK(frame->opcode == opcode::pong);
    CHECK(frame->payload == std::to_string(i));
  }
}

TEST_CASE("a silent connection is pinged, and closed after twice the time") {
  server_process server(server_settings{{"limits.ping_interval", "\"250ms\""}});
  ws_peer silent(server.port(), {.user = "silent"});
  silent.answers_pings = false;
  const auto begin = clock::now();
  const auto frame = silent.next();
  REQUIRE(frame);
  CHECK(frame->opcode == opcode::ping);
  CHECK(clock::now() - begin >= milliseconds{200});
  CHECK(silent.wait_end().code == 0);
  CHECK(clock::now() - begin >= milliseconds{450});
  CHECK(clock::now() - begin < milliseconds{3000});
}

TEST_CASE("a connection that answers pings stays") {
  server_process server(server_settings{{"limits.ping_interval", "\"100ms\""}});
  chat_peer alice(server.port(), "alice");
  for (int i = 0; i < 8; ++i) {
    const auto frame = alice.ws.next();
    REQUIRE(frame);
    CHECK(frame->opcode == opcode::ping);
  }
  alice.ws.send("ping");
  CHECK(alice.ws.next_message() == "pong");
}

/// So few that connections run out of them before the limit on connections.
constexpr unsigned files_max = 40;

TEST_CASE("a node out of file descriptors keeps its clients and recovers") {
  server_process server({{"limits.handshake_timeout", "\"10m\""},
                         {"limits.max_connections", "100000"}},
                        files_max);
  bystanders others(server.port());
  others.talk();
  {
    std::vector<tcp_stream> hoard;
    for (int i = 0; i < 200; ++i)
      hoard.emplace_back(server.port());
    for (int i = 0; i < 5; ++i)
      others.talk();
    CHECK(server.is_running());
  }
  // Those that it took are gone: there is room again.
  const auto until = clock::now() + patience;
  unsigned status = 0;
  while (status != 401 && clock::now() < until) {
    try {
      status = http(server.port(), {.path = "/v1.0/auth"}).status;
    } catch (const std::runtime_error&) {
      status = 0;
    }
  }
  CHECK(status == 401);
  others.talk();
  const auto metrics = http(server.admin_port(), {.path = "/metrics"}).body;
  const std::string refused
    = R"(vartalap_connections_refused_total{reason="files"} )";
  const auto at = metrics.find(refused);
  REQUIRE(at != std::string::npos);
  CHECK(std::stod(metrics.substr(at + refused.size())) > 0);
}

TEST_CASE("connections that come and go in numbers leave nothing behind") {
  server_process server(
    server_settings{{"limits.max_connections_per_address", "0"}});
  bystanders others(server.port());
  others.talk();
  const auto storm = [&server] {
    std::vector<ws_peer> peers;
    for (int i = 0; i < 200; ++i)
      peers.emplace_back(server.port(),
                         ws_options{.user = "u" + std::to_string(i)});
  };
  storm();
  const auto files = server.open_files();
  const auto memory = server.memory();
  for (int i = 0; i < 3; ++i) {
    storm();
    others.talk();
  }
  const auto until = clock::now() + patience;
  while (server.open_files() > files && clock::now() < until)
    others.talk();
  CHECK(server.open_files() <= files);
  CHECK(server.memory() < memory + 16 * MiB);
}
