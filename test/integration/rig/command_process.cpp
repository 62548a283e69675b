#include "test/integration/rig/command_process.hpp"

#include "test/integration/rig/server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

extern char** environ;

namespace vartalap::integration {

namespace {

void close_end(int& fd) noexcept {
  if (fd >= 0)
    ::close(std::exchange(fd, -1));
}

/// The reading end, the writing end.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  return ends;
}

} // namespace

command_process::command_process(const std::vector<std::string>& arguments) {
  const auto program = server_process::binary();
  std::vector<char*> raw{const_cast<char*>(program.c_str())};
  for (const auto& one : arguments)
    raw.push_back(const_cast<char*>(one.c_str())); // posix_spawn's signature
  raw.push_back(nullptr);
  auto in = make_pipe();
  auto out = make_pipe();
  ::posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out[1], STDERR_FILENO);
  pid_t pid = -1;
  const auto error
    = ::posix_spawn(&pid, raw[0], &files, nullptr, raw.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  close_end(in[0]);
  close_end(out[1]);
  input_ = in[1];
  output_ = out[0];
  if (error != 0) {
    close_end(input_);
    close_end(output_);
    throw std::runtime_error("cannot start " + program);
  }
  adopt(pid);
}

command_process::~command_process() {
  kill();
  close_end(input_);
  close_end(output_);
}

bool command_process::enter(std::string_view line) {
  // A pipe without a reader would end the test by SIGPIPE.
  if (ended_within(milliseconds{0}) || input_ < 0)
    return false;
  const auto text = std::string(line) + '\n';
  return ::write(input_, text.data(), text.size())
         == static_cast<ssize_t>(text.size());
}

void command_process::end_input() noexcept {
  close_end(input_);
}

std::optional<std::string> command_process::next_line(milliseconds limit) {
  const auto until = clock::now() + limit;
  for (;;) {
    if (const auto end = waiting_.find('\n'); end != std::string::npos) {
      auto line = waiting_.substr(0, end);
      waiting_.erase(0, end + 1);
      return line;
    }
    const auto left
      = std::chrono::duration_cast<milliseconds>(until - clock::now());
    ::pollfd one{output_, POLLIN, 0};
    if (left.count() < 0
        || ::poll(&one, 1, static_cast<int>(left.count())) <= 0)
      return std::nullopt;
    std::array<char, 4096> part{};
    const auto n = ::read(output_, part.data(), part.size());
    if (n <= 0)
      return std::nullopt;
    waiting_.append(part.data(), static_cast<std::size_t>(n));
  }
}

std::vector<std::string> command_process::lines_until(std::string_view part,
                                                      milliseconds limit) {
  const auto until = clock::now() + limit;
  std::vector<std::string> out;
  for (;;) {
    auto line = next_line(
      std::chrono::duration_cast<milliseconds>(until - clock::now()));
    if (!line)
      break;
    out.push_back(std::move(*line));
    if (out.back().find(part) != std::string::npos)
      return out;
  }
  auto text = "no line with \"" + std::string(part) + "\", but:";
  for (const auto& line : out)
    text += '\n' + line;
  throw std::runtime_error(text);
}

command_end run_command(const std::vector<std::string>& arguments) {
  command_process running(arguments);
  running.end_input();
  command_end out;
  while (const auto line = running.next_line())
    out.output += *line + '\n';
  if (!running.ended_within(patience))
    throw std::runtime_error("the command does not end:\n" + out.output);
  out.status = running.status();
  return out;
}

} // namespace vartalap::integration
