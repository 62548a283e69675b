#include "storage/data_directory.hpp"
#include "storage/environment.hpp"
#include "storage/store.hpp"

#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace vartalap::storage {

namespace {

// The copy is one long reader: while it runs no page of the node's file can
// be used again. So it ends in any case.
constexpr std::chrono::minutes backup_time_max{10};

class file {
public:
  explicit file(int fd = -1) : fd_(fd) {
  }
  ~file() {
    close();
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;

  int fd() const noexcept {
    return fd_;
  }
  void close() noexcept {
    if (fd_ >= 0)
      ::close(fd_);
    fd_ = -1;
  }

private:
  int fd_;
};

void write_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const auto written = ::write(fd, bytes, size);
    if (written < 0)
      throw std::runtime_error{std::string{"cannot write the backup: "}
                               + std::strerror(errno)};
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

// LMDB cannot be interrupted while it copies, but it ends when the pipe that
// it writes to does.
void pump(int from, int to) {
  const auto end = std::chrono::steady_clock::now() + backup_time_max;
  std::array<char, 65536> buffer;
  for (;;) {
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error{
        "the backup takes longer than 10 minutes, which would bloat the "
        "node's store: choose a faster target"};
    pollfd waiting{from, POLLIN, 0};
    const auto ready = ::poll(&waiting, 1, 1000);
    if (ready == 0 || (ready < 0 && errno == EINTR))
      continue;
    const auto got = ::read(from, buffer.data(), buffer.size());
    if (got < 0)
      throw std::runtime_error{std::string{"cannot read the copy: "}
                               + std::strerror(errno)};
    if (got == 0)
      return;
    write_all(to, buffer.data(), static_cast<std::size_t>(got));
  }
}

void copy(MDB_env* env, const std::string& target_file) {
  const file out{
    ::open(target_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (out.fd() < 0)
    throw std::runtime_error{"cannot create " + target_file + ": "
                             + std::strerror(errno)};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error{std::string{"no pipe: "} + std::strerror(errno)};
  file read_end{ends[0]};
  file write_end{ends[1]};
  int code = 0;
  std::thread copier{[&] {
    // A pump that gives up must end the copy, not the process.
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
    code = mdb_env_copyfd2(env, write_end.fd(), MDB_CP_COMPACT);
    write_end.close();
  }};
  std::string problem;
  try {
    pump(read_end.fd(), out.fd());
  } catch (const std::exception& error) {
    problem = error.what();
  }
  read_end.close();
  copier.join();
  if (problem.empty() && code != 0)
    problem = std::string{"cannot copy: "} + mdb_strerror(code);
  if (problem.empty() && ::fsync(out.fd()) != 0)
    problem = std::string{"cannot sync the backup: "} + std::strerror(errno);
  if (!problem.empty())
    throw std::runtime_error{problem};
}

} // namespace

void backup(const std::string& directory, const std::string& target) {
  const auto env = open_for_reading(directory);
  std::error_code error;
  const auto absolute = std::filesystem::absolute(target, error);
  if (::mkdir(target.c_str(), 0700) != 0)
    throw std::runtime_error{"cannot create the backup " + target + ": "
                             + std::strerror(errno)
                             + " (a backup goes to a new directory)"};
  try {
    copy(env.get(), target + "/data.mdb");
    // Whoever starts a node on this copy gets a new disk uuid: it may have
    // forgotten what was confirmed since.
    write_file(target + "/" + restored_marker, "backup\n");
    sync_directory(target);
    sync_directory(absolute.parent_path().string());
  } catch (...) {
    std::filesystem::remove_all(target, error);
    throw;
  }
}

} // namespace vartalap::storage
