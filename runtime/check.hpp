#pragma once

#include "core/options.hpp"

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// What `vartalap check` was asked.
struct check_request {
  std::string config = "cluster.toml";
  bool defaults = false; ///< print the complete default file instead
  /// What is wrong with files that the configuration names; may be unset.
  std::function<std::vector<std::string>(const core::cluster_options&)>
    look_at_files{};
};

/// `vartalap check`: validates a configuration, and this machine for it.
/// @param out The verdict, or the defaults.
/// @param err Errors and warnings, one a line.
/// @return The exit status: 0 good (warnings included), 2 errors.
int run_check(const check_request& request, std::ostream& out,
              std::ostream& err);

} // namespace vartalap::runtime
