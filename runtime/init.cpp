#include "runtime/init.hpp"

#include "core/ids.hpp"
#include "runtime/certs.hpp"
#include "runtime/config.hpp"
#include "runtime/login_file.hpp"
#include "runtime/secret_file.hpp"
#include "runtime/units_text.hpp"

#include <CLI/CLI.hpp>
#include <openssl/rand.h>

#include <exception>
#include <filesystem>
#include <map>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace vartalap::runtime {

namespace {

namespace files = std::filesystem;

constexpr std::uint16_t client_port = 8080;
constexpr std::uint16_t admin_port = 9080;
constexpr std::uint16_t peer_port = 7080;
constexpr const char* loopback = "127.0.0.1";

/// One node to be.
struct planned_node {
  std::string name;
  std::string host;         ///< an IP address
  std::uint16_t before = 0; ///< nodes before it on that host
};

/// Everything to be made.
struct plan {
  explicit plan(const init_request& request);

  const init_request& asked;
  std::vector<planned_node> nodes;
  bool is_local = true; ///< all nodes on this machine
  std::string password; ///< of the first user; empty: there is none

  bool has_many() const noexcept {
    return nodes.size() > 1;
  }
  bool wants_certificates() const noexcept {
    return has_many() && !is_local;
  }
  std::string path_of(const std::string& name) const {
    return (files::path(asked.directory) / name).string();
  }
  /// Names of all files, cluster.toml last.
  std::vector<std::string> names() const;
  std::string config() const;
};

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> raw(bytes);
  if (RAND_bytes(raw.data(), static_cast<int>(bytes)) != 1)
    throw std::runtime_error("OpenSSL gives no random bytes");
  std::string out;
  for (const auto byte : raw) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

plan::plan(const init_request& request) : asked(request) {
  if (request.data.find_first_of("\"\\\n") != std::string::npos)
    throw std::runtime_error("--data: choose a folder without quotes and "
                             "backslashes in its name");
  std::map<std::string, std::uint16_t> on_host;
  const auto wanted = request.nodes.empty() ? std::vector<std::string>{"n1"}
                                            : request.nodes;
  for (const auto& text : wanted) {
    const auto equals = text.find('=');
    planned_node node{text.substr(0, equals), loopback};
    if (equals != std::string::npos)
      node.host = text.substr(equals + 1);
    if (!is_ip_address(node.host) || is_wildcard(node.host))
      throw std::runtime_error(
        "--nodes: \"" + text
        + "\" is no NAME=HOST: write the IP address of the node's host, which "
          "the other nodes can dial, e.g. n1=10.0.0.5");
    node.before = on_host[node.host]++;
    is_local = is_local && is_loopback(node.host);
    nodes.push_back(std::move(node));
  }
  if (request.auth == "accesskey") {
    if (has_many())
      throw std::runtime_error(
        "--auth accesskey: access keys are known to the node that issued them "
        "alone, so several nodes want --auth jwt");
    if (!core::is_valid_user(request.user) || request.user.front() == '#')
      throw std::runtime_error("--user: nobody can have this name");
    password = random_hex(12);
  }
}

std::vector<std::string> plan::names() const {
  std::vector<std::string> out;
  if (wants_certificates()) {
    out = {"certs/ca.pem", "certs/ca.key"};
    for (const auto& node : nodes)
      for (const auto* kind : {".pem", ".key"})
        out.push_back("certs/" + node.name + kind);
  } else if (has_many()) {
    out.emplace_back("cluster.secret");
  }
  if (asked.auth == "jwt")
    out.emplace_back("jwt.secret");
  if (asked.auth == "accesskey")
    out.emplace_back("users");
  out.emplace_back("cluster.toml");
  return out;
}

std::string address(const std::string& host, std::uint16_t first,
                    std::uint16_t before) {
  return format_address({host, static_cast<std::uint16_t>(first + before)});
}

std::string plan::config() const {
  std::ostringstream out;
  out << "# Made by `vartalap init`, the same file for all nodes. `vartalap "
         "check` says what\n# is wrong in it; `vartalap check --defaults` "
         "prints every key.\n"
         "# Relative paths begin at the folder of this file.\n"
         "[cluster]\nname = \"vartalap\"\n";
  if (wants_certificates())
    out << "\n# How the nodes prove to each other who they are. On a node: "
           "ca.pem and its own\n# two files; ca.key is kept off them.\n"
           "[cluster.tls]\nca = \"certs/ca.pem\"\n"
           "certificate = \"certs/{node}.pem\"\nkey = \"certs/{node}.key\"\n";
  else if (has_many())
    out << "# With it the nodes prove to each other who they are; mode 600.\n"
           "secret_file = \"cluster.secret\"\n";
  if (has_many())
    out
      << "\n# Each message on two nodes: one may die for good, and nothing "
         "confirmed is lost.\n"
      << (nodes.size() == 2
            ? "# While one is away the other takes no messages: three go on.\n"
            : "")
      << "[replication]\nreplicas = 1\n";
  out << "\n[auth]\nmode = \"" << asked.auth << "\"\n";
  if (asked.auth == "jwt")
    out << "# Who signs tokens has this secret, too; mode 600.\n"
           "key_file = \"jwt.secret\"\n";
  if (asked.auth == "accesskey")
    out << "\n[auth.login]\nprovider = \"file\"\n"
           "# Lines of `vartalap passwd NAME`; mode 600.\n"
           "users_file = \"users\"\n";
  const bool is_trusting = asked.auth == "none";
  for (const auto& node : nodes) {
    // Who is believed whatever he says may come from this machine alone, and
    // the metrics of one node need not leave it.
    const auto client = is_trusting ? loopback : node.host;
    const auto admin = is_trusting || !has_many() ? loopback : node.host;
    out << "\n[[node]]\nname = \"" << node.name << "\"\nclient = \""
        << address(client, client_port, node.before) << "\"\nadmin = \""
        << address(admin, admin_port, node.before) << "\"\n";
    if (has_many())
      out << "peer = \"" << address(node.host, peer_port, node.before)
          << "\"\n";
    out << "data = \"" << (files::path(asked.data) / node.name).string()
        << "\"\n";
  }
  return out.str();
}

void write_secret(const plan& what, const std::string& name,
                  const std::string& text, ::mode_t mode = 0600) {
  if (!write_new_file(what.path_of(name), text, mode))
    throw std::runtime_error(what.path_of(name) + " is there already");
}

void write_all(const plan& what, const std::string& config) {
  files::create_directories(what.asked.directory);
  if (what.wants_certificates()) {
    certs_request certs;
    certs.directory = what.path_of("certs");
    make_authority(certs);
    for (const auto& node : what.nodes) {
      certs.node = node.name;
      make_node_certificate(certs);
    }
  } else if (what.has_many()) {
    write_secret(what, "cluster.secret", random_hex(32) + '\n');
  }
  if (what.asked.auth == "jwt")
    write_secret(what, "jwt.secret", random_hex(32) + '\n');
  if (what.asked.auth == "accesskey")
    write_secret(what, "users",
                 what.asked.user + ':' + hash_password(what.password) + '\n');
  write_secret(what, "cluster.toml", config, 0644);
}

/// All of it or nothing.
void make(const plan& what) {
  const auto config = what.config();
  const auto path = what.path_of("cluster.toml");
  std::string problems;
  for (const auto& problem : parse_config(config, path).problems)
    problems += (problems.empty() ? "" : "\n") + to_text(problem);
  if (!problems.empty())
    throw std::runtime_error("nothing was written:\n" + problems);
  const auto names = what.names();
  for (const auto& name : names)
    if (files::exists(files::symlink_status(what.path_of(name))))
      throw std::runtime_error(what.path_of(name)
                               + " is there already, so nothing was written: "
                                 "name another folder with --dir");
  try {
    write_all(what, config);
  } catch (...) {
    std::error_code ignored;
    for (const auto& name : names)
      files::remove(what.path_of(name), ignored);
    throw;
  }
}

void tell(const plan& what, std::ostream& out) {
  const auto config = what.path_of("cluster.toml");
  out << "made:";
  for (const auto& name : what.names())
    out << ' ' << what.path_of(name);
  out << '\n';
  if (!what.password.empty())
    out << "the first user is " << what.asked.user << ", password "
        << what.password << " (not shown again); more: vartalap passwd NAME >> "
        << what.path_of("users") << '\n';
  if (what.wants_certificates())
    out << "copy cluster.toml"
        << (what.asked.auth == "jwt" ? ", jwt.secret" : "")
        << ", certs/ca.pem, certs/NAME.pem and certs/NAME.key to the host of "
           "each node; keep certs/ca.key off them\n"
           "let nobody but operators reach the admin addresses\n";
  out << "next:\n  vartalap check --config " << config << '\n';
  for (const auto& node : what.nodes)
    out << "  vartalap serve --config " << config << " --node " << node.name
        << '\n';
  if (what.asked.auth == "jwt")
    out << "  vartalap token alice --config " << config << '\n';
}

} // namespace

void add_init_options(CLI::App& app, init_request& request) {
  app.add_option("--dir", request.directory, "Where to write it")
    ->capture_default_str();
  app
    .add_option("--data", request.data,
                "Where each node has its folder; relative to --dir")
    ->capture_default_str();
  app
    .add_option("--nodes", request.nodes,
                "NAME=IP,… of all nodes, 127.0.0.1 where =IP is left out; "
                "without it n1 alone, on this machine")
    ->delimiter(',');
  app
    .add_option("--auth", request.auth,
                "Who clients are: none (whom they say; on loopback), jwt "
                "(tokens of yours), accesskey (they log in)")
    ->check(CLI::IsMember({"none", "jwt", "accesskey"}))
    ->capture_default_str();
  app.add_option("--user", request.user, "accesskey: who may log in first")
    ->capture_default_str();
}

int run_init(const init_request& request, std::ostream& out,
             std::ostream& err) {
  try {
    const plan what(request);
    make(what);
    tell(what, out);
    return 0;
  } catch (const std::exception& problem) {
    err << "vartalap init: " << problem.what() << '\n';
    return 1;
  }
}

} // namespace vartalap::runtime
