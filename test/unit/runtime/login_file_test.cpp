#include "runtime/login_file.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace vartalap::runtime {

namespace {

class users_file {
public:
  users_file()
    : path_((std::filesystem::temp_directory_path()
             / ("vartalap-users-" + std::to_string(::getpid())))
              .string()) {
  }
  ~users_file() {
    std::filesystem::remove(path_);
  }
  users_file(const users_file&) = delete;
  users_file& operator=(const users_file&) = delete;

  const std::string& write(const std::string& text, ::mode_t mode = 0600) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
    return path_;
  }

private:
  std::string path_;
};

// bcrypt and SHA-512 of "password", as other tools write them.
const std::string bcrypt
  = "$2b$05$abcdefghijklmnopqrstuuIYeoHGV3SJ01YxW3VuHx4eEKaIp1JQO";
const std::string& of_password() {
  static const auto hash = hash_password("right password");
  return hash;
}

} // namespace

TEST_CASE("login_file knows who is in it, by the right password alone") {
  users_file file;
  const login_file users(file.write("# people\n\nalice:" + of_password()
                                    + "\na:b:" + of_password() + "\n"));
  CHECK(users.knows("alice", "right password"));
  CHECK(users.knows("a:b", "right password"));
  CHECK_FALSE(users.knows("alice", "wrong password"));
  CHECK_FALSE(users.knows("alice", ""));
  CHECK_FALSE(users.knows("alice", "x"));
  CHECK_FALSE(users.knows("alice", std::string("right password\0x", 16)));
  CHECK_FALSE(users.knows("alice", std::string(513, 'x')));
  CHECK_FALSE(users.knows("nobody", "right password"));
  CHECK_FALSE(users.knows("", ""));
}

TEST_CASE("login_file refuses a file that lets too much happen") {
  users_file file;
  CHECK_THROWS(login_file("/nonexistent/users"));
  CHECK_THROWS(login_file(file.write("")));
  CHECK_THROWS(login_file(file.write("# nobody\n")));
  CHECK_THROWS(login_file(file.write("alice\n")));
  CHECK_THROWS(login_file(file.write("alice:\n")));
  CHECK_THROWS(login_file(file.write("alice:plain text\n")));
  CHECK_THROWS(login_file(file.write("alice:ab1234567890.\n"))); // DES
  CHECK_THROWS(login_file(file.write(":" + of_password() + "\n")));
  CHECK_THROWS(login_file(file.write("server:" + of_password() + "\n")));
  CHECK_THROWS(login_file(
    file.write("a:" + of_password() + "\na:" + of_password() + "\n")));
  CHECK_THROWS(login_file(file.write("a:" + of_password() + "\n", 0644)));
  CHECK_NOTHROW(login_file(file.write("a:" + bcrypt + "\n", 0600)));
}

TEST_CASE("login_file read again is as the file is, unless that is none") {
  users_file file;
  login_file users(file.write("alice:" + of_password() + "\n"));
  file.write("bob:" + of_password() + "\n");
  CHECK(users.knows("alice", "right password"));
  users.reload();
  CHECK_FALSE(users.knows("alice", "right password"));
  CHECK(users.knows("bob", "right password"));
  file.write("nothing");
  CHECK_THROWS(users.reload());
  CHECK(users.knows("bob", "right password"));
}

} // namespace vartalap::runtime
