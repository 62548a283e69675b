#pragma once

#include "core/options.hpp"
#include "core/ports.hpp"
#include "storage/store_hooks.hpp"

#include <string>

namespace vartalap::storage {

/// The directory that holds an environment: who may use it, on what file
/// system, and the marker files beside the data. All errors are
/// std::runtime_error with a text for the operator.
class data_directory {
public:
  /// Creates it where needed (mode 0700), takes its lock, and refuses what
  /// cannot carry an LMDB environment.
  /// @throws std::runtime_error in use by another process, remote file
  ///         system, not writable, address space too small for the map.
  data_directory(std::string path, const core::storage_options& options,
                 const store_hooks& hooks, core::log_port& log);
  ~data_directory();
  data_directory(const data_directory&) = delete;
  data_directory& operator=(const data_directory&) = delete;

  const std::string& path() const noexcept {
    return path_;
  }

  bool has(const std::string& marker) const;
  /// Writes a small file and syncs it and the directory.
  void write(const std::string& marker, const std::string& text) const;
  /// Its text without the trailing newline; empty where there is none.
  std::string read(const std::string& marker) const;
  void remove(const std::string& marker) const;

  /// Syncs the directory and its parent: LMDB does not, and a new file whose
  /// entry is not on disk is gone after a power cut.
  void sync() const;

private:
  void lock();

  std::string path_;
  int lock_fd_ = -1;
};

/// Names of the files beside data.mdb and lock.mdb.
inline constexpr const char* lock_marker = "node.lock";
inline constexpr const char* node_marker = "node";
inline constexpr const char* suspect_marker = "suspect";
inline constexpr const char* restored_marker = "restored";

/// Writes `text` to a new file of mode 0600 and syncs it.
/// @throws std::runtime_error
void write_file(const std::string& path, const std::string& text);

/// @throws std::runtime_error
void sync_directory(const std::string& path);

/// statvfs. @throws std::runtime_error
disk_space space_of(const std::string& directory);

} // namespace vartalap::storage
