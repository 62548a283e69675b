#pragma once

#include "test/fault/cluster_mail.hpp"
#include "test/fault/cluster_net.hpp"
#include "test/fault/cluster_verdict.hpp"
#include "test/fault/crash_rig.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::fault {

using std::chrono::milliseconds;

/// A cluster under test.
struct cluster_plan {
  std::size_t nodes = 3;
  std::size_t spare = 0; ///< further ones that may become members later
  unsigned replicas = 2; ///< copies of each record beside the first
  /// Arguments of `vartalap load` beside those that every run has.
  std::vector<std::string> load{"--scenario", "mixed", "--users", "40",
                                "--rate",     "250",   "--move",  "5s..20s"};
  std::string delivery; ///< lines for [delivery]
  std::string server;   ///< the binary that serves; empty: vartalap
  std::uint32_t seed = 1;
};

/// Nodes as processes in namespaces of their own, a load tester at the hub
/// that uses all of them, and mail for users who never come. What it started
/// ends with it, also where the test is killed. `VARTALAP_KEEP=1` keeps its
/// folder (logs, data) and says where it is.
///
/// Nodes are numbered from 0; node 0 has the name n1. For one thread.
class cluster_rig {
public:
  /// Makes the network, certificates and cluster.toml, starts all nodes but
  /// the spare ones and waits until they are in service.
  /// @throws std::runtime_error, here and in all members, where the rig does
  ///         not work or a node does what nobody told it, with logs.
  explicit cluster_rig(cluster_plan plan);
  ~cluster_rig();
  cluster_rig(const cluster_rig&) = delete;
  cluster_rig& operator=(const cluster_rig&) = delete;

  /// All nodes, the spare ones too.
  std::size_t size() const noexcept {
    return nodes_.size();
  }
  /// Those that cluster.toml names.
  const std::vector<std::size_t>& members() const noexcept {
    return members_;
  }
  cluster_net& net() noexcept {
    return *net_;
  }
  std::uint16_t client_port(std::size_t node) const noexcept;
  std::string data(std::size_t node) const;
  /// Resident memory of a node's process in bytes.
  std::size_t memory(std::size_t node) const;

  /// Starts a node that is down; does not wait.
  void start(std::size_t node);
  /// Waits until /readyz says 200.
  /// @returns How long that took.
  milliseconds wait_ready(std::size_t node, milliseconds limit);
  /// kill -9, and its end.
  void kill(std::size_t node);
  /// SIGTERM, and its end with status 0 within `limit`.
  /// @returns How long that took.
  milliseconds stop(std::size_t node, milliseconds limit);
  /// SIGSTOP and SIGCONT.
  void freeze(std::size_t node);
  void thaw(std::size_t node);

  /// Writes cluster.toml anew, with these nodes; at least two.
  void set_members(std::vector<std::size_t> nodes);
  /// SIGHUP: a node reads cluster.toml again.
  void reload(std::size_t node);
  /// Waits until every member is in service, follows the list of cluster.toml,
  /// and sees all members own buckets and hold all that they are to hold.
  /// @returns How long that took.
  milliseconds wait_calm(milliseconds limit);
  /// `vartalap drain`: a node hands over everything and ends with status 0.
  /// @returns How long that took.
  milliseconds drain(std::size_t node, milliseconds limit);
  /// How a node sees the cluster: GET /cluster; empty where it does not answer.
  std::string picture(std::size_t node);

  /// Starts load and mail and waits until messages flow.
  void begin_load();
  /// Lets time pass while both go on.
  void wait(milliseconds span);
  /// Ends the sending, waits for what is on its way, at most `settle_limit`.
  load_verdict end_load();

  /// Waits until no node reports copies that are missing or misplaced.
  void wait_for_copies(milliseconds limit);
  /// Stops all nodes that run and lists what each member has; nothing for those
  /// that are none.
  std::vector<std::string> stop_and_dump();
  /// serverIds of confirmed messages that no device has: each must be there.
  std::vector<std::string> waiting_mail() const;

  /// The last lines of all logs.
  std::string logs() const;

  /// From the end of the sending until everything must have arrived.
  static constexpr milliseconds settle_limit{15'000};

private:
  struct served {
    std::unique_ptr<child> process;
    bool wanted = false; ///< nobody has ended it
  };

  void make_certificates() const;
  void write_config() const;
  void require_alive();
  void wait_stopped(std::size_t node, milliseconds limit);
  [[noreturn]] void fail(const std::string& what) const;
  double reported_gaps(std::size_t node);
  bool is_calm(std::size_t node);
  std::string pictures();

  cluster_plan plan_;
  std::vector<std::size_t> members_;
  std::string folder_;
  std::unique_ptr<cluster_net> net_;
  std::vector<served> nodes_;
  std::unique_ptr<child> load_;
  std::unique_ptr<absent_mail> mail_;
};

} // namespace vartalap::fault
