#pragma once

#include "core/options.hpp"

#include <string>
#include <vector>

namespace vartalap::runtime {

/// Origins of pages that may open WebSockets to a node: `auth.allowed_origins`,
/// and, where there are several nodes, the pages that these serve, since a page
/// goes on with another node where its own is down. A node on 127.0.0.1 or
/// localhost is called by either name. Its own page needs no entry.
std::vector<std::string> cluster_origins(const core::cluster_options& options);

} // namespace vartalap::runtime
