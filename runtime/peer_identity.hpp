#pragma once

#include "core/options.hpp"
#include "net/peer_tunnel.hpp"

namespace vartalap::runtime {

/// With what a node proves to the others who it is: reads the secret, names the
/// certificates. Blocks on the disk.
/// @throws std::runtime_error with a text for the operator: a file that is
///         missing, too short, or open to others.
net::tunnel_settings tunnel_settings_of(const core::cluster_options& options,
                                        const core::node_options& me);

} // namespace vartalap::runtime
