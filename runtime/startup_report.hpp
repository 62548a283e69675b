#pragma once

#include "core/options.hpp"
#include "core/ports.hpp"
#include "runtime/host_facts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// What a node knows of itself once it serves.
struct startup_facts {
  std::string version;
  std::string config_file;
  core::node_options node; ///< with the ports that were really opened
  std::string node_uuid;
  std::uint32_t incarnation = 0;
  unsigned shards = 0;
  std::uint64_t pending = 0;    ///< messages found on disk
  std::string web;              ///< folder of the browser client, or empty
  std::string admin_token_file; ///< where the token of administration is
  host_facts host;
};

/// One line of the log.
struct report_line {
  core::log_level level = core::log_level::info;
  std::string text;

  bool operator==(const report_line&) const = default;
};

/// What an operator wants to know at start, and what to mend, as lines to log
/// in this order. Pure.
std::vector<report_line> startup_report(const startup_facts& facts,
                                        const core::cluster_options& options);

} // namespace vartalap::runtime
