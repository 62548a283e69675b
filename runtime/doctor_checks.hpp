#pragma once

#include "core/options.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

/// What `vartalap doctor` looks at, one function for each topic. They block on
/// the disk, and never throw for what they find.
namespace vartalap::runtime {

/// One thing that was looked at.
struct finding {
  bool is_fine = true;
  std::string text; ///< with the command that mends it, where it is not fine
};
using findings = std::vector<finding>;

/// A node and the file that configures it.
struct patient {
  const core::cluster_options& options;
  const core::node_options& node;
  std::string config;   ///< path of cluster.toml
  ::pid_t running = -1; ///< the process that has the node's data, or -1
};

/// The process that has the data folder's lock, or -1.
::pid_t holder_of(const std::string& data);

/// Limits of the running node, or of this shell; kernel settings.
findings look_at_limits(const patient& who);

/// Is the clock synchronised? Expiry and the order of messages rely on it.
findings look_at_clock();

/// Free space, the kind of file system, how long a sync takes.
findings look_at_disk(const patient& who);

/// Who may read the data, secrets, keys and tokens, and write cluster.toml.
findings look_at_permissions(const patient& who);

/// Are the node's addresses free, or its own?
findings look_at_ports(const patient& who);

/// Certificates of [cluster.tls] and [node.tls]: pairs, names, time left.
findings look_at_certificates(const patient& who);

} // namespace vartalap::runtime
