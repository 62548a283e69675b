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
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>
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

/// Appends the ports of a table of /proc/PID/net whose sockets are among
/// `inodes`; of TCP, those that listen.
void add_ports(const std::string& table, const std::set<std::string>& inodes,
               bool is_tcp, std::vector<std::uint16_t>& to) {
  std::ifstream in(table);
  std::string line;
  std::getline(in, line); // names of the columns
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    std::string other;
    std::string inode;
    fields >> number >> local >> remote >> state;
    for (int i = 0; i < 5; ++i)
      fields >> other;
    fields >> inode;
    constexpr const char* listening = "0A";
    if (inodes.contains(inode) && (!is_tcp || state == listening))
      to.push_back(static_cast<std::uint16_t>(
        std::stoul(local.substr(local.rfind(':') + 1), nullptr, 16)));
  }
}

/// Several runs of a test may share the machine: wait longer for the start
/// than for anything else.
constexpr milliseconds start_within{30'000};

} // namespace

server_process::server_process(server_settings settings, unsigned files)
  : folder_(make_folder()), name_("n1"), owns_folder_(true), files_(files),
    port_(free_port()), admin_port_(free_port()),
    exceptions_(std::uncaught_exceptions()) {
  settings.emplace("limits.message_rate", "0");
  settings.emplace("runtime.shards", "2");
  write_config(settings);
  start();
}

node_place::node_place(std::string folder_of_file, std::string node_name,
                       std::uint16_t client_port, std::uint16_t admin)
  : folder(std::move(folder_of_file)), name(std::move(node_name)),
    port(client_port), admin_port(admin) {
}

server_process::server_process(node_place where)
  : folder_(std::move(where.folder)), name_(std::move(where.name)),
    owns_folder_(false), port_(where.port), admin_port_(where.admin_port),
    exceptions_(std::uncaught_exceptions()) {
  launch();
}

server_process::~server_process() {
  kill();
  if (std::uncaught_exceptions() > exceptions_)
    std::cerr << "the log of " << name_ << ":\n" << log() << std::endl;
  std::error_code ignored;
  if (!owns_folder_)
    return;
  std::filesystem::remove_all(folder_, ignored);
}

void server_process::write_config(const server_settings& settings) const {
  std::map<std::string, std::string> sections;
  std::string of_node;
  for (const auto& [key, value] : settings) {
    if (key.starts_with('[')) {
      of_node += key + '\n' + value + '\n';
      continue;
    }
    const auto dot = key.find('.');
    sections[key.substr(0, dot)] += key.substr(dot + 1) + " = " + value + '\n';
  }
  std::ofstream out(folder_ + "/cluster.toml");
  out << "[[node]]\nname = \"n1\"\nclient = \"127.0.0.1:" << port_
      << "\"\nadmin = \"127.0.0.1:" << admin_port_ << "\"\ndata = \"data\"\n"
      << of_node;
  for (const auto& [name, lines] : sections)
    out << '[' << name << "]\n" << lines;
}

void server_process::start(const std::string& program,
                           const std::string& answers) {
  launch(program);
  wait_until_ready(answers);
}

void server_process::launch(const std::string& program) {
  const std::string config = folder_ + "/cluster.toml";
  const std::string output = log_path();
  // A limit that the parent does not share needs a step in between; exec
  // keeps the pid.
  const std::string script = files_ == 0 ? "exec \"$@\""
                                         : "ulimit -n " + std::to_string(files_)
                                             + "; exec \"$@\"";
  const std::array<const char*, 11> arguments{
    "/bin/sh",       "-c",          script.c_str(), "sh",
    program.c_str(), "serve",       "--config",     config.c_str(),
    "--node",        name_.c_str(), nullptr};
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

milliseconds server_process::cpu_time() const {
  std::ifstream in("/proc/" + std::to_string(pid()) + "/stat");
  const std::string line(std::istreambuf_iterator<char>(in), {});
  // The second field, the name, may have blanks.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i)
    fields >> skipped;
  long user = 0;
  long system = 0;
  fields >> user >> system;
  return milliseconds{(user + system) * 1000 / ::sysconf(_SC_CLK_TCK)};
}

std::vector<std::uint16_t> server_process::open_ports() const {
  const auto process = "/proc/" + std::to_string(pid());
  std::set<std::string> inodes;
  for (const auto& file :
       std::filesystem::directory_iterator(process + "/fd")) {
    std::error_code gone;
    const auto to = std::filesystem::read_symlink(file, gone).string();
    constexpr std::string_view kind = "socket:[";
    if (to.starts_with(kind))
      inodes.insert(to.substr(kind.size(), to.size() - kind.size() - 1));
  }
  std::vector<std::uint16_t> out;
  for (const auto* table : {"tcp", "tcp6", "udp", "udp6"})
    add_ports(process + "/net/" + table, inodes, *table == 't', out);
  std::sort(out.begin(), out.end());
  return out;
}

std::size_t server_process::open_files() const {
  const std::filesystem::directory_iterator files(
    "/proc/" + std::to_string(pid()) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

std::string server_process::log() const {
  std::ifstream in(log_path());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string server_process::log_path() const {
  return folder_ + (owns_folder_ ? "/log" : "/log-" + name_);
}

std::string server_process::binary() {
  return VARTALAP_BINARY;
}

} // namespace vartalap::integration
