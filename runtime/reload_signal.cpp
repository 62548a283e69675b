#include "runtime/reload_signal.hpp"

#include <pthread.h>

#include <csignal>
#include <exception>
#include <utility>

namespace vartalap::runtime {

reload_signal::reload_signal(core::log_port& log) : log_(log) {
}

reload_signal::~reload_signal() {
  stop();
}

void reload_signal::add(std::string what, hook again) {
  hooks_.push_back({std::move(what), std::move(again)});
}

void reload_signal::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "reload");
    run();
  });
}

void reload_signal::stop() {
  if (!thread_.joinable())
    return;
  stopping_.store(true);
  ::pthread_kill(thread_.native_handle(), SIGHUP);
  thread_.join();
}

void reload_signal::run() {
  ::sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGHUP);
  int signal = 0;
  while (::sigwait(&set, &signal) == 0 && !stopping_.load())
    reload();
}

void reload_signal::reload() {
  if (hooks_.empty())
    log_.write(core::log_level::info, "reload",
               "SIGHUP: there is nothing that this node can read again");
  for (const auto& each : hooks_) {
    try {
      each.again();
      log_.write(core::log_level::info, "reload",
                 "SIGHUP: " + each.what + " were read again");
    } catch (const std::exception& problem) {
      log_.write(core::log_level::error, "reload",
                 "SIGHUP: " + each.what
                   + " stay as they were: " + problem.what());
    }
  }
}

} // namespace vartalap::runtime
