#pragma once

#include "core/options.hpp"

#include <string>

namespace vartalap::runtime {

/// What a node's admin address answered.
struct admin_answer {
  long status = 0; ///< HTTP; 0: nobody answered
  std::string body;
  std::string problem; ///< why nobody did
};

/// Asks a node's admin address. `method` POST sends the node's token, read
/// from its file. Blocks, at most for `seconds`.
admin_answer
ask_admin(const core::node_options& node, const core::auth_options& auth,
          const std::string& method, const std::string& path, long seconds = 5);

} // namespace vartalap::runtime
