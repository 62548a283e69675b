// Limits that cluster.toml sets: how long messages wait, who may connect and
// how often.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <stdexcept>
#include <string>

using namespace vartalap::integration;

namespace {

/// The clock of the server may be a little coarser than the test's.
constexpr milliseconds a_second{990};

/// What a client of this address sends through a proxy.
ws_options by_proxy(const std::string& user, const std::string& forwarded) {
  return {.user = user, .headers = {"X-Forwarded-For: " + forwarded}};
}

/// True where the node takes such a connection now.
bool is_taken(std::uint16_t port, const ws_options& options) {
  try {
    ws_peer peer(port, options);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

/// True where the connection is closed without a byte.
bool is_closed_silently(std::uint16_t port, const ws_options& options) {
  tcp_stream stream(port);
  stream.send(upgrade_request(port, options));
  std::string answer;
  return stream.receive(answer) == tcp_stream::got::end && answer.empty();
}

} // namespace

TEST_CASE("a message that nobody fetched within ttl is gone") {
  const auto settle_after = GENERATE(as<std::string>{}, "\"0s\"", "\"1m\"");
  server_process server({{"delivery.ttl", "\"1s\""},
                         {"delivery.ack_timeout", "\"100ms\""},
                         {"storage.settle_after", settle_after},
                         {"storage.sweep_interval", "\"20ms\""}});
  chat_peer alice(server.port(), "alice");
  const auto begin = clock::now();
  alice.say({.id = "m1", .to = "bob"});
  REQUIRE(alice.hear_answer("m1").status == "stored");
  REQUIRE(comes_true([&server] {
    return metric(server, "storage_expired_total") == 1
           && metric(server, "mailbox_expired_total") == 1;
  }));
  CHECK(clock::now() - begin >= a_second);
  CHECK(pending_of(server, "bob") == "0");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m2", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("m2").server_id});
  REQUIRE(alice.hear_answer("m2").kind == heard::what::server_ack);
}

TEST_CASE("a device unseen for device_idle makes room and is told of the gap") {
  const bool restarts = GENERATE(false, true);
  server_process server(
    {{"delivery.device_idle", "\"1s\""}, {"limits.mailbox_messages", "2"}});
  std::optional<chat_peer> alice(std::in_place, server.port(), "alice");
  const auto begin = [&] {
    chat_peer bob(server.port(), "bob");
    alice->say({.id = "m0", .to = "bob"});
    bob.acknowledge({bob.hear_delivery("m0").server_id});
    REQUIRE(alice->hear_answer("m0").kind == heard::what::server_ack);
    return clock::now();
  }();
  for (const auto* id : {"m1", "m2"}) {
    alice->say({.id = id, .to = "bob"});
    REQUIRE(alice->hear_answer(id).kind == heard::what::server_ack);
  }
  // Refused while the device may still come back for the first two.
  REQUIRE(comes_true([&alice] {
    alice->say({.id = "m3", .to = "bob"});
    const auto answer = alice->hear_answer("m3");
    CHECK((answer.status == "stored" || answer.code == "mailbox_full"));
    return answer.kind == heard::what::server_ack;
  }));
  CHECK(clock::now() - begin >= a_second);
  if (restarts) {
    server.kill();
    server.start();
    alice.emplace(server.port(), "alice");
  }
  {
    chat_peer bob(server.port(), "bob");
    const auto gap = bob.hear();
    CHECK(gap.kind == heard::what::delivery);
    CHECK(gap.from == "server");
    CHECK(json_at(gap.raw, "/head/contentType") == "NOTIFICATION");
    CHECK(json_at(gap.raw, "/head/action") == "gap");
    CHECK(gap.body == R"({"count":2})");
    bob.acknowledge({bob.hear_delivery("m3").server_id});
    REQUIRE(comes_true([&] { return pending_of(server, "bob") == "0"; }));
  }
  // It is told once.
  chat_peer bob(server.port(), "bob");
  alice->say({.id = "m4", .to = "bob"});
  bob.hear_delivery("m4");
}

TEST_CASE("a connection over max_connections is closed without an answer") {
  server_process server(server_settings{{"limits.max_connections", "3"}});
  const std::string refused = R"(connections_refused_total{reason="total"})";
  bystanders others(server.port());
  std::optional<chat_peer> third(std::in_place, server.port(), "third");
  CHECK(metric(server, refused) == 0);
  CHECK(is_closed_silently(server.port(), {.user = "late"}));
  CHECK(metric(server, refused) == 1);
  others.talk();
  third->ws.send("ping");
  CHECK(third->ws.next_message() == "pong");
  third.reset();
  CHECK(comes_true([&] { return is_taken(server.port(), {.user = "late"}); }));
  others.talk();
}

TEST_CASE("connections over max_connections_per_address are closed alike") {
  // Not a trusted proxy: what it says of its clients is not believed.
  server_process server(
    server_settings{{"limits.max_connections_per_address", "2"}});
  ws_peer one(server.port(), by_proxy("one", "198.51.100.1"));
  std::optional<ws_peer> two(std::in_place, server.port(),
                             by_proxy("two", "198.51.100.2"));
  const auto three = by_proxy("three", "198.51.100.3");
  CHECK(is_closed_silently(server.port(), three));
  CHECK(metric(server, R"(connections_refused_total{reason="address"})") == 1);
  one.send("ping");
  CHECK(one.next_message() == "pong");
  two.reset();
  CHECK(comes_true([&] { return is_taken(server.port(), three); }));
}

TEST_CASE("clients of a trusted proxy are counted by what it wrote last") {
  server_process server({{"limits.trusted_proxies", "[\"127.0.0.1\"]"},
                         {"limits.max_connections_per_address", "2"}});
  const auto port = server.port();
  std::optional<ws_peer> one(std::in_place, port,
                             by_proxy("one", "198.51.100.1"));
  // What stands before the last entry comes from the client.
  ws_peer two(port, by_proxy("two", "203.0.113.2, 198.51.100.1"));
  const auto three = by_proxy("three", "203.0.113.3,198.51.100.1");
  const auto refused = raw_http(port, upgrade_request(port, three));
  CHECK(refused.status == 429);
  CHECK(json_at(refused.body, "/code") == "rate_limited");
  const auto metric_name = R"(connections_refused_total{reason="address"})";
  CHECK(metric(server, metric_name) == 1);
  ws_peer other(port, by_proxy("other", "198.51.100.1, 198.51.100.2"));
  for (auto* peer : {&two, &other}) {
    peer->send("ping");
    CHECK(peer->next_message() == "pong");
  }
  // Over HTTP too.
  const http_question ask{.path = "/v1.0/auth",
                          .user = "three",
                          .headers = {"X-Forwarded-For: 198.51.100.1"}};
  CHECK(http(port, ask).status == 429);
  one.reset();
  CHECK(comes_true([&] { return is_taken(port, three); }));
}

TEST_CASE("a node for known users refuses messages to one it never saw") {
  server_process server(
    server_settings{{"delivery.accept_unknown_users", "false"}});
  const auto device_of = [&server](const std::string& user) {
    return json_at(admin(server, "/users/" + user).body, "/devices/0/device");
  };
  std::optional<chat_peer> alice(std::in_place, server.port(), "alice");
  for (const bool ephemeral : {false, true}) {
    alice->say({.id = "m0", .to = "bob", .ephemeral = ephemeral});
    REQUIRE(alice->hear_answer("m0").code == "forbidden");
  }
  CHECK(pending_of(server, "bob") == "0");
  {
    const chat_peer bob(server.port(), "bob");
    REQUIRE(comes_true([&] { return device_of("bob") == "default"; }));
  }
  alice->say({.id = "m1", .to = "bob"});
  REQUIRE(alice->hear_answer("m1").kind == heard::what::server_ack);
  server.kill();
  server.start();
  alice.emplace(server.port(), "alice");
  alice->say({.id = "m2", .to = "bob"});
  REQUIRE(alice->hear_answer("m2").kind == heard::what::server_ack);
  chat_peer bob(server.port(), "bob");
  bob.hear_delivery("m1");
  bob.hear_delivery("m2");
}
