#include "runtime/login_file.hpp"

#include "core/ids.hpp"
#include "net/access_key.hpp"
#include "runtime/secret_file.hpp"

#include <crypt.h>

#include <sstream>
#include <stdexcept>
#include <utility>

namespace vartalap::runtime {

namespace {

/// Hashing costs much: more that wait are told to come again.
constexpr unsigned waiting_max = 64;
constexpr std::size_t threads = 2;

/// Longer ones are attacks on the hash's time, not passwords.
constexpr std::size_t password_bytes_max = 512;

std::string crypted(const std::string& password, const std::string& setting) {
  // 32 KiB: not for a stack.
  const auto room = std::make_unique<::crypt_data>();
  const auto* out = ::crypt_r(password.c_str(), setting.c_str(), room.get());
  return out == nullptr || *out == '*' ? std::string() : std::string(out);
}

} // namespace

login_file::login_file(std::string path)
  : path_(std::move(path)), users_(std::make_shared<const users>(read(path_))) {
}

void login_file::reload() {
  auto fresh = std::make_shared<const users>(read(path_));
  const std::lock_guard lock(mutex_);
  users_ = std::move(fresh);
}

login_file::users login_file::read(const std::string& path) {
  users out;
  std::istringstream lines(read_secret_file("auth.login.users_file", path));
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line.front() == '#')
      continue;
    const auto fail = [&](const std::string& why) {
      throw std::runtime_error(path + ":" + std::to_string(number) + ": " + why
                               + ": `vartalap passwd NAME` prints such lines");
    };
    const auto colon = line.rfind(':');
    if (colon == std::string::npos
        || !core::is_valid_user(line.substr(0, colon)))
      fail("is not NAME:HASH");
    auto hash = line.substr(colon + 1);
    // DES and the like, which have no dollar, are broken within minutes.
    if (hash.empty() || hash.front() != '$'
        || ::crypt_checksalt(hash.c_str()) != CRYPT_SALT_OK)
      fail("has no hash that is strong enough");
    if (!out.emplace(line.substr(0, colon), std::move(hash)).second)
      fail("names a user for the second time");
  }
  if (out.empty())
    throw std::runtime_error(path + " has no users: `vartalap passwd NAME >> "
                             + path + "` adds one");
  return out;
}

bool login_file::knows(const std::string& name,
                       const std::string& password) const {
  std::shared_ptr<const users> from;
  {
    const std::lock_guard lock(mutex_);
    from = users_;
  }
  const auto found = from->find(name);
  const bool is_there = found != from->end();
  // Whose it is must not show by the time that it takes.
  const auto& hash = is_there ? found->second : from->begin()->second;
  const bool may_be = !password.empty() && password.size() <= password_bytes_max
                      && password.find('\0') == std::string::npos;
  const auto made = crypted(may_be ? password : "x", hash);
  return net::equal_in_constant_time(made, hash) && is_there && may_be;
}

std::string hash_password(const std::string& password) {
  const std::unique_ptr<char, decltype(&::free)> setting(
    ::crypt_gensalt_ra(nullptr, 0, nullptr, 0), &::free);
  auto out = setting ? crypted(password, setting.get()) : std::string();
  if (out.empty())
    throw std::runtime_error("the system hashes no passwords");
  return out;
}

login_file_provider::login_file_provider(std::shared_ptr<const login_file> file)
  : file_(std::move(file)),
    waiting_(std::make_shared<std::atomic<unsigned>>(0)), workers_(threads) {
}

void login_file_provider::ask(
  actors::login_question what,
  std::function<void(actors::login_verdict)> answer) {
  if (waiting_->fetch_add(1) >= waiting_max) {
    waiting_->fetch_sub(1);
    return answer(actors::login_verdict::unavailable);
  }
  workers_.post([file = file_, waiting = waiting_, what = std::move(what),
                 answer = std::move(answer)] {
    const bool known = file->knows(what.username, what.token);
    waiting->fetch_sub(1);
    answer(known ? actors::login_verdict::yes : actors::login_verdict::no);
  });
}

} // namespace vartalap::runtime
