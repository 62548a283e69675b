#include "storage/data_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace vartalap::storage {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error{what + ": " + std::strerror(errno)};
}

struct remote_file_system {
  std::uint64_t type;
  const char* name;
};

// Memory maps and record locks of these are not dependable.
constexpr std::array<remote_file_system, 10> refused{{
  {0x6969, "NFS"},
  {0x01021997, "9p"},
  {0xff534d42, "CIFS"},
  {0xfe534d42, "SMB"},
  {0x517b, "SMB"},
  {0x5346414f, "AFS"},
  {0x6b414653, "AFS"},
  {0x00c36400, "Ceph"},
  {0x73757245, "Coda"},
  {0x786f4256, "VirtualBox shared folder"},
}};
constexpr std::uint64_t tmpfs = 0x01021994;
constexpr std::uint64_t fuse = 0x65735546;

std::uint64_t file_system_of(const std::string& directory) {
  struct statfs found {};
  if (::statfs(directory.c_str(), &found) != 0)
    fail("cannot ask for the file system of " + directory);
  return static_cast<std::uint64_t>(found.f_type) & 0xffffffffU;
}

void check_file_system(const std::string& path, std::uint64_t type,
                       core::log_port& log) {
  for (const auto& entry : refused)
    if (entry.type == type)
      throw std::runtime_error{
        path + " is on " + entry.name
        + ", a remote file system that cannot carry the message store: "
          "choose a local directory (ext4, XFS) as the node's `data`"};
  if (type == tmpfs)
    log.write(core::log_level::warning, "storage",
              path
                + " is on tmpfs: confirmed messages do not survive a reboot");
  if (type == fuse)
    log.write(core::log_level::warning, "storage",
              path + " is on FUSE: make sure that it syncs and locks properly");
}

void check_address_space(std::size_t map_bytes) {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return;
  if (limit.rlim_cur < map_bytes + core::GiB)
    throw std::runtime_error{
      "the address space limit (ulimit -v) of "
      + std::to_string(limit.rlim_cur / core::MiB)
      + " MiB is below storage.max_bytes ("
      + std::to_string(map_bytes / core::MiB)
      + " MiB) + 1 GiB: raise the limit or lower storage.max_bytes"};
}

} // namespace

void write_file(const std::string& path, const std::string& text) {
  const auto fd
    = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    fail("cannot create " + path);
  const auto written = ::write(fd, text.data(), text.size());
  const auto synced = ::fsync(fd);
  ::close(fd);
  if (written != static_cast<ssize_t>(text.size()) || synced != 0)
    fail("cannot write " + path);
}

void sync_directory(const std::string& path) {
  const auto fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    fail("cannot open " + path);
  const auto synced = ::fsync(fd);
  ::close(fd);
  if (synced != 0)
    fail("cannot sync " + path);
}

disk_space space_of(const std::string& directory) {
  struct statvfs found {};
  if (::statvfs(directory.c_str(), &found) != 0)
    fail("cannot ask for the free space of " + directory);
  return {found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize};
}

data_directory::data_directory(std::string path,
                               const core::storage_options& options,
                               const store_hooks& hooks, core::log_port& log)
  : path_(std::move(path)) {
  check_address_space(options.max_bytes);
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path_, error);
  std::filesystem::create_directories(absolute.parent_path(), error);
  if (::mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST)
    fail("cannot create the data directory " + path_);
  struct stat found {};
  if (::stat(path_.c_str(), &found) != 0 || !S_ISDIR(found.st_mode))
    throw std::runtime_error{path_
                             + " is not a directory: choose another "
                               "place as the node's `data`"};
  if (::access(path_.c_str(), R_OK | W_OK | X_OK) != 0)
    fail("the data directory " + path_ + " must be writable by this user");
  if ((found.st_mode & 077U) != 0)
    log.write(core::log_level::warning, "storage",
              "others may enter " + path_ + ": chmod 700 it");
  check_file_system(
    path_, hooks.file_system ? hooks.file_system(path_) : file_system_of(path_),
    log);
  lock();
}

data_directory::~data_directory() {
  // Closing gives the lock back.
  if (lock_fd_ >= 0)
    ::close(lock_fd_);
}

void data_directory::lock() {
  const auto name = path_ + "/" + lock_marker;
  lock_fd_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0)
    fail("cannot create " + name);
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    const auto holder = read(lock_marker);
    ::close(lock_fd_);
    lock_fd_ = -1;
    throw std::runtime_error{
      path_ + " is in use by another node (process " + holder
      + "): every node needs a data directory of its own"};
  }
  const auto pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_fd_, 0) != 0
      || ::pwrite(lock_fd_, pid.data(), pid.size(), 0)
           != static_cast<ssize_t>(pid.size()))
    fail("cannot write " + name);
}

bool data_directory::has(const std::string& marker) const {
  std::error_code error;
  return std::filesystem::exists(path_ + "/" + marker, error);
}

void data_directory::write(const std::string& marker,
                           const std::string& text) const {
  write_file(path_ + "/" + marker, text + "\n");
  sync_directory(path_);
}

std::string data_directory::read(const std::string& marker) const {
  std::ifstream file{path_ + "/" + marker};
  std::string text;
  std::getline(file, text);
  return text;
}

void data_directory::remove(const std::string& marker) const {
  if (::unlink((path_ + "/" + marker).c_str()) != 0 && errno != ENOENT)
    fail("cannot remove " + path_ + "/" + marker);
  sync_directory(path_);
}

void data_directory::sync() const {
  sync_directory(path_);
  std::error_code error;
  const auto parent = std::filesystem::absolute(path_, error).parent_path();
  // The parent may belong to somebody else: then its entry is theirs to sync.
  if (::access(parent.c_str(), R_OK) == 0)
    sync_directory(parent.string());
}

} // namespace vartalap::storage
