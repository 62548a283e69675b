// HTTP requests that no client should send, upgrades among them.

#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace vartalap::integration;

namespace {

constexpr std::size_t MiB = 1024 * 1024;

struct bad_request {
  const char* what;
  std::string bytes;
  unsigned status;
};

std::string upgrade(std::uint16_t port, ws_options options) {
  return upgrade_request(port, options);
}

std::vector<bad_request> bad_upgrades(std::uint16_t port) {
  const auto good = upgrade(port, {.user = "alice"});
  auto no_key = good;
  no_key.replace(no_key.find("Sec-WebSocket-Key"), 17, "X-No-Such-Header-");
  auto old_version = good;
  old_version.replace(old_version.find("Version: 13"), 11, "Version: 12");
  return {
    {"no credential", upgrade(port, {}), 401},
    {"a name that nobody may have", upgrade(port, {.user = "server"}), 401},
    {"a foreign Origin",
     upgrade(port,
             {.user = "alice", .headers = {"Origin: https://evil.example"}}),
     403},
    {"another port's Origin",
     upgrade(port,
             {.user = "alice", .headers = {"Origin: http://127.0.0.1:1"}}),
     403},
    {"the Origin null",
     upgrade(port, {.user = "alice", .headers = {"Origin: null"}}), 403},
    {"a wrong path", upgrade(port, {.user = "alice", .path = "/v1.0/socket"}),
     404},
    {"bytes after the request", good + "early", 400},
    {"a device's name with a slash",
     upgrade(port, {.user = "alice", .query = "device=a/b"}), 400},
    {"a broken escape", upgrade(port, {.user = "alice", .query = "device=%zz"}),
     400},
    {"a NUL in the query",
     upgrade(port, {.user = "alice", .query = "device=a%00b"}), 400},
    {"an ack that is neither true nor false",
     upgrade(port, {.user = "alice", .query = "ack=maybe"}), 400},
    {"a format that is none",
     upgrade(port, {.user = "alice", .query = "format=xml"}), 400},
    {"two Hosts", upgrade(port, {.user = "alice", .headers = {"Host: other"}}),
     400},
    {"a body",
     upgrade(port, {.user = "alice", .headers = {"Content-Length: 5"}}), 400},
    {"a body in chunks",
     upgrade(port,
             {.user = "alice", .headers = {"Transfer-Encoding: chunked"}}),
     400},
    {"no key", no_key, 400},
    {"an old version of the protocol", old_version, 426},
  };
}

std::vector<bad_request> bad_requests() {
  const std::string get = "GET /v1.0/profile/ HTTP/1.1\r\n";
  const std::string post = "POST /v1.0/messages HTTP/1.1\r\n";
  const std::string host = "Host: x\r\nuser: alice\r\n";
  const std::string length = "Content-Length: 2\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  return {
    {"no Host", get + "user: alice\r\n\r\n", 400},
    {"two Hosts", get + host + "Host: y\r\n\r\n", 400},
    {"Content-Length with Transfer-Encoding",
     post + host + length + chunked + "\r\n0\r\n\r\n", 400},
    {"Transfer-Encoding with Content-Length",
     post + host + chunked + length + "\r\n0\r\n\r\n", 400},
    {"two Content-Lengths", post + host + length + length + "\r\n[]", 400},
    {"a Content-Length that is no number",
     post + host + "Content-Length: two\r\n\r\n[]", 400},
    {"a negative Content-Length", post + host + "Content-Length: -2\r\n\r\n[]",
     400},
    {"headers over 8 KiB",
     get + host + "X: " + std::string(9000, 'x') + "\r\n\r\n", 431},
    {"a thousand headers",
     get + host +
       [] {
         std::string many;
         for (int i = 0; i < 1000; ++i)
           many += "X-" + std::to_string(i) + ": y\r\n";
         return many;
       }()
       + "\r\n",
     431},
    {"a body over 4 MiB", post + host + "Content-Length: 5000000\r\n\r\n", 413},
    {"a line that is not HTTP", "hello\r\n\r\n", 400},
    {"a header without a colon", get + host + "nonsense\r\n\r\n", 400},
    {"a path outside of the folder",
     "GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 404},
    {"an escaped path outside of the folder",
     "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + host + "\r\n", 404},
    {"a method that the call does not take",
     "DELETE /v1.0/messages HTTP/1.1\r\n" + host + "\r\n", 405},
    {"no credential", "GET /v1.0/messages HTTP/1.1\r\nHost: x\r\n\r\n", 401},
    {"a foreign Origin", get + host + "Origin: https://evil.example\r\n\r\n",
     403},
  };
}

void check_all(server_process& server, const std::vector<bad_request>& cases) {
  bystanders others(server.port());
  others.talk();
  const auto before = server.memory();
  for (const auto& one : cases) {
    INFO(one.what);
    const auto answer = raw_http(server.port(), one.bytes);
    CHECK(answer.status == one.status);
    if (answer.status >= 400)
      CHECK(json_at(answer.body, "/statusCode")
            == std::to_string(answer.status));
    others.talk();
  }
  CHECK(server.memory() < before + 24 * MiB);
  CHECK(server.is_running());
}

} // namespace

TEST_CASE("an upgrade that is not allowed is refused before it happens") {
  server_process server;
  check_all(server, bad_upgrades(server.port()));
}

TEST_CASE("an HTTP request that is not as it should be is refused") {
  server_process server;
  check_all(server, bad_requests());
}

TEST_CASE("an Origin that is allowed, or the listener's own, may connect") {
  server_process server(
    server_settings{{"auth.allowed_origins", "[\"https://chat.example\"]"}});
  const auto own = "Origin: http://127.0.0.1:" + std::to_string(server.port());
  for (const auto& origin : {own, std::string("Origin: https://chat.example")})
    CHECK_NOTHROW(
      ws_peer(server.port(), {.user = "alice", .headers = {origin}}));
}

TEST_CASE("credentials are taken from header, query and cookie") {
  server_process server;
  int n = 0;
  const auto user_of = [&](const ws_options& options) {
    const auto id = "m" + std::to_string(++n);
    ws_peer peer(server.port(), options);
    chat_peer bob(server.port(), "bob");
    peer.send(encode(speech::json, {.id = id, .to = "bob"}));
    const auto got = bob.hear_delivery(id);
    bob.acknowledge({got.server_id});
    return got.from;
  };
  CHECK(user_of({.user = "by-header"}) == "by-header");
  CHECK(user_of({.query = "user=by-query"}) == "by-query");
  CHECK(user_of({.headers = {"Cookie: a=b; user=by-cookie"}}) == "by-cookie");
  CHECK(user_of({.user = "by-header", .query = "user=by-query"})
        == "by-header");
}

TEST_CASE("a request whose headers never end is closed in time") {
  server_process server(
    server_settings{{"limits.handshake_timeout", "\"300ms\""}});
  bystanders others(server.port());
  for (const std::string begin : {"", "GET /v1.0/wss/ HTTP/1.1\r\nHost: x\r\n",
                                  "POST /v1.0/messages HTTP/1.1\r\nHost: x\r\n"
                                  "user: alice\r\nContent-Length: 9\r\n\r\n"}) {
    INFO(begin);
    tcp_stream slow(server.port());
    slow.send(begin);
    others.talk();
    const auto opened = clock::now();
    std::string text;
    while (slow.receive(text) == tcp_stream::got::bytes) {
    }
    CHECK(clock::now() - opened < milliseconds{3000});
  }
  // Nor do drops of it help.
  tcp_stream slow(server.port());
  const auto opened = clock::now();
  const std::string header = "GET / HTTP/1.1\r\nX: " + std::string(2000, 'x');
  std::string text;
  auto got = tcp_stream::got::nothing;
  for (const auto byte : header) {
    slow.send(std::string(1, byte));
    got = slow.receive(text, milliseconds{10});
    if (got != tcp_stream::got::nothing)
      break;
  }
  CHECK(got != tcp_stream::got::nothing);
  CHECK(clock::now() - opened < milliseconds{3000});
  others.talk();
}

TEST_CASE("connections of one address are counted and given back") {
  server_process server(
    server_settings{{"limits.max_connections_per_address", "4"}});
  const auto is_taken = [&server] {
    try {
      return http(server.port(), {.path = "/v1.0/auth"}).status != 0;
    } catch (const std::runtime_error&) {
      return false;
    }
  };
  std::vector<tcp_stream> held;
  {
    bystanders others(server.port());
    for (int i = 0; i < 2; ++i)
      held.emplace_back(server.port());
    others.talk();
    CHECK_FALSE(is_taken());
    others.talk();
  }
  const auto until = clock::now() + patience;
  bool again = false;
  while (!again && clock::now() < until)
    again = is_taken();
  CHECK(again);
}
