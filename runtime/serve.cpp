#include "runtime/serve.hpp"

#include "runtime/config.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/node.hpp"
#include "storage/store.hpp"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <memory>

namespace vartalap::runtime {

void add_serve_options(CLI::App& app, serve_request& request) {
  app.add_option("--config", request.config, "The cluster's file")
    ->capture_default_str();
  app.add_option("--node", request.node,
                 "The node to run; not needed where the file has one");
}

int run_serve(const serve_request& request) {
  core::cluster_options options;
  try {
    options = load_config(request.config);
    find_node(options, request.node);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  process_metrics metrics;
  auto log = std::make_shared<process_log>(options.runtime);
  metrics.add_collector([weak = std::weak_ptr(log)](process_metrics& into) {
    if (const auto lines = weak.lock())
      into.set_total("log_lines_lost_total",
                     static_cast<double>(lines->lost()));
  });
  auto end = node_end::orderly;
  try {
    node serving(options, request.node, request.config, *log, metrics);
    end = serving.serve();
    if (end != node_end::orderly) {
      // What did not end in time is not waited for again by destructors.
      log.reset();
      ::_exit(static_cast<int>(end));
    }
  } catch (const std::exception& error) {
    log->write(core::log_level::error, "node",
               std::string("cannot start: ") + error.what());
    return 1;
  }
  return static_cast<int>(end);
}

int run_backup(const std::string& data, const std::string& target) {
  try {
    storage::backup(data, target);
  } catch (const std::exception& error) {
    std::cerr << "backup: " << error.what() << '\n';
    return 2;
  }
  std::cout << "copied " << data << " to " << target << '\n';
  return 0;
}

int run_verify(const std::string& data) {
  try {
    const auto found = storage::verify(data);
    std::cout << data << ": " << found.journal_records
              << " messages in the journal, " << found.mailbox_records << " in "
              << found.mailboxes << " mailboxes, " << found.devices
              << " devices, " << found.damaged << " damaged\n";
    for (const auto& problem : found.problems)
      std::cout << "  " << problem << '\n';
    return found.problems.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "verify: " << error.what() << '\n';
    return 2;
  }
}

} // namespace vartalap::runtime
