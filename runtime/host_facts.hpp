#pragma once

#include "core/options.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// What this machine allows the process; read once at start.
struct host_facts {
  static constexpr std::uint64_t unlimited
    = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t open_files = unlimited;      ///< soft limit, now in force
  std::uint64_t open_files_hard = unlimited; ///< what it may be raised to
  std::uint64_t address_space = unlimited;   ///< bytes
  std::uint64_t listen_backlog = 4096;       ///< net.core.somaxconn
  unsigned overcommit = 0;                   ///< vm.overcommit_memory

  std::string data;             ///< the node's folder
  bool data_writable = true;    ///< or can be made where it does not exist
  bool data_in_memory = false;  ///< tmpfs: gone after a reboot
  bool data_on_network = false; ///< NFS and the like: LMDB cannot be there
  std::uint64_t disk_free = unlimited; ///< bytes for this user
  std::uint64_t disk_bytes = 0;        ///< 0: unknown
};

/// Looks at limits, kernel settings and the file system of `data`. Creates
/// nothing; what cannot be read keeps its default.
host_facts read_host_facts(const std::string& data);

/// What of it will hurt, one line each, with the exact command that mends it.
std::vector<std::string> host_warnings(const host_facts& host,
                                       const core::cluster_options& options);

/// The parts of it: limits and kernel settings; the folder of the data; what is
/// allowed, and seldom meant, of who clients are.
std::vector<std::string> limit_warnings(const host_facts& host,
                                        const core::cluster_options& options);
std::vector<std::string> data_warnings(const host_facts& host);
std::vector<std::string>
identity_warnings(const core::cluster_options& options);

/// Files that are not for client connections: storage, log, administration.
inline constexpr std::uint64_t reserved_files = 256;

/// Client connections that a node may hold: `limits.max_connections`, or, where
/// that is 0, what the file limit leaves.
std::size_t connection_limit(const core::limit_options& limits,
                             std::uint64_t open_files);

} // namespace vartalap::runtime
