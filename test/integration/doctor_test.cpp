// `vartalap doctor`: what is wrong with a machine, and the command that mends
// it.

#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/scratch_folder.hpp"
#include "test/integration/rig/server_process.hpp"

#include <catch2/catch.hpp>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace vartalap::integration {

namespace {

namespace files = std::filesystem;

/// What these tests do not decide: the machine's clock, and whether its
/// temporary folder is on a disk.
std::string skipped(const std::string& folder) {
  struct ::statfs system {};
  ::statfs(folder.c_str(), &system);
  return system.f_type == TMPFS_MAGIC ? "clock,disk" : "clock";
}

/// A folder with a node that has nothing to be mended.
class healthy_folder {
public:
  healthy_folder() : client_(free_port()), admin_(free_port()) {
    write("[[node]]\nname = \"n1\"\n" + addresses());
    files::create_directory(scratch_.path("data"));
    ::chmod(scratch_.path("data").c_str(), 0700);
  }

  /// Writes cluster.toml: `text`, and limits that any machine has.
  void write(const std::string& text) const {
    scratch_.write("cluster.toml", text
                                     + "[limits]\nmax_connections = 64\n"
                                       "[storage]\ndurability = \"relaxed\"\n");
  }

  std::string addresses() const {
    return "client = \"127.0.0.1:" + std::to_string(client_)
           + "\"\nadmin = \"127.0.0.1:" + std::to_string(admin_)
           + "\"\npeer = \"127.0.0.1:" + std::to_string(free_port())
           + "\"\ndata = \"data\"\n";
  }

  command_end examine(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{
      "doctor", "--config", path("cluster.toml"), "--skip", skipped(path("."))};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_command(arguments);
  }

  std::string path(const std::string& name) const {
    return scratch_.path(name);
  }
  const scratch_folder& scratch() const noexcept {
    return scratch_;
  }
  std::uint16_t client() const noexcept {
    return client_;
  }
  std::uint16_t admin() const noexcept {
    return admin_;
  }

private:
  scratch_folder scratch_;
  std::uint16_t client_;
  std::uint16_t admin_;
};

/// Somebody else on a port of 127.0.0.1.
class squatter {
public:
  explicit squatter(std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<const ::sockaddr*>(&at), sizeof at)
            == 0);
    REQUIRE(::listen(fd_, 1) == 0);
  }
  ~squatter() {
    ::close(fd_);
  }
  squatter(const squatter&) = delete;
  squatter& operator=(const squatter&) = delete;

private:
  int fd_;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Exactly one thing is wrong, and the line about it has these in it.
void check_only(const command_end& said,
                const std::vector<std::string>& parts) {
  INFO(said.output);
  CHECK(said.status == 1);
  CHECK(contains(said.output, ": 1 finding\n"));
  const auto at = said.output.find("mend  ");
  REQUIRE(at != std::string::npos);
  const auto line = said.output.substr(at, said.output.find('\n', at) - at);
  for (const auto& part : parts) {
    INFO(part);
    CHECK(contains(line, part));
  }
}

void run(const std::vector<std::string>& arguments) {
  const auto end = run_command(arguments);
  INFO(end.output);
  REQUIRE(end.status == 0);
}

/// Two nodes with certificates in `certs`; that of n1 good for `days`.
void write_cluster(const healthy_folder& folder, const std::string& days) {
  const auto certs = folder.path("certs");
  run({"certs", "init", "--dir", certs});
  run({"certs", "node", "n1", "--dir", certs, "--days", days});
  run({"certs", "node", "n2", "--dir", certs});
  folder.write("[cluster.tls]\nca = \"certs/ca.pem\"\n"
               "certificate = \"certs/{node}.pem\"\n"
               "key = \"certs/{node}.key\"\n[[node]]\nname = \"n1\"\n"
               + folder.addresses()
               + "[[node]]\nname = \"n2\"\nclient = \"127.0.0.1:1\"\n"
                 "admin = \"127.0.0.1:2\"\npeer = \"127.0.0.1:3\"\n"
                 "data = \"other\"\n");
}

} // namespace

TEST_CASE("doctor finds nothing in a good folder") {
  const healthy_folder folder;
  const auto said = folder.examine();
  INFO(said.output);
  CHECK(said.status == 0);
  CHECK(contains(said.output, "node n1: fine\n"));
  CHECK_FALSE(contains(said.output, "mend"));
  for (const auto* topic :
       {"ok    limits: ", "ok    permissions: ", "ok    ports: "})
    CHECK(contains(said.output, topic));
  // Nothing was made on the way.
  CHECK(files::is_empty(folder.path("data")));
}

TEST_CASE("doctor needs a configuration and a node of it") {
  const healthy_folder folder;
  CHECK(folder.examine({"--node", "n2"}).status == 2);
  folder.write("[[node]]\nname = \"n1\"\n");
  const auto said = folder.examine();
  CHECK(said.status == 2);
  CHECK(contains(said.output, "node[0].data"));
}

TEST_CASE("doctor says what the clock is, or how to synchronise it") {
  const healthy_folder folder;
  const auto said
    = run_command({"doctor", "--config", folder.path("cluster.toml")});
  INFO(said.output);
  const bool is_fine = contains(said.output, "ok    clock: synchronised");
  const bool is_not = contains(said.output, "sudo timedatectl set-ntp true");
  CHECK(is_fine != is_not);
}

TEST_CASE("doctor measures the disk, and leaves nothing on it") {
  const healthy_folder folder;
  const auto said = run_command(
    {"doctor", "--config", folder.path("cluster.toml"), "--skip", "clock"});
  INFO(said.output);
  CHECK(contains(said.output, "disk: a sync takes "));
  CHECK(files::is_empty(folder.path("data")));
}

TEST_CASE("doctor names a limit of open files that is too low") {
  const healthy_folder folder;
  folder.scratch().write("cluster.toml",
                         "[[node]]\nname = \"n1\"\n" + folder.addresses()
                           + "[limits]\nmax_connections = 9000000\n");
  check_only(folder.examine(), {"limits: ", "ulimit -n 9000256",
                                "LimitNOFILE=9000256", "this shell"});
}

TEST_CASE("doctor names what others may read") {
  const healthy_folder folder;
  SECTION("the data folder") {
    ::chmod(folder.path("data").c_str(), 0755);
    check_only(folder.examine(),
               {"permissions: ", "chmod 700 " + folder.path("data")});
  }
  SECTION("the token of administration") {
    const auto token = folder.path("data/admin.token");
    std::ofstream(token) << std::string(32, 'x');
    ::chmod(token.c_str(), 0644);
    check_only(folder.examine(), {"permissions: ", "chmod 600 " + token});
  }
  SECTION("the key of tokens") {
    folder.write("[auth]\nmode = \"jwt\"\nkey_file = \"jwt.secret\"\n"
                 "[[node]]\nname = \"n1\"\n"
                 + folder.addresses());
    folder.scratch().write("jwt.secret", std::string(32, 'x'));
    CHECK(folder.examine().status == 0);
    ::chmod(folder.path("jwt.secret").c_str(), 0640);
    check_only(folder.examine(), {"permissions: ", "auth.key_file",
                                  "chmod 600 " + folder.path("jwt.secret")});
  }
  SECTION("cluster.toml, which others may write") {
    ::chmod(folder.path("cluster.toml").c_str(), 0666);
    check_only(folder.examine(),
               {"permissions: ", "chmod o-w " + folder.path("cluster.toml")});
  }
}

TEST_CASE("doctor names data that belongs to several users") {
  const healthy_folder folder;
  std::ofstream(folder.path("data/data.mdb")) << "x";
  if (::chown(folder.path("data/data.mdb").c_str(), 12345, 12345) != 0) {
    WARN("only root can give files away: not tested");
    return;
  }
  check_only(folder.examine(),
             {"permissions: ", "data.mdb", "sudo chown -R --reference="});
}

TEST_CASE("doctor names who has the node's port") {
  const healthy_folder folder;
  const squatter other(folder.client());
  const auto pid = std::to_string(::getpid());
  check_only(folder.examine(),
             {"ports: node.client 127.0.0.1:" + std::to_string(folder.client()),
              "is taken by process " + pid, "kill " + pid});
}

TEST_CASE("doctor names an address of another machine") {
  const healthy_folder folder;
  folder.write("[auth]\nmode = \"jwt\"\nkey_file = \"jwt.secret\"\n"
               "[[node]]\nname = \"n1\"\nclient = \"127.0.0.1:"
               + std::to_string(folder.client())
               + "\"\nadmin = \"192.0.2.1:9080\"\ndata = \"data\"\n");
  folder.scratch().write("jwt.secret", std::string(32, 'x'));
  check_only(folder.examine(),
             {"ports: node.admin 192.0.2.1:9080", "ip address"});
}

TEST_CASE("doctor knows the ports of the running node as its own") {
  server_process server(
    {{"limits.max_connections", "64"}, {"storage.durability", "\"relaxed\""}},
    500);
  const auto examine = [&] {
    return run_command({"doctor", "--config", server.folder() + "/cluster.toml",
                        "--skip", skipped(server.folder())});
  };
  const auto said = examine();
  INFO(said.output);
  CHECK(said.status == 0);
  const auto held = " is held by the running node, process "
                    + std::to_string(server.pid());
  CHECK(contains(said.output, "node.client 127.0.0.1:"
                                + std::to_string(server.port()) + held));
  CHECK(contains(said.output, "node.admin 127.0.0.1:"
                                + std::to_string(server.admin_port()) + held));
  // Its own limit, not that of whoever asks.
  CHECK(contains(said.output, "the running node may open 500 files"));

  // Its lock stays as a file, and does not count.
  server.kill();
  const squatter other(server.port());
  check_only(examine(), {"is taken by process " + std::to_string(::getpid())});
}

TEST_CASE("doctor says how long certificates are good") {
  const healthy_folder folder;
  write_cluster(folder, "825");
  const auto said = folder.examine({"--node", "n1"});
  INFO(said.output);
  CHECK(said.status == 0);
  CHECK(
    contains(said.output, "ok    certificates: " + folder.path("certs/n1.pem")
                            + " is good for 82"));
  CHECK(contains(said.output, " days, for n1, and fits its key"));
  CHECK(contains(said.output, "certs/ca.pem is good for 36"));
}

TEST_CASE("doctor names certificates that nodes cannot use for long") {
  const healthy_folder folder;
  const auto renew = "vartalap certs node n1 --dir " + folder.path("certs")
                     + " --force";
  SECTION("it has expired") {
    write_cluster(folder, "0");
    check_only(folder.examine({"--node", "n1"}),
               {"certificates: ", "certs/n1.pem has expired", renew});
  }
  SECTION("it expires soon") {
    write_cluster(folder, "29");
    check_only(folder.examine({"--node", "n1"}),
               {"certificates: ", " days only: ", renew});
  }
  SECTION("it is another node's") {
    write_cluster(folder, "825");
    for (const auto* kind : {".pem", ".key"})
      files::copy(folder.path("certs/n2") + kind,
                  folder.path("certs/n1") + kind,
                  files::copy_options::overwrite_existing);
    check_only(folder.examine({"--node", "n1"}),
               {"is not for n1", "vartalap certs node n1"});
  }
  SECTION("others may read its key") {
    write_cluster(folder, "825");
    ::chmod(folder.path("certs/n1.key").c_str(), 0644);
    check_only(folder.examine({"--node", "n1"}),
               {"chmod 600 " + folder.path("certs/n1.key")});
  }
}

TEST_CASE("doctor names a certificate for clients that has expired") {
  const healthy_folder folder;
  const auto certs = folder.path("certs");
  run({"certs", "init", "--dir", certs});
  run({"certs", "node", "n1", "--dir", certs, "--days", "0"});
  folder.write("[[node]]\nname = \"n1\"\n" + folder.addresses()
               + "[node.tls]\ncertificate = \"certs/n1.pem\"\n"
                 "key = \"certs/n1.key\"\n");
  check_only(folder.examine(), {"certificates: ", "certs/n1.pem has expired",
                                "sudo certbot renew"});
}

TEST_CASE("doctor names a cluster's secret that others may read") {
  const healthy_folder folder;
  folder.write("[cluster]\nsecret_file = \"cluster.secret\"\n[[node]]\n"
               "name = \"n1\"\n"
               + folder.addresses()
               + "[[node]]\nname = \"n2\"\nclient = \"127.0.0.1:1\"\n"
                 "admin = \"127.0.0.1:2\"\npeer = \"127.0.0.1:3\"\n"
                 "data = \"other\"\n");
  folder.scratch().write("cluster.secret", std::string(32, 'x'));
  CHECK(folder.examine({"--node", "n1"}).status == 0);
  ::chmod(folder.path("cluster.secret").c_str(), 0644);
  check_only(folder.examine({"--node", "n1"}),
             {"permissions: ", "chmod 600 " + folder.path("cluster.secret")});
}

} // namespace vartalap::integration
