#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::load {

/// CPU time that all threads of a process have used, in ns. Threads that have
/// ended are not in it. @returns Nothing where the process is gone or hidden.
std::optional<std::uint64_t> cpu_ns_of(int pid);

/// Proportional set size of a process, in bytes.
std::optional<std::uint64_t> pss_bytes_of(int pid);

/// The value of a metric in Prometheus' text format: the sum of all its
/// samples, whatever their labels. Nothing where there is none.
std::optional<double> metric_of(std::string_view text, std::string_view name);

/// GETs `path` from an http://host:port, blocking, two seconds at most.
/// @param token Sent as a Bearer token unless empty.
/// @returns The body of a 200, else nothing.
std::optional<std::string> http_get(const std::string& base,
                                    const std::string& path,
                                    const std::string& token);

/// What one look at the server gave: sums over its nodes. A sum that lacks a
/// node is empty.
struct server_sample {
  std::uint64_t at_us = 0; ///< monotonic clock
  std::optional<std::uint64_t> cpu_ns;
  std::optional<std::uint64_t> pss_bytes;
  std::optional<double> appended; ///< vartalap_storage_appended_total
};

/// Looks at processes and admin addresses.
/// @param token Sent to the latter as a Bearer token unless empty.
server_sample look_at_server(const std::vector<int>& pids,
                             const std::vector<std::string>& admins,
                             const std::string& token);

} // namespace vartalap::load
