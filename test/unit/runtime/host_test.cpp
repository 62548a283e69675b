#include "runtime/admin_token.hpp"
#include "runtime/host_facts.hpp"
#include "runtime/startup_report.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace vartalap::runtime {

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A machine with nothing to complain about.
host_facts good_host() {
  host_facts host;
  host.data = "/var/lib/vartalap/n1";
  host.disk_free = 100 * core::GiB;
  host.disk_bytes = 200 * core::GiB;
  return host;
}

std::string only_warning(const host_facts& host,
                         const core::cluster_options& options = {}) {
  const auto warnings = host_warnings(host, options);
  REQUIRE(warnings.size() == 1);
  return warnings.front();
}

/// A new folder that goes when the test ends.
struct scratch_folder {
  std::filesystem::path path;

  scratch_folder() {
    auto name
      = (std::filesystem::temp_directory_path() / "vartalap_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
};

} // namespace

TEST_CASE("host_facts has no warning for a machine in good order") {
  CHECK(host_warnings(good_host(), {}).empty());
}

TEST_CASE("host_facts names the command that raises the file limit") {
  auto host = good_host();
  host.open_files = 1024;
  host.open_files_hard = 65'536;
  auto text = only_warning(host);
  CHECK(contains(text, "ulimit -n 65536"));
  CHECK(contains(text, "LimitNOFILE=65536"));
  CHECK(contains(text, "good for 768 connections"));
  CHECK_FALSE(contains(text, "as root"));

  host.open_files_hard = 1024;
  CHECK(contains(only_warning(host), "as root"));

  core::cluster_options options;
  options.limits.max_connections = 768;
  CHECK(host_warnings(host, options).empty());
  options.limits.max_connections = 769;
  CHECK(contains(only_warning(host, options), "ulimit -n 1025"));
}

TEST_CASE("host_facts names the commands for kernel settings") {
  auto host = good_host();
  host.listen_backlog = 128;
  CHECK(contains(only_warning(host), "sysctl -w net.core.somaxconn=4096"));
  host = good_host();
  host.overcommit = 2;
  CHECK(contains(only_warning(host), "sysctl -w vm.overcommit_memory=0"));
  host = good_host();
  host.address_space = 8 * core::GiB;
  CHECK(contains(only_warning(host), "ulimit -v unlimited"));
}

TEST_CASE("host_facts warns of a bad place for data") {
  auto host = good_host();
  host.data_writable = false;
  CHECK(contains(only_warning(host), "sudo install -d"));
  host = good_host();
  host.data_in_memory = true;
  CHECK(contains(only_warning(host), "a reboot loses every message"));
  host = good_host();
  host.data_on_network = true;
  CHECK(contains(only_warning(host), "local disk"));
  host = good_host();
  host.disk_free = 10 * core::GiB;
  CHECK(host_warnings(host, {}).empty());
  host.disk_free -= 1;
  CHECK(contains(only_warning(host), "new messages are refused below 10GiB"));
}

TEST_CASE("host_facts reads this machine without creating the folder") {
  const scratch_folder scratch;
  const auto data = scratch.path / "a" / "b";
  const auto host = read_host_facts(data.string());
  CHECK(host.data_writable);
  CHECK(host.open_files > 0);
  CHECK(host.disk_bytes > 0);
  CHECK_FALSE(std::filesystem::exists(data));

  const auto file = scratch.path / "file";
  std::ofstream(file) << "no folder";
  CHECK_FALSE(read_host_facts((file / "n1").string()).data_writable);
}

TEST_CASE("host_facts leaves files for more than connections") {
  core::limit_options limits;
  CHECK(connection_limit(limits, 1024) == 768);
  CHECK(connection_limit(limits, 100) == 50);
  limits.max_connections = 5;
  CHECK(connection_limit(limits, 1024) == 5);
}

TEST_CASE("startup_report says where, how safely and for whom it serves") {
  startup_facts facts;
  facts.version = "0.1.0";
  facts.config_file = "cluster.toml";
  facts.node.name = "n1";
  facts.node.client = "127.0.0.1:8080";
  facts.node.admin = "127.0.0.1:9080";
  facts.node.data = "data/n1";
  facts.node_uuid = "00112233445566778899aabbccddeeff";
  facts.incarnation = 3;
  facts.shards = 2;
  facts.pending = 17;
  facts.web = "web";
  facts.admin_token_file = "data/n1/admin.token";
  facts.host = good_host();
  core::cluster_options options;
  options.limits.max_connections = 1000;
  std::string all;
  for (const auto& line : startup_report(facts, options))
    all += (line.level == core::log_level::warning ? "warning " : "info ")
           + line.text + "\n";
  CHECK(
    all
    == R"(info vartalap 0.1.0, cluster vartalap, node n1 (00112233445566778899aabbccddeeff, start 3), configured by cluster.toml
info clients: ws://127.0.0.1:8080/v1.0/wss/ and http://127.0.0.1:8080
info administration: http://127.0.0.1:9080/ (metrics, healthz, readyz); calls that change something need the token in data/n1/admin.token
info data in data/n1, durability strict (every commit is synced), 17 messages waiting, 100GiB free
info 2 shards, 2 workers, messages in memory: 1GiB
info up to 1000 connections, 256 per address
info browser client: http://127.0.0.1:8080/ from web
warning auth.mode is "none": a client is the user that it says it is; only this machine can reach the listener
info ready
)");
}

TEST_CASE("startup_report warns of what is missing or too low") {
  startup_facts facts;
  facts.host = good_host();
  facts.host.open_files = 1024;
  std::string warnings;
  for (const auto& line : startup_report(facts, {}))
    if (line.level == core::log_level::warning)
      warnings += line.text + "\n";
  CHECK(contains(warnings, "no browser client: set runtime.web"));
  CHECK(contains(warnings, "LimitNOFILE=65536"));
}

TEST_CASE("admin_token is made once and for its owner alone") {
  const scratch_folder scratch;
  core::node_options node;
  node.data = (scratch.path / "n1").string();
  const auto token = load_admin_token(node, {});
  CHECK(token.size() == 64);
  CHECK(load_admin_token(node, {}) == token);
  struct stat status {};
  REQUIRE(stat(admin_token_path(node, {}).c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("admin_token of a named file must be there, secret and long") {
  const scratch_folder scratch;
  core::auth_options auth;
  auth.admin_token_file = (scratch.path / "token").string();
  CHECK_THROWS_WITH(load_admin_token({}, auth),
                    Catch::Contains("openssl rand"));
  std::ofstream(auth.admin_token_file) << "0123456789abcde\n";
  chmod(auth.admin_token_file.c_str(), 0600);
  CHECK_THROWS_WITH(load_admin_token({}, auth), Catch::Contains("shorter"));
  std::ofstream(auth.admin_token_file) << "0123456789abcdef\n";
  CHECK(load_admin_token({}, auth) == "0123456789abcdef");
  chmod(auth.admin_token_file.c_str(), 0644);
  CHECK_THROWS_WITH(load_admin_token({}, auth), Catch::Contains("chmod 600"));
}

} // namespace vartalap::runtime
