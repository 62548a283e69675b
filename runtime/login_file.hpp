#pragma once

#include "actors/identity.hpp"
#include "net/worker_pool.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace vartalap::runtime {

/// A file of names and password hashes, NAME:HASH a line, hashes as those of
/// crypt(3). Empty lines and those that begin with # do not count. Any thread.
class login_file {
public:
  /// @throws std::runtime_error with a text for the operator: not readable,
  ///         readable by others, a line that is none, a weak hash.
  explicit login_file(std::string path);

  /// Reads it again. @throws as the constructor; nothing has changed then.
  void reload();

  /// Takes as long for a name that is not in it. Slow on purpose.
  bool knows(const std::string& name, const std::string& password) const;

private:
  using users = std::unordered_map<std::string, std::string>;
  static users read(const std::string& path);

  std::string path_;
  mutable std::mutex mutex_;
  std::shared_ptr<const users> users_;
};

/// A hash of the password, for a line of that file: yescrypt.
/// @throws std::runtime_error where the system cannot.
std::string hash_password(const std::string& password);

/// Logins whose token is a password; hashing has threads of its own.
class login_file_provider final : public actors::login_provider {
public:
  explicit login_file_provider(std::shared_ptr<const login_file> file);

  void ask(actors::login_question what,
           std::function<void(actors::login_verdict)> answer) override;

private:
  std::shared_ptr<const login_file> file_;
  std::shared_ptr<std::atomic<unsigned>> waiting_;
  net::worker_pool workers_;
};

} // namespace vartalap::runtime
