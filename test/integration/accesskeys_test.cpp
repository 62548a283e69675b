// auth.mode = "accesskey", from outside.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/integration/rig/server_process.hpp"
#include "test/integration/rig/webhook_service.hpp"
#include "test/unit/net/token_rig.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

namespace vartalap::integration {

namespace {

/// A line of auth.login.users_file, as the command makes it.
std::string passwd_line(const std::string& user, const std::string& password) {
  command_process command({"passwd", user});
  command.enter(password);
  command.end_input();
  const auto line = command.next_line();
  return line.value_or("") + "\n";
}

const std::string& users() {
  static const auto lines = passwd_line("alice", "alice's password")
                            + passwd_line("bob", "bob's password");
  return lines;
}

server_settings by_file(const scratch_folder& files) {
  files.write("users", users());
  return {{"auth.mode", "\"accesskey\""},
          {"auth.login.provider", "\"file\""},
          {"auth.login.users_file", files.quoted("users")}};
}

http_answer login(std::uint16_t port, const std::string& user,
                  const std::string& token,
                  std::vector<std::string> headers = {}) {
  return http(port, {.method = "POST",
                     .path = "/v1.0/login",
                     .body = R"({"username":)" + json_string(user)
                             + R"(,"authToken":)" + json_string(token)
                             + R"(,"notificationToken":"n"})",
                     .headers = std::move(headers)});
}

std::string key_of(std::uint16_t port, const std::string& user) {
  const auto answer = login(port, user, user + "'s password");
  REQUIRE(answer.status == 200);
  return json_at(answer.body, "/accesskey");
}

unsigned auth_status(std::uint16_t port, std::vector<std::string> headers) {
  return http(port, {.path = "/auth", .headers = std::move(headers)}).status;
}

http_answer call(std::uint16_t port, const std::string& method,
                 const std::string& path, const std::string& key) {
  return http(port, {.method = method,
                     .path = path,
                     .headers = {"Authorization: Bearer " + key}});
}

ws_peer connect(std::uint16_t port, const std::string& key,
                const std::string& device = "default") {
  return {port,
          {.query = "device=" + device + "&access_token=" + key,
           .subprotocol = "vartalap.json"}};
}

/// All bytes that the node has on disk and in its log.
std::string everything_of(const server_process& server) {
  std::string out = server.log();
  for (const auto* name : {"/data/data.mdb", "/cluster.toml"}) {
    std::ifstream in(server.folder() + name, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    out += text.str();
  }
  return out;
}

} // namespace

TEST_CASE("a login with the right password gets a key that is taken") {
  const scratch_folder files;
  server_process server(by_file(files));
  const auto port = server.port();
  auto answer = login(port, "alice", "alice's password");
  REQUIRE(answer.status == 200);
  CHECK(json_at(answer.body, "/status") == "true");
  CHECK(json_at(answer.body, "/username") == "alice");
  CHECK(json_at(answer.body, "/isNew") == "true");
  const auto key = json_at(answer.body, "/accesskey");
  answer = login(port, "alice", "", {"token: alice's password"});
  REQUIRE(answer.status == 200);
  CHECK(json_at(answer.body, "/isNew") == "false");
  CHECK(json_at(answer.body, "/accesskey") != key);
  for (const auto& shown : std::vector<std::vector<std::string>>{
         {"user: alice", "accesskey: " + key},
         {"accesskey: " + key},
         {"Authorization: Bearer " + key},
         {"Cookie: user=alice; accesskey=" + key},
         {"Cookie: accesskey=" + key}}) {
    CAPTURE(shown.front());
    CHECK(auth_status(port, shown) == 200);
  }
  CHECK(auth_status(port, {"user: bob", "accesskey: " + key}) == 401);
  CHECK(auth_status(port, {"user: alice"}) == 401);
  CHECK(auth_status(port, {"user: alice", "accesskey: x"}) == 401);
  for (std::size_t i = 0; i < key.size(); ++i) {
    auto changed = key;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CAPTURE(changed);
    CHECK(auth_status(port, {"accesskey: " + changed}) == 401);
  }
  auto alice = connect(port, key);
  alice.send("ping");
  CHECK(alice.next_message() == "pong");
}

TEST_CASE("a login that is wrong is answered alike whatever is wrong") {
  const scratch_folder files;
  server_process server(by_file(files));
  const auto port = server.port();
  for (const auto& [user, token] :
       std::vector<std::pair<std::string, std::string>>{
         {"alice", "bob's password"},
         {"alice", ""},
         {"alice", std::string(600, 'x')},
         {"nobody", "alice's password"}}) {
    const auto answer = login(port, user, token);
    CAPTURE(user, token);
    CHECK(answer.status == 401);
    CHECK(answer.body == "{}");
    CHECK(answer.headers.count("set-cookie") == 0);
  }
}

TEST_CASE("neither disk nor log has a key or a password") {
  const scratch_folder files;
  auto settings = by_file(files);
  settings["runtime.log_level"] = "\"debug\"";
  server_process server(settings);
  const auto key = key_of(server.port(), "alice");
  auto alice = connect(server.port(), key);
  alice.send("ping");
  CHECK(alice.next_message() == "pong");
  const auto all = everything_of(server);
  REQUIRE(all.size() > 1000);
  CHECK(all.find("alice") != std::string::npos);
  CHECK(all.find(key) == std::string::npos);
  CHECK(all.find(key.substr(key.find('.') + 1)) == std::string::npos);
  CHECK(all.find("alice's password") == std::string::npos);
}

TEST_CASE("keys survive a kill, and end where they are revoked") {
  const scratch_folder files;
  server_process server(by_file(files));
  const auto port = server.port();
  const auto one = key_of(port, "alice");
  const auto two = key_of(port, "alice");
  const auto other = key_of(port, "bob");
  server.kill();
  server.start();
  auto listed = call(port, "GET", "/keys", one);
  REQUIRE(listed.status == 200);
  REQUIRE(json_list(listed.body, "").size() == 2);
  const auto first = json_at(listed.body, "/0/current") == "true";
  CHECK(json_at(listed.body, first ? "/1/current" : "/0/current") == "false");
  CHECK(json_at(listed.body, "/0/device") == "default");
  const auto id_two = json_at(listed.body, first ? "/1/id" : "/0/id");
  CHECK(listed.body.find(two) == std::string::npos);

  auto by_one = connect(port, one);
  auto by_two = connect(port, two, "desk");
  CHECK(call(port, "DELETE", "/keys/0123456789abcdef", one).status == 404);
  // Nobody ends somebody else's.
  CHECK(call(port, "DELETE", "/keys/" + id_two, other).status == 404);
  CHECK(auth_status(port, {"accesskey: " + two}) == 200);
  CHECK(call(port, "DELETE", "/keys/" + id_two, one).status == 200);
  CHECK(auth_status(port, {"accesskey: " + two}) == 401);
  CHECK(by_two.wait_end().code == 4001);
  by_one.send("ping");
  CHECK(by_one.next_message() == "pong");
  server.kill();
  server.start();
  CHECK(auth_status(port, {"accesskey: " + two}) == 401);
  CHECK(auth_status(port, {"accesskey: " + one}) == 200);

  auto again = connect(port, one);
  const auto bye = call(port, "DELETE", "/keys/current", one);
  CHECK(bye.status == 200);
  CHECK(bye.headers.at("set-cookie").find("Max-Age=0") != std::string::npos);
  CHECK(again.wait_end().code == 4001);
  CHECK(auth_status(port, {"accesskey: " + one}) == 401);

  const auto three = key_of(port, "alice");
  const auto four = key_of(port, "alice");
  CHECK(call(port, "DELETE", "/keys", three).status == 200);
  CHECK(auth_status(port, {"accesskey: " + three}) == 401);
  CHECK(auth_status(port, {"accesskey: " + four}) == 401);
  CHECK(auth_status(port, {"accesskey: " + other}) == 200);
}

TEST_CASE("keys expire, and the oldest make room for new ones") {
  const scratch_folder files;
  auto settings = by_file(files);
  settings["auth.accesskey_ttl"] = "\"2s\"";
  settings["auth.accesskeys_per_user"] = "2";
  server_process server(settings);
  const auto port = server.port();
  const auto one = key_of(port, "alice");
  const auto two = key_of(port, "alice");
  const auto three = key_of(port, "alice");
  CHECK(comes_true(
    [&] { return auth_status(port, {"accesskey: " + one}) == 401; }));
  const auto four = key_of(port, "bob");
  auto bob = connect(port, four);
  CHECK(bob.wait_end().code == 4001);
  CHECK(comes_true(
    [&] { return auth_status(port, {"accesskey: " + four}) == 401; }));
}

TEST_CASE("the key's cookie is for this site's pages alone") {
  const scratch_folder files;
  auto settings = by_file(files);
  settings["limits.trusted_proxies"] = "[\"127.0.0.0/8\"]";
  settings["auth.allowed_origins"] = "[\"https://chat.example\"]";
  server_process server(settings);
  const auto cookie = [&](std::vector<std::string> headers) {
    return login(server.port(), "alice", "alice's password", std::move(headers))
      .headers["set-cookie"];
  };
  const auto plain = cookie({});
  for (const auto* flag : {"; Path=/", "; HttpOnly", "; SameSite=Strict"})
    CHECK(plain.find(flag) != std::string::npos);
  CHECK(plain.find("Secure") == std::string::npos);
  CHECK(cookie({"X-Forwarded-Proto: https"}).find("; Secure")
        != std::string::npos);
  // A login from another site's page: it would log the victim in as somebody
  // else.
  CHECK(login(server.port(), "alice", "alice's password",
              {"Origin: https://evil.example"})
          .status
        == 403);
  CHECK(login(server.port(), "alice", "alice's password",
              {"Origin: https://chat.example"})
          .status
        == 200);
}

TEST_CASE("logins from one address or for one name are slowed down") {
  const scratch_folder files;
  auto settings = by_file(files);
  settings["limits.login_rate"] = "0.001";
  settings["limits.login_burst"] = "3";
  settings["limits.trusted_proxies"] = "[\"127.0.0.1\"]";
  server_process server(settings);
  const auto from = [&](const std::string& address, const std::string& user) {
    return login(server.port(), user, "wrong password",
                 {"X-Forwarded-For: " + address});
  };
  for (int i = 0; i < 3; ++i)
    CHECK(from("198.51.100.1", "user" + std::to_string(i)).status == 401);
  const auto refused = from("198.51.100.1", "alice");
  CHECK(refused.status == 429);
  CHECK(std::stoi(refused.headers.at("retry-after")) > 0);
  // Another address is none of it, but the name is one everywhere.
  for (int i = 2; i < 5; ++i)
    CHECK(from("198.51.100." + std::to_string(i), "alice").status == 401);
  CHECK(from("198.51.100.9", "alice").status == 429);
  CHECK(from("198.51.100.9", "bob").status == 401);
  CHECK(metric(server, R"(limit_hits_total{limit="login_rate"})") == 2);
  CHECK(metric(server, R"(logins_total{result="no"})") == 7);
}

TEST_CASE("the file of users is read again when it changes") {
  const scratch_folder files;
  auto settings = by_file(files);
  settings["limits.login_rate"] = "0";
  server_process server(settings);
  files.write("users", passwd_line("carol", "carol's password"));
  CHECK(comes_true([&] {
    return login(server.port(), "carol", "carol's password").status == 200;
  }));
  CHECK(login(server.port(), "alice", "alice's password").status == 401);
}

TEST_CASE("vartalap passwd prints a line or says why not") {
  CHECK(users().rfind("alice:$", 0) == 0);
  command_process brief({"passwd", "alice"});
  brief.enter("short");
  brief.end_input();
  REQUIRE(brief.ended_within(patience));
  CHECK(brief.status() == 2);
}

TEST_CASE("a webhook decides logins, and is believed only if it means it") {
  webhook_service service;
  const scratch_folder files;
  files.write("secret", "the webhook's secret\n");
  server_process server(
    {{"auth.mode", "\"accesskey\""},
     {"auth.login.provider", "\"webhook\""},
     {"auth.login.webhook_url",
      "\"http://127.0.0.1:" + std::to_string(service.port()) + "/check\""},
     {"auth.login.webhook_secret_file", files.quoted("secret")},
     {"auth.login.webhook_timeout", "\"2s\""}});
  const auto status = [&](const std::string& token) {
    return login(server.port(), "alice", token).status;
  };
  service.answer_with(200, R"({"username":"alice"})");
  CHECK(status("what proves it") == 200);
  const auto asked = service.last();
  CHECK(asked.find("POST /check ") == 0);
  const auto body = asked.substr(asked.find("\r\n\r\n") + 4);
  CHECK(json_at(body, "/username") == "alice");
  CHECK(json_at(body, "/token") == "what proves it");
  CHECK(asked.find("X-Vartalap-Signature: sha256="
                   + net::hmac_hex("the webhook's secret", body))
        != std::string::npos);
  service.answer_with(401, "{}");
  CHECK(status("bad") == 401);
  service.answer_with(403, "{}");
  CHECK(status("bad") == 401);
  // A page that answers anything, another user, a redirect, a failure.
  service.answer_with(200, "<html>welcome</html>");
  CHECK(status("x") == 503);
  service.answer_with(200, R"({"username":"bob"})");
  CHECK(status("x") == 503);
  service.answer_with(302, "{}");
  CHECK(status("x") == 503);
  service.answer_with(500, R"({"username":"alice"})");
  CHECK(status("x") == 503);
  service.stop();
  CHECK(status("x") == 503);
  CHECK(server.log().find("what proves it") == std::string::npos);
}

TEST_CASE("a node that ends waits for no webhook") {
  webhook_service service;
  service.answer_with(0, "");
  server_process server(
    {{"auth.mode", "\"accesskey\""},
     {"auth.login.provider", "\"webhook\""},
     {"auth.login.webhook_url",
      "\"http://127.0.0.1:" + std::to_string(service.port()) + "/\""},
     {"auth.login.webhook_timeout", "\"1m\""}});
  std::thread asks([&] {
    // The end of the connection is all that comes.
    CHECK_NOTHROW(login(server.port(), "alice", "x"));
  });
  CHECK(comes_true([&] { return !service.last().empty(); }));
  server.signal(SIGTERM);
  CHECK(server.ended_within(patience));
  CHECK(server.status() == 0);
  asks.join();
}

TEST_CASE("a Firebase ID token logs in whom it names, and nobody else") {
  const scratch_folder files;
  const net::test_key google(2048);
  files.write("jwks.json", "{\"keys\":[" + google.jwk("k1") + "]}");
  server_process server({{"auth.mode", "\"accesskey\""},
                         {"auth.login.provider", "\"firebase\""},
                         {"auth.login.firebase_project", "\"chat-1\""},
                         {"auth.login.jwks_file", files.quoted("jwks.json")},
                         {"limits.login_rate", "0"}});
  const auto token = [&](const std::string& issuer, const std::string& audience,
                         const std::string& phone) {
    return google.token(R"({"alg":"RS256","kid":"k1"})",
                        R"({"iss":")" + issuer + R"(","aud":")" + audience
                          + R"(","sub":"uid1","phone_number":")" + phone
                          + R"(","exp":)"
                          + std::to_string(std::time(nullptr) + 600) + "}");
  };
  const std::string issuer = "https://securetoken.google.com/chat-1";
  const auto status = [&](const std::string& user, const std::string& shown) {
    return login(server.port(), user, shown).status;
  };
  const auto good = token(issuer, "chat-1", "+4915112345678");
  CHECK(status("+4915112345678", good) == 200);
  CHECK(status("+4915100000000", good) == 401); // D17
  CHECK(status("uid1", good) == 401);
  CHECK(status("+4915112345678", token(issuer, "chat-2", "+4915112345678"))
        == 401);
  CHECK(status("+4915112345678", token("https://securetoken.google.com/chat-2",
                                       "chat-1", "+4915112345678"))
        == 401);
}

TEST_CASE("a contact book finds users, and no more than the rate lets it") {
  const scratch_folder files;
  auto settings = by_file(files);
  settings["limits.contacts_rate"] = "0.001";
  server_process server(settings);
  const auto port = server.port();
  const auto key = key_of(port, "alice");
  key_of(port, "bob");
  const auto ask = [&](const std::string& path, const std::string& body) {
    return http(port, {.method = "POST",
                       .path = path,
                       .body = body,
                       .headers = {"Authorization: Bearer " + key}});
  };
  for (const auto* path : {"/v1.0/contactbook/sync", "/profile/user/sync"}) {
    const auto found
      = ask(path, R"({"users":["bob","nobody","bob","","server"]})");
    CHECK(found.status == 200);
    CHECK(found.body == R"({"bob":true})");
  }
  CHECK(ask("/contactbook/sync", R"({"users":[]})").body == "{}");
  for (const auto* bad :
       {"", "{}", "[]", R"({"users":"bob"})", R"({"users":[1]})"})
    CHECK(ask("/contactbook/sync", bad).status == 400);
  const auto many = [](std::size_t n) {
    std::string out;
    for (std::size_t i = 0; i < n; ++i)
      out += (out.empty() ? "\"x" : ",\"x") + std::to_string(i) + "\"";
    return "{\"users\":[" + out + "]}";
  };
  CHECK(ask("/contactbook/sync", many(1001)).status == 413);
  CHECK(ask("/contactbook/sync", many(1000)).status == 200);
  const auto refused = ask("/contactbook/sync", many(1000));
  CHECK(refused.status == 429);
  CHECK(refused.headers.count("retry-after") == 1);
  CHECK(http(port, {.method = "POST",
                    .path = "/contactbook/sync",
                    .body = R"({"users":["bob"]})"})
          .status
        == 401);
}

} // namespace vartalap::integration
