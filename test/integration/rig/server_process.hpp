#pragma once

#include "test/integration/rig/child_process.hpp"
#include "test/integration/rig/tcp_stream.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vartalap::integration {

/// Keys of cluster.toml as "section.key", values as TOML text; or a table of
/// the node as "[node.tls]", with its lines.
using server_settings = std::map<std::string, std::string>;

/// A node of a cluster whose file somebody else has written.
struct node_place {
  // No aggregate: braces with settings must not look like one of these.
  node_place(std::string folder_of_file, std::string node_name,
             std::uint16_t client_port, std::uint16_t admin);

  std::string folder; ///< of cluster.toml; not removed at the end
  std::string name;
  std::uint16_t port; ///< for clients
  std::uint16_t admin_port;
};

/// `vartalap serve` as a process of its own on free ports of 127.0.0.1, with
/// data in a temporary folder. Killed and cleaned up at the end; its log is
/// printed where the test fails by an exception.
class server_process : public child_process {
public:
  /// Starts it and waits until it is ready.
  /// @param files Limit on its open files; 0: as inherited.
  /// @throws std::runtime_error with its log where it does not get ready.
  explicit server_process(server_settings settings = {}, unsigned files = 0);
  /// Starts a node of a cluster, which may get ready only with others.
  explicit server_process(node_place where);
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
  /// Starts it without waiting.
  void launch(const std::string& program = binary());
  /// Waits until that path on the admin address answers 200.
  /// @throws std::runtime_error with its log where it does not.
  void wait_until_ready(const std::string& path = "/readyz");

  bool is_running() {
    return !ended_within(milliseconds{0});
  }

  /// Resident memory in bytes.
  std::size_t memory() const;

  /// CPU time, user and system.
  milliseconds cpu_time() const;
  /// Ports that it listens on (TCP) or has (UDP), ascending.
  std::vector<std::uint16_t> open_ports() const;
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
  std::string log_path() const;

  std::string folder_;
  std::string name_;
  bool owns_folder_;
  unsigned files_ = 0;
  std::uint16_t port_;
  std::uint16_t admin_port_;
  int exceptions_;
};

} // namespace vartalap::integration
