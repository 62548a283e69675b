#pragma once

#include "runtime/node_cluster.hpp"

#include <string>

namespace vartalap::runtime {

/// The cluster as one node sees it, for GET /cluster: node, phase, calm,
/// nodes (name, live, phase, owns, link), foreign, underReplicated. Times in
/// microseconds, sizes in bytes.
std::string to_json(const node_cluster::picture& seen);

} // namespace vartalap::runtime
