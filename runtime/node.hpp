#pragma once

#include "core/options.hpp"
#include "core/ports.hpp"
#include "runtime/metrics.hpp"

#include <memory>
#include <string>

namespace vartalap::runtime {

/// How a node ended.
enum class node_end : int {
  orderly = 0,         ///< everything closed, nothing left to do
  forced = 1,          ///< something did not end in time; nothing is lost
  storage_failed = 70, ///< an I/O error: the disk is to be looked at
};

/// One node, assembled: shards, storage, actors, client port, administration.
class node {
public:
  /// Opens storage and the ports, starts the threads; clients are served from
  /// `serve` on.
  /// @throws std::runtime_error with a text for the operator.
  node(core::cluster_options options, const std::string& name,
       std::string config_file, core::log_port& log, process_metrics& metrics);
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Serves until SIGTERM or SIGINT, then closes in order: no new
  /// connections, 1001 to clients, everything pending stored. A second signal
  /// ends the process at once. SIGHUP reads again what can be
  /// (`reload_signal`). Those signals must be blocked in all threads.
  node_end serve();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

/// Blocks the signals that a node waits for (SIGHUP too), and ignores SIGPIPE.
/// First thing in main: threads inherit it.
void prepare_signals();

} // namespace vartalap::runtime
