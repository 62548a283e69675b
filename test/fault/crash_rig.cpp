#include "test/fault/crash_rig.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <regex>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace vartalap::fault {

namespace {

using std::chrono::milliseconds;

/// Longest wait for a load tester that is left alone, and for an orderly end.
constexpr milliseconds load_limit{60'000};
constexpr milliseconds end_limit{15'000};

/// How often the tester's progress is looked at.
constexpr milliseconds look_every{20};

bool is_free(std::uint16_t port) {
  const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // The socket API takes every kind of address through this pointer.
  const auto* generic = reinterpret_cast<const ::sockaddr*>(&at);
  const bool free = ::bind(s, generic, sizeof at) == 0;
  ::close(s);
  return free;
}

/// A free port below the range from which the system takes ports for outgoing
/// connections: one of those could occupy it while the server is down.
std::uint16_t free_port(std::mt19937& random) {
  for (int i = 0; i < 1000; ++i) {
    const auto port = static_cast<std::uint16_t>(12'000 + random() % 18'000);
    if (is_free(port))
      return port;
  }
  throw std::runtime_error("no free port on loopback");
}

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// A number of the report; −1 where it is missing or null.
std::int64_t number_in(const std::string& json, const std::string& key) {
  std::smatch found;
  if (!std::regex_search(json, found, std::regex("\"" + key + "\":([0-9]+)")))
    return -1;
  return std::stoll(found[1].str());
}

/// The phase of the run that the tester's last line of progress names.
std::string phase_in(const std::string& log) {
  static const std::regex line("(connecting|parting|running|settling|draining|"
                               "over) +online ");
  std::string last;
  for (std::sregex_iterator at(log.begin(), log.end(), line), end; at != end;
       ++at)
    last = (*at)[1];
  return last;
}

/// A folder of one run, removed at its end.
class scratch {
public:
  scratch() {
    std::string pattern
      = (std::filesystem::temp_directory_path() / "vartalap-crash-XXXXXX");
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("cannot make a folder in the temporary one");
    path_ = pattern;
  }
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }

private:
  std::string path_;
};

void write_config(const std::string& path, std::uint16_t client,
                  std::uint16_t admin, const std::string& delivery) {
  std::ofstream(path) << "[[node]]\nname = \"n1\"\nclient = \"127.0.0.1:"
                      << client << "\"\nadmin = \"127.0.0.1:" << admin
                      << "\"\ndata = \"data\"\n\n[delivery]\n"
                      << delivery
                      << "\n[storage]\ndurability = \"strict\"\n"
                         "settle_after = \"500ms\"\n\n"
                         "[limits]\nmessage_rate = 0\n";
}

} // namespace

child::child(const std::vector<std::string>& arguments,
             const std::string& output) {
  std::vector<char*> raw;
  for (const auto& one : arguments)
    raw.push_back(const_cast<char*>(one.c_str())); // posix_spawn's signature
  raw.push_back(nullptr);
  ::posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  for (const int to : {STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_addopen(&files, to, output.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
  pid_t pid = -1;
  const auto failed
    = ::posix_spawn(&pid, raw[0], &files, nullptr, raw.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0)
    throw std::runtime_error("cannot start " + arguments[0]);
  adopt(pid);
}

crash_result run_crashes(const crash_plan& plan) {
  std::mt19937 random(plan.seed);
  std::mt19937 ports(static_cast<std::uint32_t>(::getpid()));
  scratch folder;
  const auto port = free_port(ports);
  auto admin = free_port(ports);
  while (admin == port)
    admin = free_port(ports);
  write_config(folder / "cluster.toml", port, admin, plan.delivery);
  const std::vector<std::string> serve{plan.server, "serve", "--config",
                                       folder / "cluster.toml"};
  auto server = std::make_unique<child>(serve, folder / "server.log");
  std::vector<std::string> arguments{VARTALAP_BINARY,
                                     "load",
                                     "--url",
                                     "ws://127.0.0.1:" + std::to_string(port),
                                     "--expect-restarts",
                                     "--progress",
                                     "--json",
                                     folder / "report.json",
                                     "--seed",
                                     std::to_string(plan.seed)};
  arguments.insert(arguments.end(), plan.load.begin(), plan.load.end());
  child load(arguments, folder / "load.log");

  std::cout << "seed " << plan.seed << ", " << plan.server << "\n";
  crash_result out;
  const auto span
    = static_cast<std::uint32_t>((plan.most - plan.least).count());
  // A server that dies while users still connect proves nothing.
  const auto phase = [&] { return phase_in(slurp(folder / "load.log")); };
  while (phase() != "running")
    if (load.ended_within(look_every))
      throw std::runtime_error("the load does not begin: "
                               + slurp(folder / "load.log"));
  while (out.kills < plan.kills) {
    const auto pause = plan.least + milliseconds{random() % (span + 1)};
    if (load.ended_within(pause) || phase() != "running")
      break;
    server->signal(plan.signal);
    if (!server->ended_within(end_limit))
      throw std::runtime_error("the server does not end");
    const auto wanted = plan.signal == SIGKILL ? 128 + SIGKILL : 0;
    if (server->status() != wanted)
      throw std::runtime_error("the server ended by itself: "
                               + slurp(folder / "server.log"));
    ++out.kills;
    server = std::make_unique<child>(serve, folder / "server.log");
  }
  if (!load.ended_within(load_limit))
    throw std::runtime_error("the load tester does not end: "
                             + slurp(folder / "load.log"));
  server->signal(SIGTERM);
  if (server->ended_within(end_limit))
    out.last_end = server->status();
  out.load_status = load.status();
  out.text = slurp(folder / "load.log");
  const auto json = slurp(folder / "report.json");
  out.confirmed = number_in(json, "confirmed");
  out.lost = number_in(json, "lost");
  out.reordered = number_in(json, "reordered");
  out.unexpected = number_in(json, "unexpected");
  std::cout << out.kills << " ends, " << out.confirmed << " confirmed, "
            << out.lost << " lost, " << out.reordered << " reordered, "
            << out.unexpected << " unexpected\n";
  return out;
}

} // namespace vartalap::fault
