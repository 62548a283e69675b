#include "test/integration/rig/child_process.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace vartalap::integration {

child_process::~child_process() {
  kill();
}

void child_process::adopt(pid_t pid) {
  pid_ = pid;
  status_ = -1;
  watch_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

void child_process::signal(int number) const {
  if (pid_ > 0)
    ::kill(pid_, number);
}

void child_process::kill() {
  signal(SIGKILL);
  ended_within(patience);
}

bool child_process::ended_within(milliseconds limit) {
  if (pid_ <= 0)
    return true;
  ::pollfd one{watch_, POLLIN, 0};
  if (::poll(&one, 1, static_cast<int>(limit.count())) <= 0)
    return false;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ::close(watch_);
  pid_ = -1;
  return true;
}

} // namespace vartalap::integration
