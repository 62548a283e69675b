#pragma once

#include "core/units.hpp"
#include "net/push_answer.hpp"
#include "net/push_request.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace vartalap::net {

struct caller_options {
  core::milliseconds timeout{10'000}; ///< of a call, its connection included
  std::size_t in_flight = 64;         ///< calls at a time; the others wait
  std::string ca_file;                ///< empty: the system's authorities
  bool private_addresses = false;     ///< for untrusted requests too
};

/// Calls HTTP servers over libcurl on one thread of its own: HTTP/2 where the
/// server has it, connections kept, redirects and proxies not followed.
///
/// An untrusted request goes to public addresses over https only, whatever its
/// name resolves to at that moment.
class http_caller {
public:
  using answered = std::function<void(const push_answer&)>;

  /// Starts the thread.
  /// @throws std::runtime_error where libcurl does not start.
  explicit http_caller(caller_options options);

  /// As `stop`.
  ~http_caller();
  http_caller(const http_caller&) = delete;
  http_caller& operator=(const http_caller&) = delete;

  /// Runs `task` on the thread. Any thread; tasks keep their order.
  void post(std::function<void()> task);

  /// Sends the request; `done` is called on the thread, once. From a posted
  /// task or from `done` only.
  void call(const push_request& request, answered done);

  /// Ends the thread; what is under way is dropped and nobody told, nor is
  /// anybody who posts later. Idempotent; not from the thread itself.
  void stop();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace vartalap::net
