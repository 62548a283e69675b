#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What core, net, storage and actors need from the process; runtime
/// implements both. Implementations are thread-safe.
namespace vartalap::core {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// Structured log lines. Never pass message bodies, tokens or keys.
class log_port {
public:
  virtual ~log_port() = default;

  /// False where a line of this level would be dropped: check before
  /// building an expensive text.
  virtual bool enabled(log_level level) const noexcept = 0;

  /// @param component The folder or actor that speaks, e.g. "storage".
  virtual void
  write(log_level level, std::string_view component, std::string_view text)
    = 0;
};

/// Named metrics in Prometheus terms. Names are without the `vartalap_`
/// prefix; `label` is one `key="value"` pair or empty.
class metrics_port {
public:
  virtual ~metrics_port() = default;

  virtual void
  add(std::string_view counter, double n, std::string_view label = {})
    = 0;
  virtual void
  set(std::string_view gauge, double value, std::string_view label = {})
    = 0;

  /// @param seconds A duration, into a histogram with buckets from 100 µs
  ///                to 30 s.
  virtual void observe(std::string_view histogram, double seconds,
                       std::string_view label = {})
    = 0;
};

} // namespace vartalap::core
