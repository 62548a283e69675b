#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace vartalap::integration;

namespace {

/// The value of a metric's line, by its whole name with labels.
double metric(const std::string& page, const std::string& name) {
  const auto at = page.find('\n' + name + ' ');
  INFO(name << " in\n" << page);
  REQUIRE(at != std::string::npos);
  return std::stod(page.substr(at + name.size() + 2));
}

http_answer admin(const server_process& server, const std::string& path) {
  return http(server.admin_port(), {.path = path});
}

} // namespace

TEST_CASE("the admin port says that the node is alive and ready") {
  server_process server;
  CHECK(admin(server, "/healthz").status == 200);
  CHECK(admin(server, "/readyz").status == 200);
  CHECK(admin(server, "/nothing").status == 404);
  CHECK(http(server.admin_port(), {.method = "POST", .path = "/metrics"}).status
        == 405);
}

TEST_CASE("the admin port refuses what changes anything without its token") {
  server_process server;
  const http_question ask{.method = "POST", .path = "/expiry/resume"};
  CHECK(http(server.admin_port(), ask).status == 401);
  std::ifstream file(server.folder() + "/data/admin.token");
  std::string token;
  REQUIRE(std::getline(file, token));
  auto shown = ask;
  shown.headers = {"Authorization: Bearer " + token};
  CHECK(http(server.admin_port(), shown).status == 200);
  shown.headers = {"Authorization: Bearer " + token + "x"};
  CHECK(http(server.admin_port(), shown).status == 401);
}

TEST_CASE("the admin port refuses WebSockets") {
  server_process server;
  const auto answer
    = raw_http(server.admin_port(),
               upgrade_request(server.admin_port(), {.user = "alice"}));
  CHECK(answer.status >= 400);
}

TEST_CASE("the admin port shows a user's mailbox and devices") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob", speech::json,
                "ack=true&client_ack=true&device=phone");
  alice.say({.id = "m1", .to = "bob"});
  const auto got = bob.hear_delivery("m1");
  alice.hear_answer("m1"); // stored by now, and owed
  auto page = admin(server, "/users/bob");
  REQUIRE(page.status == 200);
  CHECK(json_at(page.body, "/pending") == "1");
  CHECK(json_at(page.body, "/connections") == "1");
  CHECK(json_at(page.body, "/devices/0/device") == "phone");
  CHECK(json_at(page.body, "/devices/0/owes") == "1");
  bob.acknowledge({got.server_id});
  bob.ws.send("ping");
  REQUIRE(bob.ws.next_message() == "pong");
  page = admin(server, "/users/bob");
  CHECK(json_at(page.body, "/pending") == "0");
}

TEST_CASE("metrics are what Prometheus reads, and balance") {
  server_process server;
  chat_peer alice(server.port(), "alice");
  chat_peer bob(server.port(), "bob");
  alice.say({.id = "m1", .to = "bob"});
  bob.acknowledge({bob.hear_delivery("m1").server_id});
  alice.hear_answer("m1");
  alice.say({.id = "m2", .to = "nobody-yet"});
  alice.hear_answer("m2");
  const auto page = admin(server, "/metrics");
  REQUIRE(page.status == 200);
  CHECK(metric(page.body, "vartalap_connections") == 2);
  CHECK(metric(page.body, "vartalap_ready") == 1);
  const auto mailbox = [&page](const std::string& name) {
    return metric(page.body, "vartalap_mailbox_" + name);
  };
  CHECK(mailbox("received_total") == 2);
  CHECK(mailbox("acknowledged_total") == 1);
  CHECK(mailbox("pending_at_open_total") + mailbox("received_total")
        == mailbox("acknowledged_total") + mailbox("refused_total")
             + mailbox("expired_total") + mailbox("erased_total")
             + mailbox("quarantined_total") + mailbox("cancelled_total")
             + mailbox("closed_pending_total") + mailbox("pending"));

  // promtool's linter, where it is installed.
  if (std::system("command -v promtool >/dev/null 2>&1") == 0) {
    const auto file = server.folder() + "/metrics.txt";
    std::ofstream(file) << page.body;
    const auto command = "promtool check metrics <" + file + " >" + file
                         + ".out 2>&1";
    const auto status = std::system(command.c_str());
    std::ifstream output(file + ".out");
    INFO(std::string(std::istreambuf_iterator<char>(output), {}));
    CHECK(status == 0);
  }
}

TEST_CASE("metrics tell why frames were refused and connections ended") {
  const server_settings narrow{{"limits.unconfirmed", "1"}};
  server_process server(narrow);
  chat_peer alice(server.port(), "alice");
  alice.say({.id = "m1", .to = "bob"});
  REQUIRE(alice.hear_answer("m1").kind == heard::what::server_ack);
  alice.ws.send("{");
  alice.ws.next_message();
  alice.ws.send("bytes", opcode::binary);
  CHECK(alice.ws.wait_end().code == 1003);
  const auto page = admin(server, "/metrics");
  const auto of = [&page](const std::string& name) {
    return metric(page.body, "vartalap_" + name);
  };
  CHECK(of(R"(error_frames_total{code="bad_frame"})") == 1);
  CHECK(of(R"(error_frames_total{code="too_large"})") == 0);
  CHECK(of(R"(connections_closed_total{code="1003"})") == 1);
  CHECK(of(R"(limit_hits_total{limit="unconfirmed"})") == 1);
}
