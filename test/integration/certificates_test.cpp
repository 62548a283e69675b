// Certificates that change while the nodes that use them run.

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/node_pair.hpp"
#include "test/integration/rig/tls_stranger.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace vartalap::integration;

namespace {

namespace files = std::filesystem;

void run(const std::vector<std::string>& arguments) {
  const auto end = run_command(arguments);
  INFO(end.output);
  REQUIRE(end.status == 0);
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size()))
    ++n;
  return n;
}

/// The certificate that a node shows now.
std::string shown_by(const node_pair& nodes, std::size_t node) {
  tls_stranger stranger(nodes.peer_port(node));
  REQUIRE(stranger.greet());
  REQUIRE(stranger.finish_greeting());
  return stranger.certificate_sum();
}

/// SIGHUP, and the line of the node's log about its certificates, or about
/// there being none.
std::string reload(server_process& node) {
  std::string log = node.log();
  const std::string about = "SIGHUP: the certificates";
  const std::string nothing = "SIGHUP: there is nothing";
  const auto before = count(log, about) + count(log, nothing);
  node.signal(SIGHUP);
  REQUIRE(comes_true([&] {
    log = node.log();
    return count(log, about) + count(log, nothing) > before
           && log.ends_with('\n');
  }));
  const auto at = log.rfind(count(log, nothing) == 0 ? about : nothing);
  const auto line = log.rfind('\n', at) + 1;
  return log.substr(line, log.find('\n', line) - line);
}

bool is_taken(const std::string& said) {
  return said.find("were read again") != std::string::npos;
}

/// Both ends of the link are up, as often as before.
bool is_linked(node_pair& nodes, double sessions) {
  for (std::size_t i = 0; i < 2; ++i)
    if (nodes.link(i, "up") != 1 || nodes.link(i, "sessions_total") != sessions)
      return false;
  return true;
}

} // namespace

TEST_CASE("SIGHUP takes new certificates, and the link stays") {
  node_pair nodes(trust::certificates);
  const auto certs = nodes.folder() + "/certs";
  bystanders others(nodes[0].port(), nodes[1].port());
  others.talk();
  const auto sessions = nodes.link(0, "sessions_total");
  std::vector<std::string> before;
  for (std::size_t i = 0; i < 2; ++i)
    before.push_back(shown_by(nodes, i));
  CHECK(before[0] != before[1]);
  run({"certs", "node", "n1", "--dir", certs, "--force"});
  run({"certs", "node", "n2", "--dir", certs, "--force"});
  // Not before it is told to.
  CHECK(shown_by(nodes, 0) == before[0]);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(is_taken(reload(nodes[i])));
    CHECK(shown_by(nodes, i) != before[i]);
  }
  others.talk();
  CHECK(is_linked(nodes, sessions));
}

TEST_CASE("SIGHUP leaves the certificates where the new ones are bad") {
  node_pair nodes(trust::certificates);
  const auto certs = nodes.folder() + "/certs";
  bystanders others(nodes[0].port(), nodes[1].port());
  const auto sessions = nodes.link(0, "sessions_total");
  const auto before = shown_by(nodes, 1);
  const auto mine = certs + "/n2";
  std::string why;
  SECTION("no certificate") {
    std::ofstream(mine + ".pem") << "nonsense\n";
    why = mine + ".pem: ";
  }
  SECTION("a file is gone") {
    files::remove(mine + ".key");
    why = "vartalap certs init";
  }
  SECTION("the key of another certificate") {
    files::copy(certs + "/n1.key", mine + ".key",
                files::copy_options::overwrite_existing);
    why = "is not the key of";
  }
  SECTION("a certificate for another node") {
    for (const auto* kind : {".pem", ".key"})
      files::copy(certs + "/n1" + kind, mine + kind,
                  files::copy_options::overwrite_existing);
    why = "is not for n2: make one with `vartalap certs node n2`";
  }
  SECTION("a certificate of an authority that is not there") {
    run({"certs", "init", "--dir", nodes.folder() + "/other"});
    run({"certs", "node", "n2", "--dir", nodes.folder() + "/other"});
    for (const auto* kind : {".pem", ".key"})
      files::copy(nodes.folder() + "/other/n2" + kind, mine + kind,
                  files::copy_options::overwrite_existing);
    why = "is not good by the authority in";
  }
  SECTION("a certificate whose time is over") {
    run({"certs", "node", "n2", "--dir", certs, "--force", "--days", "0"});
    why = "certificate has expired";
  }
  const auto said = reload(nodes[1]);
  INFO(said);
  CHECK(said.find(" error ") != std::string::npos);
  CHECK(said.find("stay as they were: ") != std::string::npos);
  CHECK(said.find(why) != std::string::npos);
  CHECK(shown_by(nodes, 1) == before);
  others.talk();
  CHECK(is_linked(nodes, sessions));
}

TEST_CASE("nodes pass to another authority without losing their link") {
  node_pair nodes(trust::certificates);
  const auto certs = nodes.folder() + "/certs";
  const auto fresh = nodes.folder() + "/fresh";
  const auto sessions = nodes.link(0, "sessions_total");
  run({"certs", "init", "--dir", fresh});
  std::ofstream(certs + "/ca.pem", std::ios::app) << read(fresh + "/ca.pem");
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(is_taken(reload(nodes[i])));
  // One of each authority: they link again from nothing.
  run({"certs", "node", "n2", "--dir", fresh});
  for (const auto* kind : {".pem", ".key"})
    files::copy(fresh + "/n2" + kind, certs + "/n2" + kind,
                files::copy_options::overwrite_existing);
  CHECK(is_taken(reload(nodes[1])));
  CHECK(is_linked(nodes, sessions));
  nodes[0].kill();
  nodes[0].start();
  CHECK(comes_true([&] { return nodes.link(0, "up") == 1; }));
  bystanders(nodes[0].port(), nodes[1].port()).talk();
}

TEST_CASE("SIGHUP does nothing to a node that has nothing to read again") {
  server_process server;
  CHECK(reload(server).find("nothing") != std::string::npos);
  bystanders(server.port()).talk();
  server.signal(SIGTERM);
  REQUIRE(server.ended_within(patience));
  CHECK(server.status() == 0);
}
