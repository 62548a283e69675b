#pragma once

#include "load/options.hpp"

namespace vartalap::load {

/// Exit statuses of `vartalap load`.
namespace exit_status {
inline constexpr int kept = 0;      ///< the server kept its promises
inline constexpr int broken = 1;    ///< lost, reordered or unexpected messages
inline constexpr int usage = 2;     ///< the options make no sense
inline constexpr int could_not = 3; ///< the run did not take its course
} // namespace exit_status

/// Runs a scenario against a running server and prints the report. Blocks;
/// the progress goes to stderr. SIGINT or SIGTERM ends the sending, a second
/// one the run.
/// @returns One of `exit_status`.
int run_load(const load_options& options);

} // namespace vartalap::load
