#include "test/fault/cluster_rig.hpp"

#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/command_process.hpp"
#include "test/integration/rig/http_client.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>
#include <sstream>
#include <stdexcept>

namespace vartalap::fault {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint16_t client_ports = 8081;
constexpr std::uint16_t admin_ports = 9081;
constexpr std::uint16_t peer_port = 7080;

constexpr milliseconds start_limit{20'000};
constexpr milliseconds stop_limit{20'000};
constexpr milliseconds load_end_limit{40'000};
constexpr milliseconds look_every{20};
constexpr std::size_t tail_bytes = 3000;

const std::string folder_prefix = "vartalap-cluster-";

milliseconds since(clock::time_point then) {
  return std::chrono::duration_cast<milliseconds>(clock::now() - then);
}

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string name_of(std::size_t node) {
  return "n" + std::to_string(node + 1);
}

/// Folders of runs that died. Their processes and networks died with them.
void remove_leftovers(const std::filesystem::path& where) {
  for (const auto& entry : std::filesystem::directory_iterator(where)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(folder_prefix))
      continue;
    const auto pid = std::atoi(name.c_str() + folder_prefix.size());
    std::error_code ignored;
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH)
      std::filesystem::remove_all(entry.path(), ignored);
  }
}

std::string make_folder() {
  const auto where = std::filesystem::temp_directory_path();
  remove_leftovers(where);
  std::string pattern
    = where / (folder_prefix + std::to_string(::getpid()) + "-XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a folder in the temporary one");
  return pattern;
}

/// Ends with the thread that starts it, so with this process.
std::vector<std::string> bound(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {"/usr/bin/setpriv", "--pdeathsig", "KILL"});
  return arguments;
}

/// The sum of a page's metrics that tell of copies which are not where they
/// should be.
double gaps_in(const std::string& page) {
  std::istringstream in(page);
  double sum = 0;
  for (std::string line; std::getline(in, line);) {
    const auto name = line.substr(0, line.find_first_of(" {"));
    if (name == "vartalap_under_replicated" || name.ends_with("_hints"))
      sum += std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

} // namespace

cluster_rig::cluster_rig(cluster_plan plan)
  : plan_(std::move(plan)), members_(plan_.nodes), folder_(make_folder()),
    nodes_(plan_.nodes + plan_.spare) {
  try {
    std::iota(members_.begin(), members_.end(), std::size_t{0});
    std::vector<std::uint16_t> ports;
    for (std::size_t i = 0; i < size(); ++i)
      ports.push_back(client_port(i));
    net_ = std::make_unique<cluster_net>(ports);
    if (size() > 1)
      make_certificates();
    write_config();
    for (const auto i : members_)
      start(i);
    for (const auto i : members_)
      wait_ready(i, start_limit);
  } catch (...) {
    std::filesystem::remove_all(folder_);
    throw;
  }
}

cluster_rig::~cluster_rig() {
  mail_.reset();
  load_.reset();
  nodes_.clear();
  if (std::getenv("VARTALAP_KEEP") != nullptr) {
    std::cout << "kept " << folder_ << '\n';
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::uint16_t cluster_rig::client_port(std::size_t node) const noexcept {
  return static_cast<std::uint16_t>(client_ports + node);
}

std::string cluster_rig::data(std::size_t node) const {
  return folder_ + "/data-" + name_of(node);
}

void cluster_rig::make_certificates() const {
  const auto certs = folder_ + "/certs";
  const auto run = [](const std::vector<std::string>& arguments) {
    const auto end = integration::run_command(arguments);
    if (end.status != 0)
      throw std::runtime_error("no certificates: " + end.output);
  };
  run({"certs", "init", "--dir", certs});
  for (std::size_t i = 0; i < size(); ++i)
    run({"certs", "node", name_of(i), "--dir", certs});
}

void cluster_rig::write_config() const {
  std::ofstream out(folder_ + "/cluster.toml");
  if (size() > 1)
    out << "[cluster]\nname = \"rig\"\n\n[cluster.tls]\n"
           "ca = \"certs/ca.pem\"\ncertificate = \"certs/{node}.pem\"\n"
           "key = \"certs/{node}.key\"\n\n[replication]\nreplicas = "
        << plan_.replicas << "\n\n";
  for (const auto i : members_) {
    out << "[[node]]\nname = \"" << name_of(i)
        << "\"\nclient = \"127.0.0.1:" << client_port(i)
        << "\"\nadmin = \"127.0.0.1:" << admin_ports + i << "\"\ndata = \"data-"
        << name_of(i) << "\"\n";
    if (size() > 1)
      out << "peer = \"" << cluster_net::address(i) << ":" << peer_port
          << "\"\n";
  }
  out << "\n[delivery]\n"
      << plan_.delivery
      << "\n[storage]\nsettle_after = \"500ms\"\nmax_bytes = \"2GiB\"\n\n"
         "[limits]\nmessage_rate = 0\nmax_connections_per_address = 0\n";
}

void cluster_rig::start(std::size_t node) {
  auto& mine = nodes_.at(node);
  const auto arguments
    = bound({plan_.server.empty() ? VARTALAP_BINARY : plan_.server, "serve",
             "--config", folder_ + "/cluster.toml", "--node", name_of(node)});
  net_->node(node).run([&] {
    mine.process = std::make_unique<child>(
      arguments, folder_ + "/" + name_of(node) + ".log");
  });
  mine.wanted = true;
}

milliseconds cluster_rig::wait_ready(std::size_t node, milliseconds limit) {
  const auto begin = clock::now();
  const auto port = static_cast<std::uint16_t>(admin_ports + node);
  while (since(begin) < limit) {
    unsigned status = 0;
    net_->node(node).run([&] {
      try {
        status = integration::http(port, {.path = "/readyz"}).status;
      } catch (const std::runtime_error&) {
        // Nobody listens yet.
      }
    });
    if (status == 200)
      return since(begin);
    if (nodes_[node].process->ended_within(look_every))
      fail(name_of(node) + " ended instead of getting ready");
  }
  fail(name_of(node) + " did not get ready within "
       + std::to_string(limit.count()) + " ms");
}

void cluster_rig::kill(std::size_t node) {
  nodes_[node].wanted = false;
  nodes_[node].process->kill();
}

milliseconds cluster_rig::stop(std::size_t node, milliseconds limit) {
  const auto begin = clock::now();
  nodes_[node].wanted = false;
  nodes_[node].process->signal(SIGTERM);
  wait_stopped(node, limit);
  return since(begin);
}

void cluster_rig::wait_stopped(std::size_t node, milliseconds limit) {
  const auto& mine = nodes_[node];
  if (!mine.process->ended_within(limit))
    fail(name_of(node) + " did not end within " + std::to_string(limit.count())
         + " ms of SIGTERM");
  if (mine.process->status() != 0)
    fail(name_of(node) + " ended with status "
         + std::to_string(mine.process->status()));
}

void cluster_rig::freeze(std::size_t node) {
  nodes_[node].process->signal(SIGSTOP);
}

void cluster_rig::thaw(std::size_t node) {
  nodes_[node].process->signal(SIGCONT);
}

std::size_t cluster_rig::memory(std::size_t node) const {
  std::ifstream in("/proc/" + std::to_string(nodes_[node].process->pid())
                   + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmRSS:"))
      return std::stoul(line.substr(6)) * 1024;
  return 0;
}

void cluster_rig::set_members(std::vector<std::size_t> nodes) {
  members_ = std::move(nodes);
  write_config();
}

void cluster_rig::reload(std::size_t node) {
  nodes_.at(node).process->signal(SIGHUP);
}

std::string cluster_rig::picture(std::size_t node) {
  const auto port = static_cast<std::uint16_t>(admin_ports + node);
  std::string seen;
  net_->node(node).run([&] {
    try {
      const auto answer = integration::http(port, {.path = "/cluster"});
      if (answer.status == 200)
        seen = answer.body;
    } catch (const std::runtime_error&) {
      // Nobody listens.
    }
  });
  return seen;
}

bool cluster_rig::is_calm(std::size_t node) {
  const auto seen = picture(node);
  if (seen.empty() || integration::json_at(seen, "/calm") != "true"
      || integration::json_at(seen, "/underReplicated") != "0"
      || !integration::json_list(seen, "/next").empty())
    return false;
  const auto nodes = integration::json_list(seen, "/nodes");
  return nodes.size() == members_.size()
         && std::all_of(nodes.begin(), nodes.end(), [](const auto& one) {
              return integration::json_at(one, "/phase") == "serving"
                     && integration::json_at(one, "/owns") != "0";
            });
}

std::string cluster_rig::pictures() {
  std::string out;
  for (const auto i : members_)
    out += picture(i) + '\n';
  return out;
}

milliseconds cluster_rig::wait_calm(milliseconds limit) {
  const auto begin = clock::now();
  for (const auto i : members_) {
    wait_ready(i, limit);
    while (!is_calm(i)) {
      if (since(begin) > limit)
        fail(name_of(i) + " is not calm: " + pictures());
      if (nodes_[i].process->ended_within(look_every))
        fail(name_of(i) + " ended by itself");
    }
  }
  return since(begin);
}

milliseconds cluster_rig::drain(std::size_t node, milliseconds limit) {
  const auto begin = clock::now();
  nodes_.at(node).wanted = false;
  net_->node(node).run([&] {
    child command(bound({VARTALAP_BINARY, "drain", "--config",
                         folder_ + "/cluster.toml", "--node", name_of(node)}),
                  folder_ + "/drain.log");
    if (!command.ended_within(limit) || command.status() != 0)
      fail("vartalap drain: " + slurp(folder_ + "/drain.log") + pictures());
  });
  wait_stopped(node, limit);
  return since(begin);
}

void cluster_rig::begin_load() {
  std::vector<std::string> arguments{VARTALAP_BINARY,
                                     "load",
                                     "--expect-restarts",
                                     "--progress",
                                     "--give-up",
                                     "60s",
                                     "--warmup",
                                     "500ms",
                                     "--duration",
                                     "24h",
                                     "--settle",
                                     std::to_string(settle_limit.count())
                                       + "ms",
                                     "--seed",
                                     std::to_string(plan_.seed),
                                     "--json",
                                     folder_ + "/report.json"};
  std::vector<absent_mail::entrance> entrances;
  for (std::size_t i = 0; i < size(); ++i) {
    arguments.insert(arguments.end(), {"--url", cluster_net::url(i)});
    entrances.push_back({[this, i] { net_->node(i).enter(); }, client_port(i)});
  }
  arguments.insert(arguments.end(), plan_.load.begin(), plan_.load.end());
  net_->hub().run([&] {
    load_ = std::make_unique<child>(bound(arguments), folder_ + "/load.log");
  });
  const auto begin = clock::now();
  while (slurp(folder_ + "/load.log").find("running ") == std::string::npos)
    if (load_->ended_within(look_every) || since(begin) > start_limit)
      fail("the load does not begin");
  mail_ = std::make_unique<absent_mail>(std::move(entrances));
}

void cluster_rig::wait(milliseconds span) {
  if (load_->ended_within(span))
    fail("the load tester ended by itself");
  require_alive();
}

void cluster_rig::require_alive() {
  for (std::size_t i = 0; i < size(); ++i)
    if (nodes_[i].wanted && nodes_[i].process->ended_within(milliseconds{0}))
      fail(name_of(i) + " ended by itself with status "
           + std::to_string(nodes_[i].process->status()));
}

load_verdict cluster_rig::end_load() {
  mail_->stop();
  load_->signal(SIGINT);
  if (!load_->ended_within(load_end_limit))
    fail("the load tester does not end");
  require_alive();
  const auto report = slurp(folder_ + "/report.json");
  if (report.empty())
    fail("the load tester wrote no report");
  return read_verdict(report);
}

double cluster_rig::reported_gaps(std::size_t node) {
  const auto port = static_cast<std::uint16_t>(admin_ports + node);
  std::string page;
  net_->node(node).run(
    [&] { page = integration::http(port, {.path = "/metrics"}).body; });
  return gaps_in(page);
}

void cluster_rig::wait_for_copies(milliseconds limit) {
  const auto begin = clock::now();
  for (const auto i : members_)
    while (reported_gaps(i) > 0) {
      if (since(begin) > limit)
        fail(name_of(i) + " still reports missing copies");
      if (nodes_[i].process->ended_within(look_every))
        fail(name_of(i) + " ended by itself");
    }
}

std::vector<std::string> cluster_rig::stop_and_dump() {
  // All at once: none of them takes over what another leaves.
  for (const auto i : members_) {
    nodes_[i].wanted = false;
    nodes_[i].process->signal(SIGTERM);
  }
  for (const auto i : members_)
    wait_stopped(i, stop_limit);
  std::vector<std::string> out(size());
  for (const auto i : members_) {
    auto end = integration::run_command({"dump", data(i)});
    if (end.status != 0)
      fail("dump of " + name_of(i) + ": " + end.output);
    out[i] = std::move(end.output);
  }
  return out;
}

std::vector<std::string> cluster_rig::waiting_mail() const {
  return mail_->confirmed();
}

std::string cluster_rig::logs() const {
  std::string out;
  for (std::size_t i = 0; i <= size(); ++i) {
    const auto name = i < size() ? name_of(i) : "load";
    auto text = slurp(folder_ + "/" + name + ".log");
    if (text.size() > tail_bytes)
      text.erase(0, text.size() - tail_bytes);
    out += "\n--- " + name + ":\n" + text;
  }
  return out;
}

void cluster_rig::fail(const std::string& what) const {
  throw std::runtime_error(what + logs());
}

} // namespace vartalap::fault
