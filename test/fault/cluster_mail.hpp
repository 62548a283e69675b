#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace vartalap::fault {

/// A sender whose recipients never come: what was confirmed to it must still
/// be stored at the end, and at as many nodes as it should be. Sends one
/// message after the other to one node after the other, each until somebody
/// has confirmed it. On a thread of its own.
class absent_mail {
public:
  /// Where a node's clients connect.
  struct entrance {
    std::function<void()> enter; ///< puts the calling thread into its network
    std::uint16_t port = 0;      ///< of 127.0.0.1 there
  };

  explicit absent_mail(std::vector<entrance> nodes);
  ~absent_mail();
  absent_mail(const absent_mail&) = delete;
  absent_mail& operator=(const absent_mail&) = delete;

  /// Sends nothing more.
  void stop();

  /// serverIds of what was confirmed. @pre `stop` was called.
  const std::vector<std::string>& confirmed() const noexcept {
    return confirmed_;
  }

private:
  void send_all();
  bool send_some(const entrance& where);

  std::vector<entrance> nodes_;
  std::vector<std::string> confirmed_;
  std::atomic<bool> over_{false};
  std::thread thread_; ///< last: it uses the others
};

} // namespace vartalap::fault
