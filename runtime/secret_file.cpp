#include "runtime/secret_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace vartalap::runtime {

std::string read_file(const std::string& what, const std::string& path) {
  struct stat found {};
  errno = 0;
  if (::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode)) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (in && text << in.rdbuf())
      return text.str();
  }
  throw std::runtime_error(
    what + ": " + path + " cannot be read ("
    + (errno != 0 ? std::strerror(errno) : "it is empty or no file") + ")");
}

bool write_new_file(const std::string& path, std::string_view text,
                    ::mode_t mode) {
  const auto fail = [&path] {
    throw std::runtime_error("cannot write " + path + ": "
                             + std::strerror(errno));
  };
  const auto fd
    = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0 && errno == EEXIST)
    return false;
  if (fd < 0)
    fail();
  const auto n = ::write(fd, text.data(), text.size());
  ::close(fd);
  if (n != static_cast<::ssize_t>(text.size()))
    fail();
  return true;
}

std::string read_secret_file(const std::string& what, const std::string& path) {
  auto text = read_file(what, path);
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0
      && (found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw std::runtime_error(what + ": " + path
                             + " may be read by others: chmod 600 " + path);
  return text;
}

} // namespace vartalap::runtime
