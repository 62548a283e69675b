#pragma once

#include "test/integration/rig/tcp_stream.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace vartalap::integration {

/// A service that a node asks over HTTP: keeps the last question, answers what
/// it was told to.
class webhook_service {
public:
  webhook_service();
  ~webhook_service();
  webhook_service(const webhook_service&) = delete;
  webhook_service& operator=(const webhook_service&) = delete;

  std::uint16_t port() const noexcept {
    return port_;
  }
  /// @param status 0: never; whoever asks has to give up.
  void answer_with(unsigned status, const std::string& body);

  /// The last question as it came, head and body.
  std::string last() const;

  /// Nobody listens any more.
  void stop();

private:
  void run();
  void serve(int fd);

  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  unsigned status_ = 500;
  std::string body_;
  std::string last_;
  std::thread thread_;
};

} // namespace vartalap::integration
