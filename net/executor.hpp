#pragma once

#include "net/shard.hpp"

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <utility>

namespace vartalap::net {

/// Runs Beast's completions on their shard, before its loop goes on.
///
/// Boost 1.74 has two executor models side by side; this satisfies both,
/// because Beast's async_base takes whichever it finds and reads a dead
/// temporary if only one is there.
class shard_executor {
public:
  explicit shard_executor(shard& home) noexcept : home_(&home) {
  }

  // The standard model of P0443.
  boost::asio::execution_context&
  query(boost::asio::execution::context_t) const noexcept {
    return home_->context();
  }
  static constexpr boost::asio::execution::blocking_t::never_t
  query(boost::asio::execution::blocking_t) noexcept {
    return {};
  }
  shard_executor
  require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return *this;
  }
  template <class F>
  void execute(F&& f) const {
    home_->run_soon(std::forward<F>(f));
  }

  // The model of the Networking TS.
  boost::asio::execution_context& context() const noexcept {
    return home_->context();
  }
  void on_work_started() const noexcept {
  }
  void on_work_finished() const noexcept {
  }
  template <class F, class A>
  void dispatch(F&& f, const A&) const {
    home_->run_soon(std::forward<F>(f));
  }
  template <class F, class A>
  void post(F&& f, const A&) const {
    home_->run_soon(std::forward<F>(f));
  }
  template <class F, class A>
  void defer(F&& f, const A&) const {
    home_->run_soon(std::forward<F>(f));
  }

  friend bool operator==(const shard_executor& a,
                         const shard_executor& b) noexcept {
    return a.home_ == b.home_;
  }
  friend bool operator!=(const shard_executor& a,
                         const shard_executor& b) noexcept {
    return a.home_ != b.home_;
  }

private:
  shard* home_;
};

} // namespace vartalap::net
