// `vartalap init`: what it writes is a configuration that works.

#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace vartalap::integration {

namespace {

namespace files = std::filesystem;

command_end init(const std::string& folder,
                 const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"init", "--dir", folder};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_command(arguments);
}

command_end check(const std::string& folder) {
  return run_command({"check", "--config", folder + "/cluster.toml"});
}

/// As above, where both are to succeed.
void make(const std::string& folder,
          const std::vector<std::string>& more = {}) {
  const auto made = init(folder, more);
  INFO(made.output);
  REQUIRE(made.status == 0);
  const auto checked = check(folder);
  INFO(checked.output);
  REQUIRE(checked.status == 0);
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

unsigned mode_of(const std::string& path) {
  struct ::stat found {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 0777U;
}

/// Everything in the folder, as paths relative to it.
std::vector<std::string> content(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code missing;
  for (const auto& entry : files::recursive_directory_iterator(folder, missing))
    if (!entry.is_directory())
      out.push_back(files::relative(entry.path(), folder).string());
  std::sort(out.begin(), out.end());
  return out;
}

void replace(std::string& text, const std::string& from,
             const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

/// A node of that folder, on ports of its own.
class initialized_node {
public:
  explicit initialized_node(const std::string& folder)
    : server_(place(folder)) {
    server_.wait_until_ready();
  }

  std::uint16_t port() const noexcept {
    return server_.port();
  }

private:
  static node_place place(const std::string& folder) {
    const auto client = free_port();
    const auto admin = free_port();
    auto text = read(folder + "/cluster.toml");
    replace(text, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(client));
    replace(text, "127.0.0.1:9080", "127.0.0.1:" + std::to_string(admin));
    std::ofstream(folder + "/cluster.toml") << text;
    return {folder, "n1", client, admin};
  }

  server_process server_;
};

} // namespace

TEST_CASE("init writes one node that needs no secret") {
  const scratch_folder scratch;
  const auto folder = scratch.path("deep/new");
  make(folder);
  CHECK(content(folder) == std::vector<std::string>{"cluster.toml"});
  CHECK(contains(check(folder).output, "ok, 1 node (n1, clients on "
                                       "127.0.0.1:8080)"));
}

TEST_CASE("init puts the data where it is told") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  make(folder, {"--data", "/var/lib/vartalap"});
  CHECK(contains(read(folder + "/cluster.toml"),
                 "data = \"/var/lib/vartalap/n1\"\n"));
}

TEST_CASE("init gives several nodes of one machine a secret") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  make(folder, {"--nodes", "n1,n2,n3"});
  const auto secret = folder + "/cluster.secret";
  CHECK(mode_of(secret) == 0600);
  CHECK(read(secret).size() == 65); // 32 bytes in hex, and a line's end
  make(scratch.path("other"), {"--nodes", "n1,n2"});
  CHECK(read(secret) != read(scratch.path("other/cluster.secret")));
  const auto text = read(folder + "/cluster.toml");
  for (const auto* address :
       {"127.0.0.1:8082", "127.0.0.1:9082", "127.0.0.1:7082", "replicas = 1"})
    CHECK(contains(text, address));
}

TEST_CASE("init gives nodes of several hosts certificates") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  make(folder,
       {"--nodes", "n1=10.0.0.5,n2=fd00::6,n3=10.0.0.5", "--auth", "jwt"});
  CHECK(content(folder)
        == std::vector<std::string>{
          "certs/ca.key", "certs/ca.pem", "certs/n1.key", "certs/n1.pem",
          "certs/n2.key", "certs/n2.pem", "certs/n3.key", "certs/n3.pem",
          "cluster.toml", "jwt.secret"});
  for (const auto* secret : {"/certs/ca.key", "/certs/n2.key", "/jwt.secret"})
    CHECK(mode_of(folder + secret) == 0600);
  const auto text = read(folder + "/cluster.toml");
  for (const auto* address :
       {"client = \"10.0.0.5:8081\"", "peer = \"[fd00::6]:7080\""})
    CHECK(contains(text, address));
  const auto token
    = run_command({"token", "alice", "--config", folder + "/cluster.toml"});
  INFO(token.output);
  CHECK(token.status == 0);
}

TEST_CASE("init leaves nodes of several hosts on loopback without identity") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  make(folder, {"--nodes", "n1=10.0.0.5,n2=10.0.0.6"});
  const auto text = read(folder + "/cluster.toml");
  CHECK(contains(text, "client = \"127.0.0.1:8080\""));
  CHECK(contains(text, "admin = \"127.0.0.1:9080\""));
  CHECK(contains(text, "peer = \"10.0.0.6:7080\""));
}

TEST_CASE("init with tokens makes a node that takes them") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  make(folder, {"--auth", "jwt"});
  const initialized_node node(folder);
  auto token
    = run_command({"token", "alice", "--config", folder + "/cluster.toml"});
  REQUIRE(token.status == 0);
  token.output.pop_back();
  const auto ask = [&](const std::string& what) {
    return http(node.port(),
                {.path = "/auth", .headers = {"Authorization: Bearer " + what}})
      .status;
  };
  CHECK(ask(token.output) == 200);
  CHECK(ask(token.output + "x") == 401);
}

TEST_CASE("init with access keys says how the first user logs in") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  const auto made = init(folder, {"--auth", "accesskey", "--user", "alice"});
  INFO(made.output);
  REQUIRE(made.status == 0);
  CHECK(mode_of(folder + "/users") == 0600);
  const std::string before = "the first user is alice, password ";
  const auto at = made.output.find(before);
  REQUIRE(at != std::string::npos);
  const auto from = at + before.size();
  const auto password
    = made.output.substr(from, made.output.find(' ', from) - from);
  CHECK(check(folder).status == 0);
  const initialized_node node(folder);
  const auto login = [&](const std::string& with) {
    return http(node.port(),
                {.method = "POST",
                 .path = "/v1.0/login",
                 .body = R"({"username":"alice","authToken":")" + with + "\"}"})
      .status;
  };
  CHECK(login(password) == 200);
  CHECK(login(password + "x") == 401);
}

TEST_CASE("init replaces nothing and writes all or nothing") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  make(folder);
  const auto before = read(folder + "/cluster.toml");
  const auto again = init(folder, {"--nodes", "n1,n2"});
  CHECK(again.status == 1);
  CHECK(contains(again.output, folder + "/cluster.toml is there already"));
  CHECK(read(folder + "/cluster.toml") == before);
  CHECK(content(folder) == std::vector<std::string>{"cluster.toml"});

  scratch.write("jwt.secret", "somebody's");
  const auto beside = files::path(scratch.path("jwt.secret")).parent_path();
  CHECK(init(beside.string(), {"--auth", "jwt"}).status == 1);
  CHECK(read(scratch.path("jwt.secret")) == "somebody's");
  CHECK_FALSE(files::exists(scratch.path("cluster.toml")));
}

TEST_CASE("init refuses nodes that cannot be") {
  const scratch_folder scratch;
  const auto folder = scratch.path("new");
  const std::vector<std::vector<std::string>> bad{
    {"--nodes", "n1=example.org,n2=10.0.0.6"},
    {"--nodes", "n1=0.0.0.0"},
    {"--nodes", "n1,n1"},
    {"--nodes", "n 1"},
    {"--nodes", "n2=10.0.0.6,ca=10.0.0.5"}, // the name of the authority's files
    {"--nodes", "n1,n2", "--auth", "accesskey"},
    {"--auth", "accesskey", "--user", "server"},
    {"--data", "a\"b"},
  };
  for (const auto& arguments : bad) {
    const auto refused = init(folder, arguments);
    INFO(refused.output);
    CHECK(refused.status == 1);
    CHECK(content(folder).empty());
  }
}

} // namespace vartalap::integration
