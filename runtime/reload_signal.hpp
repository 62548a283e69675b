#pragma once

#include "core/ports.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace vartalap::runtime {

/// What a node can read again while it runs, each a hook: all of it at SIGHUP,
/// what names a file also within a second of that file's change. The log tells
/// what became of each. The signal must be blocked in all threads; between
/// construction and `start` it waits.
class reload_signal {
public:
  /// Reads one thing again and takes it, on a thread of this class.
  /// @throws std::exception with text for the operator: it cannot be taken, and
  ///         what was there stays.
  using hook = std::function<void()>;

  explicit reload_signal(core::log_port& log);
  ~reload_signal();
  reload_signal(const reload_signal&) = delete;
  reload_signal& operator=(const reload_signal&) = delete;

  /// Hooks run in the order in which they were added; one that fails does not
  /// keep the next from running. Before `start`.
  /// @param what What it reads, for the log: "the certificates of cluster.tls".
  /// @param watched A file; `again` runs when it changes, too. Empty: none.
  void add(std::string what, hook again, std::string watched = {});

  /// Starts to wait for the signal.
  void start();

  /// No hook runs any more. Not from a hook. Idempotent.
  void stop();

private:
  struct entry {
    std::string what;
    hook again;
    std::string watched;
    std::string seen; ///< the state of that file when it was last read
  };

  static std::string state_of(const std::string& file);
  bool watches_any() const noexcept;
  void run();
  void reload_all();
  void reload_changed();
  void reload(entry& which, const std::string& why);

  core::log_port& log_;
  std::vector<entry> hooks_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

} // namespace vartalap::runtime
