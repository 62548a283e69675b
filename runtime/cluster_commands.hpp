#pragma once

#include <string>

namespace CLI {
class App;
}

/// `vartalap cluster status` and `reload`, `vartalap drain`, `vartalap top`:
/// what they show and do they ask of the nodes' admin addresses.
namespace vartalap::runtime {

struct cluster_request {
  std::string config = "cluster.toml";
  std::string node;   ///< empty: all of them, but of drain the only one
  double every = 1;   ///< seconds between two pictures of `top`
  unsigned times = 0; ///< pictures of `top`; 0: until it is ended
};

void add_cluster_options(CLI::App& app, cluster_request& request);

/// Prints the cluster as each node sees it.
/// @returns 0 where all nodes answer, are linked and lack no copies; 1 where
///          something is to be looked at; 2 where the configuration is wrong.
int run_cluster_status(const cluster_request& request);

/// Has the nodes read the member list of the file again.
/// @returns 0; 1 where one does not answer or cannot take it; 2.
int run_cluster_reload(const cluster_request& request);

/// Has a node hand over everything and end; returns once it is gone.
/// @returns 0; 1 where it does not answer or does not end; 2.
int run_drain(const cluster_request& request);

/// Shows rates, pending messages and links of all nodes, again and again.
int run_top(const cluster_request& request);

} // namespace vartalap::runtime
