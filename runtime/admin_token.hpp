#pragma once

#include "core/options.hpp"

#include <string>

namespace vartalap::runtime {

/// Where the token of administration calls is kept: `auth.admin_token_file`,
/// or `admin.token` in the node's data.
std::string admin_token_path(const core::node_options& node,
                             const core::auth_options& auth);

/// The token of administration calls that change something. The file in the
/// node's data is made at the first start (32 random bytes as hex, mode 0600);
/// one that cluster.toml names must exist. Blocks on the disk.
/// @return At least 16 characters.
/// @throws std::runtime_error with a text for the operator.
std::string load_admin_token(const core::node_options& node,
                             const core::auth_options& auth);

} // namespace vartalap::runtime
