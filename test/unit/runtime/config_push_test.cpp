#include "runtime/check.hpp"
#include "runtime/config.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace vartalap::runtime {

namespace {

const std::string node = "[[node]]\nname = \"n1\"\ndata = \"d\"\n";

/// All messages for `[push]` parts.
std::string complaints(const std::string& text) {
  std::string all;
  for (const auto& problem : parse_config(text + node, "cluster.toml").problems)
    all += to_text(problem) + "\n";
  return all;
}

const std::string hook = "[push.webhook]\nsecret_file = \"s\"\nurl = ";
const std::string apns
  = "[push.apns]\nkey_file = \"k\"\nkey_id = \"K\"\nteam_id = \"T\"\n";

} // namespace

TEST_CASE("config reads the parts of push", "[push]") {
  const auto read = parse_config(
    "[push]\ncontent = true\ndelay = \"2s\"\nin_flight = 8\n" + hook
      + "\"https://h.example/x\"\n"
        "[push.fcm]\naccount_file = \"/a.json\"\n"
        "[push.webpush]\nkey_file = \"v.pem\"\nsubject = \"mailto:a@b.c\"\n"
      + apns + "topic = \"org.app\"\n" + node,
    "/etc/v/cluster.toml");
  REQUIRE(read.ok());
  const auto& push = read.options.push;
  CHECK(push.content);
  CHECK(push.delay == core::milliseconds{2000});
  CHECK(push.in_flight == 8);
  CHECK(push.webhook_secret_file == "/etc/v/s");
  CHECK(push.fcm_account_file == "/a.json");
  CHECK(push.fcm_url == "https://fcm.googleapis.com");
  CHECK(push.apns_url == "https://api.push.apple.com");
  CHECK(push.has_webhook());
  CHECK(push.has_webpush());
}

TEST_CASE("config has no provider on by itself", "[push]") {
  const auto read = parse_config(node, "cluster.toml");
  CHECK_FALSE(read.options.push.is_used());
}

TEST_CASE("config refuses what no provider can be reached with", "[push]") {
  const auto check = [](const std::string& text, const std::string& part) {
    INFO(complaints(text));
    CHECK(complaints(text).find(part) != std::string::npos);
  };
  check(hook + "\"http://h.example/\"\n", "is no address to send secrets to");
  check(hook + "\"https://u:p@h.example/\"\n", "push.webhook.url");
  check(hook + "\"https://h.example/\\r\\nx: y\"\n", "push.webhook.url");
  check("[push.webhook]\nurl = \"https://h/\"\n", "needs secret_file");
  check("[push.webhook]\nsecret_file = \"s\"\n",
        "has a secret_file but no url");
  check("[push.webpush]\nkey_file = \"k\"\n", "needs subject");
  check("[push.webpush]\nkey_file = \"k\"\nsubject = \"me\"\n",
        "is no contact");
  check(apns, "needs topic");
  check("[push.apns]\nkey_file = \"k\"\nkey_id = \"K\"\ntopic = \"t\"\n",
        "needs team_id");
  check(apns + "topic = \"a b\"\n", "odd characters");
  check(apns + "topic = \"t\"\nurl = \"http://apple.example\"\n",
        "push.apns.url");
  check("[push]\nretry_first = \"1h\"\n", "is more than retry_max");
  check("[push]\nprovider = \"x\"\n", "unknown key");
}

TEST_CASE("config lets tests call loopback over http", "[push]") {
  for (const auto* host : {"127.0.0.1:80", "localhost", "[::1]:80"})
    CHECK(complaints(hook + "\"http://" + host + "/x\"\n").empty());
}

TEST_CASE("check tries the keys of push", "[push]") {
  const std::string file = "config_push_test.toml";
  {
    std::ofstream out(file);
    out << "[push.webhook]\nurl = \"https://h.example\"\n"
           "secret_file = \"no-such-file\"\n"
        << node;
  }
  std::ostringstream said;
  std::ostringstream complained;
  check_request request;
  request.config = file;
  CHECK(run_check(request, said, complained) == 2);
  CHECK(complained.str().find("push.webhook.secret_file") != std::string::npos);
  std::remove(file.c_str());
}

} // namespace vartalap::runtime
