#pragma once

#include "test/integration/rig/child_process.hpp"
#include "test/integration/rig/tcp_stream.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::integration {

/// `vartalap` with other arguments than serve, as a process of its own with
/// pipes to its standard input and from its standard output, into which its
/// standard error goes too. Killed at the end.
class command_process : public child_process {
public:
  /// @throws std::runtime_error where it cannot be started.
  explicit command_process(const std::vector<std::string>& arguments);
  ~command_process();

  /// Writes a line to its standard input.
  /// @returns False where it has ended.
  bool enter(std::string_view line);
  void end_input() noexcept;

  /// The next line of its output, without its end.
  /// @returns Nothing where none came in time or the output has ended.
  std::optional<std::string> next_line(milliseconds limit = patience);

  /// Lines up to one that has `part` in it.
  /// @throws std::runtime_error where none came, with those that did.
  std::vector<std::string> lines_until(std::string_view part,
                                       milliseconds limit = patience);

private:
  int input_ = -1;
  int output_ = -1;
  std::string waiting_; ///< output that no line was made of yet
};

/// How a command ended, and what it said.
struct command_end {
  int status = -1;
  std::string output{};
};

/// Runs a command to its end, without input.
/// @throws std::runtime_error where it does not end in time.
command_end run_command(const std::vector<std::string>& arguments);

} // namespace vartalap::integration
