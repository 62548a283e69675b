#include "runtime/cluster_commands.hpp"

#include "runtime/admin_call.hpp"
#include "runtime/config.hpp"

#include <CLI/CLI.hpp>
#include <rapidjson/document.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>
#include <vector>

namespace vartalap::runtime {

namespace {

/// How long `drain` waits for the node to end.
constexpr std::chrono::minutes drained_within{30};

std::vector<core::node_options> chosen(const core::cluster_options& options,
                                       const std::string& name) {
  if (name.empty())
    return options.nodes;
  return {find_node(options, name)};
}

/// Reads the configuration and chooses the nodes; says why it cannot.
bool read_nodes(const cluster_request& request, core::cluster_options& options,
                std::vector<core::node_options>& nodes) {
  try {
    options = load_config(request.config);
    nodes = chosen(options, request.node);
    return true;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return false;
  }
}

std::string text_of(const rapidjson::Value& in, const char* key) {
  return in.HasMember(key) && in[key].IsString() ? in[key].GetString() : "";
}

std::uint64_t number_of(const rapidjson::Value& in, const char* key) {
  return in.HasMember(key) && in[key].IsUint64() ? in[key].GetUint64() : 0;
}

bool flag_of(const rapidjson::Value& in, const char* key) {
  return in.HasMember(key) && in[key].IsBool() && in[key].GetBool();
}

/// Prints one node's picture.
/// @returns False where something is to be looked at.
bool print_picture(const rapidjson::Document& seen) {
  const auto under = number_of(seen, "underReplicated");
  const auto foreign = number_of(seen, "foreign");
  const auto ownerless = number_of(seen, "ownerless");
  std::printf("%s: %s, %s; %llu messages lack a copy, %llu kept for absent "
              "nodes, %llu buckets without a home\n",
              text_of(seen, "node").c_str(), text_of(seen, "phase").c_str(),
              flag_of(seen, "calm") ? "calm" : "not calm",
              static_cast<unsigned long long>(under),
              static_cast<unsigned long long>(foreign),
              static_cast<unsigned long long>(ownerless));
  auto well = flag_of(seen, "calm") && under == 0 && ownerless == 0;
  std::printf("  %-16s %-9s %7s %8s %9s %10s  %s\n", "node", "phase", "homes",
              "to copy", "rtt us", "in flight", "link");
  if (!seen.HasMember("nodes") || !seen["nodes"].IsArray())
    return false;
  for (const auto& node : seen["nodes"].GetArray()) {
    const auto is_me = !node.HasMember("link");
    const rapidjson::Value none(rapidjson::kObjectType);
    const auto& link = is_me ? none : node["link"];
    const auto up = is_me || flag_of(link, "up");
    well = well && up && flag_of(node, "trusted");
    std::printf(
      "  %-16s %-9s %7llu %8llu %9llu %10llu  %s\n",
      text_of(node, "name").c_str(), text_of(node, "phase").c_str(),
      static_cast<unsigned long long>(number_of(node, "owns")),
      static_cast<unsigned long long>(number_of(node, "toCopy")),
      static_cast<unsigned long long>(number_of(link, "roundTripUs")),
      static_cast<unsigned long long>(number_of(link, "inFlightBytes")),
      is_me ? "-"
      : up  ? "up"
            : text_of(link, "problem").c_str());
  }
  if (seen.HasMember("next") && seen["next"].IsArray()
      && !seen["next"].Empty()) {
    std::printf("  to be the nodes:");
    for (const auto& name : seen["next"].GetArray())
      std::printf(" %s", name.IsString() ? name.GetString() : "");
    std::printf("; not read yet by:");
    for (const auto& node : seen["nodes"].GetArray())
      if (!flag_of(node, "agrees"))
        std::printf(" %s", text_of(node, "name").c_str());
    std::printf("\n");
  }
  return well;
}

/// The metrics that `top` shows, without labels.
std::map<std::string, double> read_metrics(const std::string& page) {
  std::map<std::string, double> out;
  std::istringstream lines(page);
  std::string line;
  while (std::getline(lines, line)) {
    const auto end = line.find(' ');
    if (line.starts_with('#') || end == std::string::npos)
      continue;
    out[line.substr(0, end)] = std::strtod(line.c_str() + end, nullptr);
  }
  return out;
}

double value(const std::map<std::string, double>& all, const char* name) {
  const auto found = all.find(std::string("vartalap_") + name);
  return found == all.end() ? 0 : found->second;
}

void print_top(const core::node_options& node, const admin_answer& answer,
               std::map<std::string, double>& before, double seconds) {
  if (answer.status != 200) {
    std::printf("%-12s does not answer at %s: %s\n", node.name.c_str(),
                node.admin.c_str(),
                answer.problem.empty() ? "no metrics" : answer.problem.c_str());
    before.clear();
    return;
  }
  auto now = read_metrics(answer.body);
  const auto rate = [&](const char* name) {
    return before.empty() || seconds <= 0
             ? 0
             : (value(now, name) - value(before, name)) / seconds;
  };
  std::printf("%-12s %-6s %9.0f %10.0f %10.0f %10.0f %9.0f %8.0f %7.1f\n",
              node.name.c_str(), value(now, "ready") > 0 ? "yes" : "no",
              value(now, "connections"), rate("mailbox_received_total"),
              rate("mailbox_acknowledged_total"), value(now, "mailbox_pending"),
              rate("mailbox_redelivered_total"), rate("storage_commits_total"),
              100 * rate("process_cpu_seconds_total"));
  before = std::move(now);
}

} // namespace

void add_cluster_options(CLI::App& app, cluster_request& request) {
  app.add_option("--config", request.config, "The cluster's file")
    ->capture_default_str();
  app.add_option("--node", request.node, "Only this node");
}

int run_cluster_status(const cluster_request& request) {
  core::cluster_options options;
  std::vector<core::node_options> nodes;
  if (!read_nodes(request, options, nodes))
    return 2;
  auto well = true;
  for (const auto& node : nodes) {
    const auto answer = ask_admin(node, options.auth, "GET", "/cluster");
    rapidjson::Document seen;
    if (answer.status != 200 || seen.Parse(answer.body.c_str()).HasParseError()
        || !seen.IsObject()) {
      std::printf("%s: does not answer at http://%s/cluster: %s\n",
                  node.name.c_str(), node.admin.c_str(),
                  answer.problem.empty() ? answer.body.c_str()
                                         : answer.problem.c_str());
      well = false;
      continue;
    }
    well = print_picture(seen) && well;
  }
  return well ? 0 : 1;
}

int run_cluster_reload(const cluster_request& request) {
  core::cluster_options options;
  std::vector<core::node_options> nodes;
  if (!read_nodes(request, options, nodes))
    return 2;
  auto well = true;
  for (const auto& node : nodes) {
    const auto answer
      = ask_admin(node, options.auth, "POST", "/cluster/reload");
    well = well && answer.status == 202;
    std::cout << node.name << ": "
              << (answer.problem.empty()
                    ? answer.body
                    : answer.problem + " at http://" + node.admin + "\n");
    if (answer.status != 202 && answer.problem.empty())
      std::cout << '\n';
  }
  return well ? 0 : 1;
}

int run_drain(const cluster_request& request) {
  core::cluster_options options;
  core::node_options node;
  try {
    options = load_config(request.config);
    node = find_node(options, request.node);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  const auto answer = ask_admin(node, options.auth, "POST", "/drain");
  if (answer.status != 202) {
    std::cerr << "drain: " << node.name << " at http://" << node.admin << ": "
              << (answer.problem.empty() ? answer.body : answer.problem)
              << '\n';
    return 1;
  }
  std::cout << node.name << " hands over what it has\n" << std::flush;
  const auto until = std::chrono::steady_clock::now() + drained_within;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    if (ask_admin(node, options.auth, "GET", "/healthz").status == 0) {
      std::cout << node.name << " has ended\n";
      return 0;
    }
  }
  std::cerr << "drain: " << node.name << " has not ended: see its log and "
            << "vartalap cluster status\n";
  return 1;
}

int run_top(const cluster_request& request) {
  core::cluster_options options;
  std::vector<core::node_options> nodes;
  if (!read_nodes(request, options, nodes))
    return 2;
  const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(
    std::chrono::duration<double>(std::max(request.every, 0.1)));
  std::map<std::string, std::map<std::string, double>> before;
  auto last = std::chrono::steady_clock::now();
  for (unsigned i = 0; request.times == 0 || i < request.times; ++i) {
    if (i > 0)
      std::this_thread::sleep_for(pause);
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> passed = now - last;
    last = now;
    std::printf("%s%-12s %-6s %9s %10s %10s %10s %9s %8s %7s\n",
                request.times == 1 ? "" : "\n", "node", "ready", "conns",
                "msgs/s", "acks/s", "pending", "resent/s", "commit/s", "cpu %");
    for (const auto& node : nodes)
      print_top(node, ask_admin(node, options.auth, "GET", "/metrics"),
                before[node.name], i == 0 ? 0 : passed.count());
    std::fflush(stdout);
  }
  return 0;
}

} // namespace vartalap::runtime
