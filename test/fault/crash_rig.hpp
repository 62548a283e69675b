#pragma once

#include "test/integration/rig/child_process.hpp"

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace vartalap::fault {

/// A child process; killed and reaped where it is still alive at the end.
class child : public integration::child_process {
public:
  /// Starts `arguments[0]`, its output appended to the file `output`.
  /// @throws std::runtime_error where it cannot be started.
  child(const std::vector<std::string>& arguments, const std::string& output);
};

/// What one run of the load tester came to.
struct crash_result {
  int load_status = -1;
  int kills = 0;
  int last_end = -1; ///< exit status of the server's last end, by SIGTERM
  std::int64_t confirmed = 0;
  std::int64_t lost = 0;
  std::int64_t reordered = 0;
  std::int64_t unexpected = 0;
  std::string text; ///< the tester's report, for failed checks
};

/// What one run does.
struct crash_plan {
  std::string server;                   ///< the binary that serves
  std::vector<std::string> load;        ///< arguments of `vartalap load`
  std::string delivery;                 ///< lines for [delivery]
  int kills = 20;                       ///< at least so many, while it loads
  int signal = 9;                       ///< what ends the server each time
  std::chrono::milliseconds least{300}; ///< between two kills
  std::chrono::milliseconds most{700};
  std::uint32_t seed = 1;
};

/// Runs a server under load, ends it at random moments while messages are
/// being sent, starts it again on the same data each time, and lets the load
/// tester judge.
/// @throws std::runtime_error where the rig itself does not work.
crash_result run_crashes(const crash_plan& plan);

} // namespace vartalap::fault
