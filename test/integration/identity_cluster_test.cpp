// Who is who, with two nodes.

#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/unit/net/token_rig.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <ctime>
#include <memory>

namespace vartalap::integration {

namespace {

const std::string secret = "a secret of thirty-two bytes, or more";

/// Two nodes that know clients by tokens.
class two_nodes {
public:
  two_nodes() {
    files_.write("jwt.secret", secret);
    files_.write("cluster.secret", "0123456789abcdef0123456789abcdef");
    std::string config = "[cluster]\nsecret_file = \"cluster.secret\"\n[auth]\n"
                         "mode = \"jwt\"\nkey_file = \"jwt.secret\"\n";
    for (std::size_t i = 0; i < ports.size(); ++i) {
      ports[i] = free_port();
      const auto name = "n" + std::to_string(i + 1);
      const auto at = [](std::uint16_t port) {
        return "\"127.0.0.1:" + std::to_string(port) + "\"\n";
      };
      config += "[[node]]\nname = \"" + name + "\"\ndata = \"" + name
                + "\"\nclient = " + at(ports[i]) + "admin = " + at(free_port())
                + "peer = " + at(free_port());
    }
    files_.write("cluster.toml", config);
    for (std::size_t i = 0; i < ports.size(); ++i)
      nodes_[i] = std::make_unique<command_process>(std::vector<std::string>{
        "serve", "--config", files_.path("cluster.toml"), "--node",
        "n" + std::to_string(i + 1)});
    for (auto& node : nodes_)
      node->lines_until(" ready", milliseconds{30'000});
  }

  std::array<std::uint16_t, 2> ports{};

private:
  scratch_folder files_;
  std::array<std::unique_ptr<command_process>, 2> nodes_;
};

std::string token_of(const std::string& user) {
  return net::hmac_token(secret, R"({"alg":"HS256"})",
                         R"({"sub":")" + user + R"(","exp":)"
                           + std::to_string(std::time(nullptr) + 600) + "}");
}

ws_peer connect(std::uint16_t port, const std::string& user) {
  return {port,
          {.query = "ack=true&client_ack=true&access_token=" + token_of(user),
           .subprotocol = "vartalap.json"}};
}

http_answer call(std::uint16_t port, const std::string& user,
                 const std::string& method, const std::string& path,
                 const std::string& body = {}) {
  return http(port, {.method = method,
                     .path = path,
                     .body = body,
                     .headers = {"Authorization: Bearer " + token_of(user)}});
}

} // namespace

TEST_CASE("a token is taken by every node, and contacts are found by each") {
  two_nodes cluster;
  auto alice = connect(cluster.ports[0], "alice");
  auto bob = connect(cluster.ports[1], "bob");
  alice.send(encode(speech::json, {.id = "m1", .to = "bob"}));
  const auto got = decode(speech::json, bob.next_message());
  CHECK(got.id == "m1");
  CHECK(got.from == "alice");
  bob.send(encode_ack(speech::json, {got.server_id}));
  CHECK(decode(speech::json, alice.next_message()).kind
        == heard::what::server_ack);
  for (const auto port : cluster.ports) {
    const auto found = call(port, "alice", "POST", "/contactbook/sync",
                            R"({"users":["bob","alice","nobody"]})");
    CHECK(found.status == 200);
    CHECK(json_at(found.body, "/bob") == "true");
    CHECK(json_at(found.body, "/alice") == "true");
    CHECK(json_at(found.body, "/nobody").empty());
    // Rather no block than one that only one node knows of.
    CHECK(call(port, "alice", "PUT", "/blocks/bob").status == 501);
    CHECK(call(port, "alice", "GET", "/blocks").status == 501);
  }
}

} // namespace vartalap::integration
