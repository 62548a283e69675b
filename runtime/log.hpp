#pragma once

#include "core/options.hpp"
#include "core/ports.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vartalap::runtime {

/// Where finished lines go, newline included. Called on the log's own thread.
using log_sink = std::function<void(std::string_view line)>;

/// The log of the process: lines on standard error, as text
/// (`2024-05-01T10:00:00.123Z info storage text`) or as JSON objects with the
/// keys ts, level, component and text. Times are UTC.
///
/// Threads: any thread writes; a thread of its own does the output, so a
/// stalled reader of standard error never blocks a shard. The queue between
/// holds 8192 lines; beyond it the oldest are lost and counted.
class process_log final : public core::log_port {
public:
  /// @param options `log_level` and `log_format` count.
  /// @param sink Where lines go; none: standard error.
  explicit process_log(const core::runtime_options& options,
                       log_sink sink = {});

  /// Writes what is queued, then stops the thread.
  ~process_log() override;

  process_log(const process_log&) = delete;
  process_log& operator=(const process_log&) = delete;

  bool enabled(core::log_level level) const noexcept override;

  void write(core::log_level level, std::string_view component,
             std::string_view text) override;

  /// Lines lost because the output could not keep up.
  std::uint64_t lost() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace vartalap::runtime
