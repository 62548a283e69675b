#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vartalap::fault {

/// What the load tester's report says of a cluster that was hurt.
struct load_verdict {
  std::uint64_t confirmed = 0;
  std::uint64_t unconfirmed = 0;
  std::uint64_t refused = 0;
  std::uint64_t lost = 0;
  std::uint64_t unexpected = 0;
  std::uint64_t duplicated = 0;     ///< after the client's dedupe
  std::uint64_t duplicated_raw = 0; ///< dropped by it
  std::uint64_t reordered = 0;
  std::uint64_t gave_up = 0;
  std::uint64_t moves = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t confirm_p99_us = 0;
  std::uint64_t unserved_max_us = 0;
  /// From the last message until everything had arrived; nothing: it had not.
  std::optional<double> settled_seconds;
  std::map<std::string, std::uint64_t> refusals;     ///< by code
  std::map<std::string, std::uint64_t> durabilities; ///< by word
};

/// Reads the file that `vartalap load --json` wrote.
/// @throws std::runtime_error where it is not such a report.
load_verdict read_verdict(const std::string& json);

/// In a line, for the log of a test.
std::string summary(const load_verdict& verdict);

/// Compares what `vartalap dump` printed of each node of a cluster.
///
/// Every message and device must be at exactly `copies` nodes, at each with the
/// same acknowledgements, and all of a bucket at the same nodes. Removals may
/// be at any nodes, but not beside the message that they removed.
/// @returns What is not so, the first few; nothing where all is well.
std::vector<std::string> compare_copies(const std::vector<std::string>& dumps,
                                        std::size_t copies);

/// Messages of the dumps, each counted once.
std::size_t count_messages(const std::vector<std::string>& dumps);

/// Those of `server_ids` that no dump has.
std::vector<std::string>
missing_from(const std::vector<std::string>& dumps,
             const std::vector<std::string>& server_ids);

} // namespace vartalap::fault
