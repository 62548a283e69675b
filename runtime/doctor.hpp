#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace vartalap::runtime {

/// What `vartalap doctor` was asked.
struct doctor_request {
  std::string config = "cluster.toml";
  std::string node;              ///< empty: the only one of the file
  std::vector<std::string> skip; ///< topics that are not looked at
};

void add_doctor_options(CLI::App& app, doctor_request& request);

/// `vartalap doctor`: looks at this machine for one node of a configuration,
/// whether that node runs or not. Changes nothing; a probe of the disk is a
/// file without a name.
/// @param out A line for each thing that was looked at, with the command that
///            mends it where it is not fine.
/// @return The exit status: 0 fine, 1 findings, 2 the configuration is wrong
///         (`err` says how).
int run_doctor(const doctor_request& request, std::ostream& out,
               std::ostream& err);

} // namespace vartalap::runtime
