#include "test/integration/rig/server_process.hpp"

#include "test/integration/rig/http_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

extern char** environ;

namespace vartalap::integration {

namespace {

std::string make_folder() {
  auto text
    = (std::filesystem::temp_directory_path() / "vartalap-XXXXXX").string();
  if (::mkdtemp(text.data()) == nullptr)
    throw std::runtime_error("no temporary folder");
  return text;
}

/// Several runs of a test may share the machine: wait longer for the start
/// than for anything else.
constexpr milliseconds start_within{30'000};

} // namespace

server_process::server_process(server_settings settings, unsigned files)
  : folder_(make_folder()), files_(files), port_(free_port()),
    admin_port_(free_port()), exceptions_(std::uncaught_exceptions()) {
  settings.emplace("limits.message_rate", "0");
  settings.emplace("runtime.shards", "2");
  write_config(settings);
  start();
}

server_process::~server_process() {
  kill();
  if (std::uncaught_exceptions() > exceptions_)
    std::cerr << "the server's log:\n" << log() << std::endl;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void server_process::write_config(const server_settings& settings) const {
  std::map<std::string, std::string> sections;
  for (const auto& [key, value] : settings) {
    const auto dot = key.find('.');
    sections[key.substr(0, dot)] += key.substr(dot + 1) + " = " + value + '\n';
  }
  std::ofstream out(folder_ + "/cluster.toml");
  out << "[[node]]\nname = \"n1\"\nclient = \"127.0.0.1:" << port_
      << "\"\nadmin = \"127.0.0.1:" << admin_port_ << "\"\ndata = \"data\"\n";
  for (const auto& [name, lines] : sections)
    out << '[' << name << "]\n" << lines;
}

void server_process::start(const std::string& program,
                           const std::string& answers) {
  const std::string config = folder_ + "/cluster.toml";
  const std::string output = folder_ + "/log";
  // A limit that the parent does not share needs a step in between; exec
  // keeps the pid.
  const std::string script = files_ == 0 ? "exec \"$@\""
                                         : "ulimit -n " + std::to_string(files_)
                                             + "; exec \"$@\"";
  const std::array<const char*, 9> arguments{
    "/bin/sh", "-c",       script.c_str(), "sh",   program.c_str(),
    "serve",   "--config", config.c_str(), nullptr};
  std::array<char*, arguments.size()> raw{};
  std::transform(arguments.begin(), arguments.end(), raw.begin(),
                 [](const char* text) { return const_cast<char*>(text); });
  ::posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 1, output.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t pid = -1;
  const auto error
    = ::posix_spawn(&pid, raw[0], &files, nullptr, raw.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0)
    throw std::runtime_error("cannot start the server");
  adopt(pid);
  wait_until_ready(answers);
}

void server_process::wait_until_ready(const std::string& path) {
  const auto until = clock::now() + start_within;
  while (clock::now() < until) {
    try {
      if (http(admin_port_, {.path = path}).status == 200)
        return;
    } catch (const std::runtime_error&) {
      // Nobody listens yet.
    }
    // Waits for its end, which would be the other answer.
    if (ended_within(milliseconds{10}))
      break;
  }
  throw std::runtime_error("the server did not get ready:\n" + log());
}

std::size_t server_process::memory() const {
  std::ifstream in("/proc/" + std::to_string(pid()) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.rfind("VmRSS:", 0) == 0)
      return std::stoul(line.substr(6)) * 1024;
  return 0;
}

std::size_t server_process::open_files() const {
  const std::filesystem::directory_iterator files(
    "/proc/" + std::to_string(pid()) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

std::string server_process::log() const {
  std::ifstream in(folder_ + "/log");
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string server_process::binary() {
  return VARTALAP_BINARY;
}

} // namespace vartalap::integration
