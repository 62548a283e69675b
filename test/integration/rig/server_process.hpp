#pragma once

#include "test/integration/rig/child_process.hpp"
#include "test/integration/rig/tcp_stream.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace vartalap::integration {

/// Keys of cluster.toml as "section.key", values as TOML text.
using server_settings = std::map<std::string, std::string>;

/// `vartalap serve` as a process of its own on free ports of 127.0.0.1, with
/// data in a temporary folder. Killed and cleaned up at the end; its log is
/// printed where the test fails by an exception.
class server_process : public child_process {
public:
  /// Starts it and waits until it is ready.
  /// @param files Limit on its open files; 0: as inherited.
  /// @throws std::runtime_error with its log where it does not get ready.
  explicit server_process(server_settings settings = {}, unsigned files = 0);
  ~server_process();

  std::uint16_t port() const noexcept {
    return port_;
  }
  std::uint16_t admin_port() const noexcept {
    return admin_port_;
  }

  /// Starts it again on the same data and ports, after its end.
  /// @param program In place of the program under test.
  /// @param answers Path on the admin address that answers 200 once it serves.
  /// @throws std::runtime_error as the constructor.
  void start(const std::string& program = binary(),
             const std::string& answers = "/readyz");

  bool is_running() {
    return !ended_within(milliseconds{0});
  }

  /// Resident memory in bytes.
  std::size_t memory() const;

  /// Open file descriptors.
  std::size_t open_files() const;

  std::string log() const;

  /// The program under test.
  static std::string binary();

  const std::string& folder() const noexcept {
    return folder_;
  }

private:
  void write_config(const server_settings& settings) const;
  void wait_until_ready(const std::string& path);

  std::string folder_;
  unsigned files_;
  std::uint16_t port_;
  std::uint16_t admin_port_;
  int exceptions_;
};

} // namespace vartalap::integration
