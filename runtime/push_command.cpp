#include "runtime/push_command.hpp"

#include "net/push_sender.hpp"
#include "net/push_target_json.hpp"
#include "runtime/admin_call.hpp"
#include "runtime/config.hpp"

#include <CLI/CLI.hpp>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <future>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace vartalap::runtime {

namespace {

/// Longer than a node needs for any timeout of `[push]`.
constexpr long node_seconds = 660;

void print(const std::string& device, const std::string& provider,
           const std::string& outcome, const std::string& why) {
  std::printf("%-20s %-8s %-13s %s\n", device.c_str(), provider.c_str(),
              outcome.c_str(), why.c_str());
}

std::string text_of(const rapidjson::Value& in, const char* key) {
  return in.HasMember(key) && in[key].IsString() ? in[key].GetString() : "";
}

std::string percent_encoded(const std::string& text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view plain
    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const auto c : text) {
    if (plain.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

core::push_target target_of(const push_request& request) {
  auto token = request.token;
  if (token == "-")
    token.assign(std::istreambuf_iterator<char>(std::cin), {});
  while (!token.empty() && token.back() == '\n')
    token.pop_back();
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  json.StartObject();
  json.Key("platform");
  json.String(request.platform.c_str());
  json.Key("token");
  json.String(token.c_str());
  json.EndObject();
  auto read
    = net::api::parse_push_target({buffer.GetString(), buffer.GetSize()});
  if (const auto* bad = std::get_if<net::api::refused>(&read))
    throw std::runtime_error(bad->why);
  auto& target = std::get<0>(read);
  if (!target || target->platform == core::push_platform::none)
    throw std::runtime_error("--platform must be fcm, apns or webpush");
  return std::move(*target);
}

int test_token(const core::cluster_options& options,
               const push_request& request) {
  auto target = target_of(request);
  net::push_sender sender(options.push);
  core::push_notice notice;
  notice.test = true;
  notice.now = static_cast<core::wall_ms>(
    std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
  std::promise<core::push_outcome> told;
  sender.send(std::move(target), notice,
              [&](const core::push_outcome& how) { told.set_value(how); });
  const auto how = told.get_future().get();
  print("-", request.platform, std::string(core::to_string(how.what)), how.why);
  return how.what == core::push_outcome::delivered ? 0 : 1;
}

/// Prints what a node has answered.
/// @returns True where every target was delivered to.
bool print_answer(const std::string& body) {
  rapidjson::Document read;
  read.Parse(body.c_str());
  if (read.HasParseError() || !read.IsObject() || !read.HasMember("targets")
      || !read["targets"].IsArray())
    return false;
  const auto targets = read["targets"].GetArray();
  if (targets.Empty())
    std::cerr << "push test: this user has no device with a push target of a "
                 "provider in [push], and there is no webhook\n";
  bool well = !targets.Empty();
  for (const auto& each : targets) {
    const auto outcome = text_of(each, "outcome");
    well = well && outcome == "delivered";
    print(text_of(each, "device"), text_of(each, "provider"), outcome,
          text_of(each, "why"));
  }
  return well;
}

int test_user(const core::cluster_options& options,
              const push_request& request) {
  auto nodes = options.nodes;
  if (!request.node.empty())
    nodes = {find_node(options, request.node)};
  const auto path = "/push/test?user=" + percent_encoded(request.user);
  std::string problem;
  for (const auto& node : nodes) {
    const auto answer
      = ask_admin(node, options.auth, "POST", path, node_seconds);
    if (answer.status == 200)
      return print_answer(answer.body) ? 0 : 1;
    problem.append("push test: ").append(node.name).append(": ");
    problem.append(answer.problem.empty() ? answer.body : answer.problem);
    problem.append("\n");
  }
  std::cerr << problem;
  return 1;
}

} // namespace

void add_push_options(CLI::App& app, push_request& request) {
  app.require_subcommand(1);
  auto* test = app.add_subcommand(
    "test", "Send a test to the devices of a user, or to one token");
  auto* user = test->add_option("USER", request.user, "Whose devices");
  auto* platform = test->add_option("--platform", request.platform,
                                    "fcm, apns or webpush, with --token");
  auto* token = test->add_option(
    "--token", request.token,
    "Instead of a user: the token, or the subscription; - reads it from "
    "standard input");
  platform->needs(token)->excludes(user);
  token->needs(platform)->excludes(user);
  test->add_option("--node", request.node, "Ask only this node");
  auto* key = app.add_subcommand(
    "key", "Print the key that browsers subscribe with (applicationServerKey)");
  key->callback([&request] { request.key = true; });
  for (auto* each : {test, key})
    each->add_option("--config", request.config, "The cluster's file")
      ->capture_default_str();
}

int run_push(const push_request& request) {
  try {
    const auto options = load_config(request.config);
    if (request.key) {
      const auto keys = net::load_push_keys(options.push);
      if (keys.webpush_point.empty())
        throw std::runtime_error("[push.webpush] has no key_file");
      std::cout << net::base64url(keys.webpush_point) << '\n';
      return 0;
    }
    if (!request.token.empty())
      return test_token(options, request);
    if (request.user.empty())
      throw std::runtime_error("name a user, or --platform and --token");
    return test_user(options, request);
  } catch (const std::exception& problem) {
    std::cerr << "push: " << problem.what() << '\n';
    return 2;
  }
}

} // namespace vartalap::runtime
