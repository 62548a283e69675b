#include "runtime/startup_report.hpp"

#include "runtime/units_text.hpp"

namespace vartalap::runtime {

namespace {

std::string size_text(std::size_t bytes) {
  return bytes == 0 ? "no limit"
                    : format_size(static_cast<std::int64_t>(bytes));
}

std::string durability_text(core::durability_mode mode) {
  return mode == core::durability_mode::strict
           ? "strict (every commit is synced)"
           : "relaxed (a power cut may lose the last commit)";
}

std::string data_text(const startup_facts& facts,
                      const core::cluster_options& options) {
  auto text = "data in " + facts.node.data + ", durability "
              + durability_text(options.storage.durability) + ", "
              + std::to_string(facts.pending) + " messages waiting";
  if (facts.host.disk_bytes != 0)
    text += ", "
            + format_size(static_cast<std::int64_t>(facts.host.disk_free
                                                    / core::MiB * core::MiB))
            + " free";
  return text;
}

} // namespace

std::vector<report_line> startup_report(const startup_facts& facts,
                                        const core::cluster_options& options) {
  std::vector<report_line> lines;
  const auto say = [&](std::string text) {
    lines.push_back({core::log_level::info, std::move(text)});
  };
  const auto warn = [&](std::string text) {
    lines.push_back({core::log_level::warning, std::move(text)});
  };
  say("vartalap " + facts.version + ", cluster " + options.name + ", node "
      + facts.node.name + " (" + facts.node_uuid + ", start "
      + std::to_string(facts.incarnation) + "), configured by "
      + facts.config_file);
  const std::string secure = facts.node.tls.wanted() ? "s" : "";
  say("clients: ws" + secure + "://" + facts.node.client + "/v1.0/wss/ and http"
      + secure + "://" + facts.node.client);
  say(std::string("administration: http") + (facts.node.tls.admin ? "s" : "")
      + "://" + facts.node.admin
      + "/ (metrics, healthz, readyz); calls that change something need the "
        "token in "
      + facts.admin_token_file);
  say(data_text(facts, options));
  say(std::to_string(facts.shards) + " shards, "
      + std::to_string(options.runtime.workers) + " workers, messages in "
      + "memory: " + size_text(options.limits.memory_budget));
  say("up to "
      + std::to_string(connection_limit(options.limits, facts.host.open_files))
      + " connections, "
      + (options.limits.max_connections_per_address == 0
           ? std::string("any number")
           : std::to_string(options.limits.max_connections_per_address))
      + " per address");
  if (facts.web.empty())
    warn("no browser client: set runtime.web to the folder web of the source "
         "tree");
  else
    say("browser client: http" + secure + "://" + facts.node.client + "/ from "
        + facts.web);
  if (options.auth.mode == core::auth_mode::none)
    warn("auth.mode is \"none\": a client is the user that it says it is; "
         "only this machine can reach the listener");
  for (auto& warning : host_warnings(facts.host, options))
    warn(std::move(warning));
  say("ready");
  return lines;
}

} // namespace vartalap::runtime
