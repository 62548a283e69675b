#include "runtime/admin_token.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace vartalap::runtime {

namespace {

constexpr std::size_t least_length = 16;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw std::runtime_error("the administration token in " + path + " " + why);
}

std::string random_token(const std::string& path) {
  std::array<unsigned char, 32> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0)
      != static_cast<ssize_t>(bytes.size()))
    fail(path, "cannot be made: the system gives no random bytes");
  std::string token;
  for (const auto byte : bytes) {
    token += "0123456789abcdef"[byte >> 4];
    token += "0123456789abcdef"[byte & 15];
  }
  return token;
}

/// Writes beside and renames, so that a crash never leaves half a token.
std::string create_token(const std::string& path) {
  std::filesystem::create_directories(
    std::filesystem::path(path).parent_path());
  auto token = random_token(path);
  const auto line = token + "\n";
  const auto beside = path + ".new";
  const int file
    = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0)
    fail(path, std::string("cannot be written: ") + std::strerror(errno));
  const bool written = write(file, line.data(), line.size())
                         == static_cast<ssize_t>(line.size())
                       && fsync(file) == 0;
  close(file);
  if (!written || rename(beside.c_str(), path.c_str()) != 0)
    fail(path, std::string("cannot be written: ") + std::strerror(errno));
  return token;
}

} // namespace

std::string admin_token_path(const core::node_options& node,
                             const core::auth_options& auth) {
  if (!auth.admin_token_file.empty())
    return auth.admin_token_file;
  return (std::filesystem::path(node.data) / "admin.token").string();
}

std::string load_admin_token(const core::node_options& node,
                             const core::auth_options& auth) {
  const auto path = admin_token_path(node, auth);
  if (auth.admin_token_file.empty() && !std::filesystem::exists(path))
    return create_token(path);
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    fail(path, "cannot be read (" + std::string(std::strerror(errno))
                 + "): openssl rand -hex 32 > " + path + " && chmod 600 "
                 + path);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    fail(path, "may be read by others: chmod 600 " + path);
  std::ifstream in(path);
  std::string token;
  if (!(in >> token) || token.size() < least_length)
    fail(path, "is shorter than 16 characters: openssl rand -hex 32 > " + path);
  return token;
}

} // namespace vartalap::runtime
