#include "runtime/passwd.hpp"

#include "core/ids.hpp"
#include "runtime/login_file.hpp"

#include <termios.h>
#include <unistd.h>

#include <exception>
#include <istream>
#include <ostream>
#include <stdexcept>

namespace vartalap::runtime {

namespace {

constexpr std::size_t least_bytes = 8;

/// Shows nothing of what is typed, while it lives.
class unseen {
public:
  unseen() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0)
      return;
    auto quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_terminal_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
  }
  ~unseen() {
    if (is_terminal_)
      ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  unseen(const unseen&) = delete;
  unseen& operator=(const unseen&) = delete;

  bool is_terminal() const noexcept {
    return is_terminal_;
  }

private:
  ::termios before_{};
  bool is_terminal_ = false;
};

std::string read_password(std::istream& in, std::ostream& err) {
  const unseen typing;
  const auto ask = [&](const char* what) {
    if (typing.is_terminal())
      err << what << std::flush;
    std::string line;
    std::getline(in, line);
    if (typing.is_terminal())
      err << '\n';
    return line;
  };
  auto out = ask("Password: ");
  if (typing.is_terminal() && ask("Again: ") != out)
    throw std::runtime_error("the two differ");
  if (out.size() < least_bytes)
    throw std::runtime_error("a password has at least 8 bytes");
  return out;
}

} // namespace

int run_passwd(const std::string& user, std::istream& in, std::ostream& out,
               std::ostream& err) {
  try {
    if (!core::is_valid_user(user))
      throw std::runtime_error("nobody can have this name: 1 to 128 bytes of "
                               "UTF-8 without control characters, and not "
                               "`server`");
    out << user << ':' << hash_password(read_password(in, err)) << '\n';
    return 0;
  } catch (const std::exception& problem) {
    err << "vartalap passwd: " << problem.what() << '\n';
    return 2;
  }
}

} // namespace vartalap::runtime
