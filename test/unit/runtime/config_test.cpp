#include "runtime/config.hpp"
#include "runtime/config_table.hpp"
#include "runtime/config_value.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace vartalap::runtime {

namespace {

const std::string node = "[[node]]\nname = \"n1\"\ndata = \"d\"\n";

config_result parse(const std::string& text) {
  return parse_config(text, "cluster.toml");
}

/// The messages for a text, all in one.
std::string complaints(const std::string& text) {
  std::string all;
  for (const auto& problem : parse(text).problems)
    all += to_text(problem) + "\n";
  return all;
}

/// The only message for a text.
std::string complaint(const std::string& text) {
  const auto problems = parse(text).problems;
  CAPTURE(complaints(text));
  REQUIRE(problems.size() == 1);
  return to_text(problems.front());
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("config takes every default where only a node is given") {
  const auto result = parse(node);
  CHECK(result.ok());
  const auto& options = result.options;
  CHECK(options.name == "vartalap");
  CHECK(options.delivery.ack_timeout == core::milliseconds(5000));
  CHECK(options.limits.output_bytes == core::MiB);
  REQUIRE(options.nodes.size() == 1);
  CHECK(options.nodes[0].client == "127.0.0.1:8080");
}

TEST_CASE("config reads a value of each kind") {
  const auto result = parse(R"(
[cluster]
name = "demo"
[delivery]
ack_timeout = "250ms"
window = 7
accept_unknown_users = false
[storage]
durability = "relaxed"
[limits]
message_rate = 12.5
message_burst = 20
output_bytes = "2MiB"
mailbox_bytes = 1048576
trusted_proxies = ["10.0.0.5", "::1"]
[runtime]
coalesce = "150us"
)" + node);
  REQUIRE(result.ok());
  const auto& options = result.options;
  CHECK(options.name == "demo");
  CHECK(options.delivery.ack_timeout == core::milliseconds(250));
  CHECK(options.delivery.window == 7);
  CHECK_FALSE(options.delivery.accept_unknown_users);
  CHECK(options.storage.durability == core::durability_mode::relaxed);
  CHECK(options.limits.message_rate == Approx(12.5));
  CHECK(options.limits.message_burst == Approx(20));
  CHECK(options.limits.output_bytes == 2 * core::MiB);
  CHECK(options.limits.mailbox_bytes == core::MiB);
  CHECK(options.limits.trusted_proxies
        == std::vector<std::string>{"10.0.0.5", "::1"});
  CHECK(options.runtime.coalesce == core::microseconds(150));
}

TEST_CASE("config sets each key of the table and nothing else") {
  for (const auto& setting : cluster_settings()) {
    CAPTURE(setting.section, setting.key);
    core::cluster_options changed;
    auto value = setting.get(changed);
    if (auto* flag = std::get_if<bool>(&value))
      *flag = !*flag;
    else if (auto* number = std::get_if<std::int64_t>(&value))
      *number += setting.rule.step;
    else if (auto* real = std::get_if<double>(&value))
      *real += 1;
    else if (auto* text = std::get_if<std::string>(&value))
      *text = setting.rule.choices.size() > 1 ? setting.rule.choices.back()
                                              : "other";
    else
      value = std::vector<std::string>{"other"};
    if (setting.rule.kind == value_kind::choice
        && setting.rule.choices.size() == 1)
      continue; // no second value in this version
    if (setting.key == "log_level")
      value = std::string("debug");
    setting.set(changed, value);
    const core::cluster_options untouched;
    for (const auto& other : cluster_settings()) {
      const bool same = &other == &setting;
      CAPTURE(other.key);
      CHECK((other.get(changed) != other.get(untouched)) == same);
    }
  }
}

TEST_CASE("config takes relative paths from the folder of the file") {
  const auto result = parse_config(node, "/etc/vartalap/cluster.toml");
  CHECK(result.options.nodes[0].data == "/etc/vartalap/d");
  CHECK(parse(node).options.nodes[0].data == "d");
  const auto absolute = parse_config(
    "[[node]]\nname = \"n1\"\ndata = \"/var/lib/v\"\n", "/etc/cluster.toml");
  CHECK(absolute.options.nodes[0].data == "/var/lib/v");
}

TEST_CASE("config tells the place of an unknown key and the one meant") {
  CHECK(complaint("[delivery]\nack_timout = \"5s\"\n" + node)
        == "cluster.toml:2:1: delivery.ack_timout: unknown key. Mend: did you "
           "mean ack_timeout?");
  CHECK(contains(complaint("[limit]\nunconfirmed = 3\n" + node),
                 "cluster.toml:1:2: limit: unknown key. Mend: did you mean "
                 "limits?"));
  CHECK(contains(complaint("[storage]\nttl = \"5d\"\n" + node),
                 "belongs to [delivery]"));
  CHECK(contains(complaint("[storage]\nzzzzzzzz = 1\n" + node), "remove it"));
  CHECK(contains(complaint(node + "clinet = \"127.0.0.1:1\"\n"),
                 "node[0].clinet: unknown key. Mend: did you mean client?"));
}

TEST_CASE("config tells a wrong type and how to write the value") {
  const auto wrong = [](const std::string& line) {
    return complaint("[delivery]\n" + line + "\n" + node);
  };
  CHECK(contains(wrong("ack_timeout = 5"), "write a string with a unit"));
  CHECK(contains(wrong("ack_timeout = true"), "wrong type"));
  CHECK(contains(wrong("ack_timeout = \"5 seconds\""), "unknown unit"));
  CHECK(contains(wrong("window = \"64\""), "write a whole number"));
  CHECK(contains(wrong("window = 1.5"), "write a whole number"));
  CHECK(contains(wrong("window = {}"), "wrong type"));
  CHECK(contains(wrong("accept_unknown_users = 1"), "true or false"));
  CHECK(contains(complaint("[limits]\ntrusted_proxies = [1]\n" + node),
                 "list of strings"));
  CHECK(contains(complaint("[storage]\ndurability = \"strickt\"\n" + node),
                 "did you mean \"strict\"?"));
  CHECK(contains(complaint("delivery = 3\n" + node), "write [delivery]"));
  CHECK(contains(complaints("[node]\nname = \"n1\"\n"), "write [[node]]"));
}

TEST_CASE("config refuses each bounded key just outside of its range") {
  for (const auto& setting : cluster_settings()) {
    const auto& rule = setting.rule;
    if (rule.kind != value_kind::count && rule.kind != value_kind::size
        && rule.kind != value_kind::duration)
      continue;
    CAPTURE(setting.section, setting.key);
    const auto passes = [&](std::int64_t number) {
      const auto written = to_toml(number, rule);
      const auto problems = parse("[" + setting.section + "]\n" + setting.key
                                  + " = " + written + "\n" + node)
                              .problems;
      return std::none_of(problems.begin(), problems.end(), [](const auto& p) {
        return contains(p.what, "out of range");
      });
    };
    CHECK(passes(rule.least));
    CHECK(passes(rule.most));
    CHECK_FALSE(passes(rule.most + rule.step));
    if (rule.least > rule.step)
      CHECK_FALSE(passes(rule.least - rule.step));
    if (rule.least > 0 && rule.zero.empty())
      CHECK_FALSE(passes(0));
    if (!rule.zero.empty())
      CHECK(passes(0));
  }
}

TEST_CASE("config refuses values that contradict each other") {
  CHECK(contains(complaint("[limits]\noutput_bytes = \"335KiB\"\n" + node),
                 "less than a delivery window and one frame (336KiB)"));
  CHECK(parse("[limits]\noutput_bytes = \"336KiB\"\n" + node).ok());
  CHECK(contains(complaint("[delivery]\nspill_after = \"2s\"\n" + node),
                 "more than spill_max = 1s"));
  CHECK(contains(complaint("[delivery]\nttl = \"5s\"\n" + node),
                 "no longer than ack_timeout"));
  CHECK(contains(complaint("[storage]\nmax_bytes = \"1GiB\"\n" + node),
                 "more than half of max_bytes"));
  CHECK(contains(complaint("[limits]\nmailbox_bytes = \"79KiB\"\n" + node),
                 "cannot hold one message"));
  CHECK(contains(complaint("[limits]\nmemory_budget = \"255KiB\"\n" + node),
                 "less than memory_bytes"));
  CHECK(contains(complaint("[limits]\nmessage_burst = 0\n" + node),
                 "nobody could send"));
  CHECK(contains(complaint("[replication]\nmin_copies = 2\n" + node),
                 "cannot be reached"));
  CHECK(contains(complaint("[limits]\ntrusted_proxies = [\"proxy\"]\n" + node),
                 "is no IP address"));
  CHECK(contains(
    complaint("[auth]\nallowed_origins = [\"https://a.b/c\"]\n" + node),
    "is no origin"));
}

TEST_CASE("config wants the key of tokens in one place, and for tokens only") {
  const std::string jwt = "[auth]\nmode = \"jwt\"\n";
  CHECK(contains(complaint(jwt + node), "needs the key"));
  CHECK(
    contains(complaint(jwt + "key_file = \"k\"\njwks_file = \"j\"\n" + node),
             "not used beside jwks_file"));
  CHECK(parse(jwt + "key_file = \"k\"\n" + node).ok());
  CHECK(
    parse(jwt + "jwks_file = \"j\"\nissuer = \"i\"\naudience = \"a\"\n" + node)
      .ok());
  for (const auto* key : {"key_file", "jwks_file", "issuer", "audience"})
    CHECK(
      contains(complaint("[auth]\n" + std::string(key) + " = \"x\"\n" + node),
               "used by mode = \"jwt\" only"));
  // Who is known may come from anywhere.
  CHECK(parse(jwt + "key_file = \"k\"\n" + node + "client = \"0.0.0.0:8080\"\n")
          .ok());
}

TEST_CASE("config wants somebody who checks logins, and what he needs") {
  const std::string keys = "[auth]\nmode = \"accesskey\"\n";
  const auto with = [&](const std::string& login) {
    return keys + "[auth.login]\n" + login + node;
  };
  CHECK(contains(complaint(keys + node), "needs somebody who checks logins"));
  CHECK(contains(complaint("[auth.login]\nprovider = \"file\"\nusers_file = "
                           "\"u\"\n"
                           + node),
                 "is asked where auth.mode"));
  CHECK(contains(complaint(with("provider = \"file\"\n")), "needs users_file"));
  CHECK(parse(with("provider = \"file\"\nusers_file = \"u\"\n")).ok());
  CHECK(contains(complaint(with("provider = \"file\"\nusers_file = \"u\"\n"
                                "jwks_file = \"j\"\n")),
                 "used by provider = \"firebase\" only"));
  const std::string hook = "provider = \"webhook\"\nwebhook_url = ";
  CHECK(contains(complaint(with(hook + "\"http://id.example/x\"\n")),
                 "in the clear"));
  CHECK(parse(with(hook + "\"https://id.example/x\"\n")).ok());
  CHECK(parse(with(hook + "\"http://127.0.0.1:9/x\"\n")).ok());
  const std::string firebase
    = "provider = \"firebase\"\nfirebase_project = \"p\"\n";
  CHECK(contains(complaint(with(firebase)), "needs jwks_file"));
  CHECK(parse(with(firebase + "jwks_file = \"j\"\n")).ok());
}

TEST_CASE("config wants certificate and key together") {
  CHECK(contains(complaint(node + "[node.tls]\ncertificate = \"c\"\n"),
                 "needs certificate and key"));
  CHECK(contains(complaint(node + "[node.tls]\nadmin = true\n"),
                 "needs certificate and key"));
  const auto result = parse(
    node + "[node.tls]\ncertificate = \"c\"\nkey = \"k\"\nadmin = true\n");
  REQUIRE(result.ok());
  CHECK(result.options.nodes.front().tls.wanted());
  CHECK(result.options.nodes.front().tls.admin);
}

TEST_CASE("config takes addresses and networks for proxies") {
  const auto of = [](const std::string& proxy) {
    return parse("[limits]\ntrusted_proxies = [\"" + proxy + "\"]\n" + node)
      .ok();
  };
  for (const auto* good :
       {"10.0.0.5", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", "::1/128"})
    CHECK(of(good));
  for (const auto* bad : {"proxy", "10.0.0.5:80", "10.0.0.0/33", "::1/129",
                          "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1", "/8"})
    CHECK_FALSE(of(bad));
}

TEST_CASE("config asks for a node with a name and a folder of its own") {
  CHECK(contains(complaint(""), "there is no [[node]]"));
  CHECK(contains(complaints("[[node]]\n"), "node[0].name: is missing"));
  CHECK(contains(complaints("[[node]]\n"), "node[0].data: is missing"));
  CHECK(contains(complaint("[[node]]\nname = \"n 1\"\ndata = \"d\"\n"),
                 "no name of a node"));
  const auto twice = complaints(node + node);
  CHECK(contains(twice, "\"n1\" is taken already"));
  CHECK(contains(twice, "the folder of another node"));
  CHECK(contains(twice,
                 "node[1].client: 127.0.0.1:8080 is taken by node[0].client"));
}

TEST_CASE("config refuses addresses that collide or are none") {
  CHECK(contains(complaint(node + "admin = \"127.0.0.1:8080\"\n"),
                 "is taken by node[0].client already"));
  CHECK(contains(complaint(node + "client = \"8080\"\n"), "has no port"));
  CHECK(parse(node
              + "client = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n"
                "peer = \"127.0.0.1:0\"\n")
          .ok());
}

TEST_CASE("config lets nobody but this machine in without authentication") {
  CHECK(contains(complaint(node + "client = \"0.0.0.0:8080\"\n"),
                 "only loopback may be listened on"));
  CHECK(contains(complaint(node + "client = \"[::]:8080\"\n"),
                 "only loopback may be listened on"));
  CHECK(parse(node + "client = \"[::1]:8080\"\n").ok());
}

TEST_CASE("config lets nobody else administer without authentication") {
  const auto open = node + "admin = \"10.0.0.1:9080\"\n";
  CHECK(contains(complaint(open), "only loopback may be listened on"));
  CHECK(contains(complaint("[auth]\nadmin_token_file = \"t\"\n" + open),
                 "only loopback may be listened on"));
  CHECK(parse(node + "admin = \"[::1]:9080\"\n").ok());
}

TEST_CASE("config tells all problems at once in the order of the file") {
  const auto problems = parse("[delivery]\nwindow = 0\nttl = 3\n[limits]\n"
                              "foo = 1\n")
                          .problems;
  REQUIRE(problems.size() == 4);
  CHECK(problems[0].key == "node");
  CHECK(problems[1].line == 2);
  CHECK(problems[2].line == 3);
  CHECK(problems[3].line == 5);
}

TEST_CASE("config tells the place where a text stops being TOML") {
  const auto text = complaint("[delivery]\nwindow = = 3\n");
  CHECK(contains(text, "cluster.toml:2:"));
  CHECK(contains(text, "this is no TOML"));
}

TEST_CASE("config tells a file that cannot be read") {
  const auto missing = read_config("/nonexistent/cluster.toml");
  REQUIRE(missing.problems.size() == 1);
  CHECK(contains(to_text(missing.problems[0]), "No such file"));
  CHECK_FALSE(read_config("/").ok());
  CHECK_THROWS_AS(load_config("/nonexistent/cluster.toml"), config_error);
}

TEST_CASE("config finds the node to run") {
  core::cluster_options options;
  options.nodes.resize(1);
  options.nodes[0].name = "n1";
  CHECK(&find_node(options, "") == options.nodes.data());
  CHECK(&find_node(options, "n1") == options.nodes.data());
  CHECK_THROWS_WITH(find_node(options, "n2"),
                    "no node is called \"n2\": choose one of n1");
  options.nodes.resize(2);
  options.nodes[1].name = "n2";
  CHECK(find_node(options, "n2").name == "n2");
  CHECK_THROWS(find_node(options, ""));
}

namespace {

/// A file with two nodes whose links are at these addresses.
std::string two_nodes(const std::string& cluster,
                      const std::string& peer1 = "127.0.0.1:7081",
                      const std::string& peer2 = "127.0.0.1:7082") {
  return cluster
         + "[[node]]\nname = \"n1\"\ndata = \"d1\"\n"
           "client = \"127.0.0.1:8081\"\nadmin = \"127.0.0.1:9081\"\npeer = \""
         + peer1
         + "\"\n[[node]]\nname = \"n2\"\ndata = \"d2\"\n"
           "client = \"127.0.0.1:8082\"\nadmin = \"127.0.0.1:9082\"\npeer = \""
         + peer2 + "\"\n";
}

const std::string secret = "[cluster]\nsecret_file = \"cluster.secret\"\n";
const std::string tls = "[cluster.tls]\nca = \"ca.pem\"\n"
                        "certificate = \"{node}.pem\"\nkey = \"{node}.key\"\n";

} // namespace

TEST_CASE("config takes several nodes with a secret, or with certificates") {
  const auto result
    = parse(two_nodes(secret + "[replication]\nreplicas = 1\n"));
  CHECK(complaints(two_nodes(secret)).empty());
  CHECK(result.ok());
  CHECK(result.options.replication.copies() == 2);
  CHECK(complaints(two_nodes(tls, "10.0.0.1:7080", "10.0.0.2:7080")).empty());
  const auto with_tls = parse(two_nodes(tls, "10.0.0.1:7080", "10.0.0.2:7080"));
  CHECK(with_tls.options.peers.has_tls());
  CHECK(contains(with_tls.options.peers.key, "{node}.key"));
}

TEST_CASE("config refuses several nodes that prove nothing to each other") {
  CHECK(contains(complaint(two_nodes("")), "openssl rand"));
  CHECK(contains(complaint(two_nodes("", "10.0.0.1:7080", "10.0.0.2:7080")),
                 "vartalap certs init"));
  CHECK(contains(complaint(two_nodes(secret, "10.0.0.1:7080", "10.0.0.2:7080")),
                 "encrypts nothing"));
  CHECK(contains(complaint(two_nodes("[cluster.tls]\nca = \"ca.pem\"\n")),
                 "needs ca, certificate and key"));
  CHECK(contains(complaint(two_nodes(secret + tls)), "not used beside"));
  CHECK(contains(complaint(two_nodes(tls, "0.0.0.0:7080", "10.0.0.2:7080")),
                 "other nodes can dial"));
}

TEST_CASE("config compares addresses of nodes on one host only") {
  const auto text = two_nodes(secret, "127.0.0.1:7081", "127.0.0.1:8081");
  CHECK(contains(complaint(text), "is taken by"));
  auto apart = two_nodes(tls, "10.0.0.1:7080", "10.0.0.2:7080");
  apart.replace(apart.find("8082"), 4, "8081");
  CHECK(complaints(apart).empty());
}

TEST_CASE("config knows how many copies its nodes can keep") {
  CHECK(contains(complaint("[replication]\nreplicas = 1\n" + node),
                 "need 2 nodes"));
  CHECK(
    contains(complaint(two_nodes(secret + "[replication]\nmin_copies = 2\n")),
             "cannot be reached"));
  const auto lone = parse(node);
  CHECK(lone.options.replication.copies() == 1);
}

} // namespace vartalap::runtime
