// auth.mode = "jwt", from outside.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/integration/rig/server_process.hpp"
#include "test/unit/net/token_rig.hpp"

#include <catch2/catch.hpp>

#include <ctime>

namespace vartalap::integration {

namespace {

using net::hmac_token;
using net::test_key;

const std::string secret = "a secret of thirty-two bytes, or more";
const std::string hs256 = R"({"alg":"HS256"})";
const std::string rs256 = R"({"alg":"RS256"})";

std::string claims(const std::string& user, long lasts = 600,
                   const std::string& more = {}) {
  return R"({"sub":")" + user + R"(","exp":)"
         + std::to_string(std::time(nullptr) + lasts) + more + "}";
}

std::string token_of(const std::string& user) {
  return hmac_token(secret, hs256, claims(user));
}

server_settings with_secret(const scratch_folder& files) {
  files.write("jwt.secret", secret + "\n");
  return {{"auth.mode", "\"jwt\""},
          {"auth.key_file", files.quoted("jwt.secret")}};
}

std::string bearer(const std::string& token) {
  return "Authorization: Bearer " + token;
}

unsigned profile_status(std::uint16_t port, std::vector<std::string> headers) {
  return http(port, {.path = "/v1.0/profile/", .headers = std::move(headers)})
    .status;
}

/// What a WebSocket's upgrade is answered with; 101 where it opens.
unsigned upgrade_status(std::uint16_t port, const ws_options& options) {
  tcp_stream stream(port);
  stream.send(upgrade_request(port, options));
  std::string input;
  while (input.find("\r\n\r\n") == std::string::npos)
    if (stream.receive(input) != tcp_stream::got::bytes)
      break;
  return parse_answer(input).status;
}

} // namespace

TEST_CASE(
  "with tokens a client is whom its token names, wherever it shows it") {
  const scratch_folder files;
  server_process server(with_secret(files));
  const auto port = server.port();
  const auto token = token_of("alice");
  const std::vector<std::vector<std::string>> ways{
    {bearer(token)},
    {"authorization: bearer " + token},
    {bearer(token), "user: alice"},
    {"accesskey: " + token},
    {"user: alice", "accesskey: " + token},
    {"Cookie: user=alice; accesskey=" + token},
    {"Cookie: accesskey=" + token},
  };
  for (const auto& headers : ways) {
    CAPTURE(headers.front());
    const auto answer
      = http(port, {.path = "/v1.0/profile/", .headers = headers});
    CHECK(answer.status == 200);
    CHECK(json_at(answer.body, "/username") == "alice");
    CHECK(upgrade_status(port, {.headers = headers}) == 101);
  }
  CHECK(upgrade_status(port, {.query = "access_token=" + token}) == 101);
  CHECK(http(port, {.path = "/v1.0/profile/?access_token=" + token}).status
        == 200);
}

TEST_CASE("with tokens nobody is who he says he is") {
  const scratch_folder files;
  server_process server(with_secret(files));
  const auto port = server.port();
  const auto token = token_of("alice");
  const test_key stranger(2048);
  const std::vector<std::vector<std::string>> ways{
    {},
    {"user: alice"},
    {"Cookie: user=alice"},
    {bearer(token), "user: bob"},
    {"user: bob", "accesskey: " + token},
    {"Cookie: user=bob; accesskey=" + token},
    // The first credential found counts, good or bad.
    {bearer("x"), "accesskey: " + token},
    {bearer(token + "x")},
    {bearer(hmac_token("another secret, just as long as ours", hs256,
                       claims("alice")))},
    {bearer(hmac_token(secret, R"({"alg":"none"})", claims("alice")))},
    {bearer(stranger.token(rs256, claims("alice")))},
    {bearer(hmac_token(secret, hs256, claims("alice", -60)))},
    {bearer(hmac_token(secret, hs256, R"({"sub":"alice"})"))},
    {bearer(hmac_token(secret, hs256, claims("server")))},
  };
  for (const auto& headers : ways) {
    CAPTURE(headers);
    CHECK(profile_status(port, headers) == 401);
    CHECK(upgrade_status(port, {.headers = headers}) == 401);
    CHECK(http(port, {.path = "/auth", .headers = headers}).status == 401);
  }
  CHECK(upgrade_status(port, {.query = "user=alice"}) == 401);
  CHECK(server.log().find(token) == std::string::npos);
}

TEST_CASE("with tokens a message comes from the token's user") {
  const scratch_folder files;
  server_process server(with_secret(files));
  const auto connect = [&](const std::string& user) {
    return ws_peer(
      server.port(),
      {.query = "ack=true&client_ack=true&access_token=" + token_of(user),
       .subprotocol = "vartalap.json"});
  };
  auto alice = connect("alice");
  auto bob = connect("bob");
  alice.send(R"({"_v":2.1,"id":"m1","head":{"type":"individual","to":"bob",)"
             R"("from":"carol","contentType":"text"},"body":{"text":"hi"}})");
  CHECK(decode(speech::json, bob.next_message()).from == "alice");
}

TEST_CASE("a connection ends with its token, and says so") {
  const scratch_folder files;
  auto settings = with_secret(files);
  settings["auth.leeway"] = "\"0s\"";
  server_process server(settings);
  ws_peer alice(
    server.port(),
    {.query = "access_token=" + hmac_token(secret, hs256, claims("alice", 2))});
  ws_peer bob(server.port(), {.query = "access_token=" + token_of("bob")});
  CHECK(alice.wait_end().code == 4001);
  bob.send("ping");
  CHECK(bob.next_message() == "pong");
}

TEST_CASE("tokens of new keys are taken once the JWKS has them") {
  const scratch_folder files;
  const test_key old(2048);
  const test_key young(0);
  const auto write = [&](const std::string& keys) {
    files.write("jwks.json", "{\"keys\":[" + keys + "]}");
  };
  write(old.jwk("a"));
  server_process server({{"auth.mode", "\"jwt\""},
                         {"auth.jwks_file", files.quoted("jwks.json")},
                         {"auth.issuer", "\"https://id.example\""},
                         {"auth.audience", "\"chat\""}});
  const std::string more = R"(,"iss":"https://id.example","aud":["chat"])";
  const auto by_old = bearer(
    old.token(R"({"alg":"RS256","kid":"a"})", claims("alice", 600, more)));
  const auto by_young = bearer(
    young.token(R"({"alg":"EdDSA","kid":"b"})", claims("alice", 600, more)));
  const auto port = server.port();
  CHECK(profile_status(port, {by_old}) == 200);
  CHECK(profile_status(port, {by_young}) == 401);
  CHECK(profile_status(port, {bearer(old.token(R"({"alg":"RS256","kid":"a"})",
                                               claims("alice")))})
        == 401);
  write(old.jwk("a") + "," + young.jwk("b"));
  CHECK(comes_true([&] { return profile_status(port, {by_young}) == 200; }));
  CHECK(profile_status(port, {by_old}) == 200);
  // A file that is none changes nothing.
  files.write("jwks.json", "{\"keys\":");
  CHECK(comes_true([&] {
    return server.log().find("stay as they were") != std::string::npos;
  }));
  CHECK(profile_status(port, {by_young}) == 200);
  write(young.jwk("b"));
  CHECK(comes_true([&] { return profile_status(port, {by_old}) == 401; }));
  CHECK(profile_status(port, {by_young}) == 200);
}

TEST_CASE("with tokens a login takes a token and hands it out as access key") {
  const scratch_folder files;
  server_process server(with_secret(files));
  const auto port = server.port();
  const auto login
    = [&](const std::string& body, std::vector<std::string> headers = {}) {
        return http(port, {.method = "POST",
                           .path = "/v1.0/login",
                           .body = body,
                           .headers = std::move(headers)});
      };
  const auto token = token_of("alice");
  const auto good = login(R"({"username":"alice","authToken":")" + token
                          + R"(","deviceId":"phone"})");
  CHECK(good.status == 200);
  CHECK(json_at(good.body, "/status") == "true");
  CHECK(json_at(good.body, "/username") == "alice");
  CHECK(json_at(good.body, "/isNew") == "true");
  const auto key = json_at(good.body, "/accesskey");
  CHECK(profile_status(port, {"user: alice", "accesskey: " + key}) == 200);
  // In the header `token`, as the old app sends it.
  CHECK(login(R"({"username":"alice"})", {"token: " + token}).status == 200);
  // The name is bound to the token.
  for (const auto& body :
       {R"({"username":"bob","authToken":")" + token + "\"}",
        std::string(R"({"username":"alice","authToken":"x"})"),
        std::string(R"({"username":"alice"})")}) {
    const auto bad = login(body);
    CHECK(bad.status == 401);
    CHECK(bad.body == "{}");
  }
}

TEST_CASE("an admin address for others shows users with the token alone") {
  const scratch_folder files;
  const auto port = free_port();
  files.write("jwt.secret", secret);
  const std::string admin_token = "0123456789abcdef0123456789";
  files.write("admin.token", admin_token + "\n");
  files.write("cluster.toml",
              "[auth]\nmode = \"jwt\"\nkey_file = \"jwt.secret\"\n"
              "admin_token_file = \"admin.token\"\n[[node]]\nname = \"n1\"\n"
              "data = \"data\"\nclient = \"127.0.0.1:"
                + std::to_string(free_port())
                + "\"\nadmin = \"0.0.0.0:" + std::to_string(port) + "\"\n");
  command_process node({"serve", "--config", files.path("cluster.toml")});
  node.lines_until(" ready");
  const auto status
    = [port](const std::string& path, std::vector<std::string> headers = {}) {
        return http(port, {.path = path, .headers = std::move(headers)}).status;
      };
  CHECK(status("/readyz") == 200);
  CHECK(status("/metrics") == 200);
  CHECK(status("/users/alice") == 401);
  CHECK(status("/users/alice", {bearer("another token")}) == 401);
  // A user's token is none of administration.
  CHECK(status("/users/alice", {bearer(token_of("alice"))}) == 401);
  CHECK(status("/users/alice", {bearer(admin_token)}) == 200);
  CHECK(http(port, {.method = "POST", .path = "/expiry/resume"}).status == 401);
}

TEST_CASE("vartalap token makes what its nodes take") {
  const scratch_folder files;
  server_process server(with_secret(files));
  const auto config = server.folder() + "/cluster.toml";
  const auto made
    = run_command({"token", "अनु", "--config", config, "--valid-for", "1h"});
  REQUIRE(made.status == 0);
  auto token = made.output;
  token.erase(token.find_last_not_of("\r\n") + 1);
  const auto answer = http(
    server.port(), {.path = "/v1.0/profile/", .headers = {bearer(token)}});
  CHECK(json_at(answer.body, "/username") == "अनु");
  CHECK(run_command({"token", "server", "--config", config}).status == 2);
  CHECK(
    run_command({"token", "a", "--config", config, "--valid-for", "x"}).status
    == 2);
  // Another key than that of the nodes.
  files.write("other", "another secret, just as long as ours");
  const auto other = run_command(
    {"token", "a", "--config", config, "--key", files.path("other")});
  CHECK(other.status == 2);
  CHECK(other.output.find("would refuse") != std::string::npos);
}

TEST_CASE("vartalap check looks at the keys of tokens") {
  const scratch_folder files;
  files.write("cluster.toml", "[auth]\nmode = \"jwt\"\nkey_file = \"key\"\n"
                              "[[node]]\nname = \"n1\"\ndata = \"d\"\n");
  const auto check = [&] {
    return run_command({"check", "--config", files.path("cluster.toml")});
  };
  CHECK(check().status == 2);
  files.write("key", secret);
  CHECK(check().status == 0);
  std::filesystem::permissions(files.path("key"),
                               std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  const auto open = check();
  CHECK(open.status == 2);
  CHECK(open.output.find("chmod 600") != std::string::npos);
  files.write("key", "short");
  CHECK(check().status == 2);
}

} // namespace vartalap::integration
