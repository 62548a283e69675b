#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

namespace vartalap::fault {

/// Takes TCP connections and passes their bytes on to a port of 127.0.0.1,
/// both ways, with bounded buffers: a reader that does not read stops the
/// writer. An end, and a reset, is passed on too. On a thread of its own.
class forwarder {
public:
  /// @param enter Called first on the thread, to put it into a namespace.
  /// @throws std::runtime_error where it cannot listen on `address`.
  forwarder(const std::function<void()>& enter, const std::string& address,
            std::uint16_t port, std::uint16_t to);
  ~forwarder();
  forwarder(const forwarder&) = delete;
  forwarder& operator=(const forwarder&) = delete;

private:
  void serve(int listening, std::uint16_t to) const;

  int stop_ = -1; ///< an eventfd
  std::thread thread_;
};

} // namespace vartalap::fault
