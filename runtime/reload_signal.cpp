#include "runtime/reload_signal.hpp"

#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <exception>
#include <utility>

namespace vartalap::runtime {

reload_signal::reload_signal(core::log_port& log) : log_(log) {
}

reload_signal::~reload_signal() {
  stop();
}

void reload_signal::add(std::string what, hook again, std::string watched) {
  auto seen = state_of(watched);
  hooks_.push_back(
    {std::move(what), std::move(again), std::move(watched), std::move(seen)});
}

// A rename in its place changes the inode, a write the time or the size.
std::string reload_signal::state_of(const std::string& file) {
  struct stat found {};
  if (file.empty() || ::stat(file.c_str(), &found) != 0)
    return {};
  std::string out;
  for (const auto number :
       {std::int64_t{found.st_mtim.tv_sec}, std::int64_t{found.st_mtim.tv_nsec},
        std::int64_t{found.st_size}, static_cast<std::int64_t>(found.st_ino)})
    out += std::to_string(number) + ",";
  return out;
}

bool reload_signal::watches_any() const noexcept {
  return std::any_of(hooks_.begin(), hooks_.end(),
                     [](const auto& each) { return !each.watched.empty(); });
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
  constexpr ::timespec second{1, 0};
  const auto* const wait = watches_any() ? &second : nullptr;
  while (!stopping_.load()) {
    // Without a file to look at it waits for the signal alone.
    const auto got = wait != nullptr ? ::sigtimedwait(&set, nullptr, wait)
                                     : ::sigwaitinfo(&set, nullptr);
    if (stopping_.load())
      return;
    if (got == SIGHUP)
      reload_all();
    else
      reload_changed();
  }
}

void reload_signal::reload_all() {
  if (hooks_.empty())
    log_.write(core::log_level::info, "reload",
               "SIGHUP: there is nothing that this node can read again");
  for (auto& each : hooks_)
    reload(each, "SIGHUP");
}

void reload_signal::reload_changed() {
  for (auto& each : hooks_)
    if (!each.watched.empty() && state_of(each.watched) != each.seen)
      reload(each, each.watched + " changed");
}

void reload_signal::reload(entry& which, const std::string& why) {
  // Taken before: what is written meanwhile is read again.
  which.seen = state_of(which.watched);
  try {
    which.again();
    log_.write(core::log_level::info, "reload",
               why + ": " + which.what + " were read again");
  } catch (const std::exception& problem) {
    log_.write(core::log_level::error, "reload",
               why + ": " + which.what
                 + " stay as they were: " + problem.what());
  }
}

} // namespace vartalap::runtime
