#include "test/fault/cluster_net.hpp"

#include "test/fault/crash_rig.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>

namespace vartalap::fault {

namespace {

constexpr std::uint16_t forwarded_port = 8080;
constexpr std::chrono::milliseconds command_limit{10'000};

[[noreturn]] void refuse(const std::string& doing) {
  throw std::runtime_error(
    doing + ": " + std::strerror(errno)
    + ". The cluster tests make network namespaces: run them as root on a"
      " kernel with CONFIG_NET_NS, or leave them out with `ctest -LE cluster`");
}

/// Debian keeps the tools of an administrator out of a user's PATH.
std::string find_program(const std::string& name) {
  for (const auto* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
    if (::access((folder + name).c_str(), X_OK) == 0)
      return folder + name;
  throw std::runtime_error("the cluster tests need `" + name
                           + "`: deploy/packages.txt names its package");
}

std::string address_list(const std::vector<std::size_t>& nodes) {
  std::string out;
  for (const auto i : nodes)
    out += (out.empty() ? "" : ", ") + cluster_net::address(i);
  return "{ " + out + " }";
}

} // namespace

/// The thread that lives in the namespace and does what it is told.
class net_space::worker {
public:
  explicit worker(const net_space& space)
    : thread_([this, &space] {
        space.enter();
        work();
      }) {
  }
  ~worker() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  void run(const std::function<void()>& what) {
    std::packaged_task<void()> task(what);
    auto done = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      task_ = &task;
    }
    changed_.notify_all();
    done.get();
  }

private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return over_ || task_ != nullptr; });
      if (over_)
        return;
      auto task = std::move(*task_);
      task_ = nullptr;
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::packaged_task<void()>* task_ = nullptr;
  bool over_ = false;
  std::thread thread_; ///< last: it uses the others
};

net_space::net_space() {
  std::promise<int> made;
  auto result = made.get_future();
  std::thread([&made] {
    try {
      if (::unshare(CLONE_NEWNET) != 0)
        refuse("no network namespace can be made");
      const int fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
      if (fd < 0)
        refuse("the new network namespace cannot be opened");
      made.set_value(fd);
    } catch (...) {
      made.set_exception(std::current_exception());
    }
  }).join();
  fd_ = result.get();
  worker_ = std::make_unique<worker>(*this);
  command({"ip", "link", "set", "lo", "up"});
}

net_space::~net_space() {
  worker_.reset();
  ::close(fd_);
}

void net_space::enter() const {
  if (::setns(fd_, CLONE_NEWNET) != 0)
    refuse("a network namespace cannot be entered");
}

void net_space::run(const std::function<void()>& what) {
  worker_->run(what);
}

std::string net_space::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_);
}

void net_space::command(const std::vector<std::string>& arguments) {
  std::string output = std::filesystem::temp_directory_path()
                       / "vartalap-command-XXXXXX";
  const int fd = ::mkstemp(output.data());
  if (fd < 0)
    refuse("no temporary file");
  ::close(fd);
  auto whole = arguments;
  whole.front() = find_program(arguments.front());
  int status = -1;
  run([&] {
    child running(whole, output);
    if (running.ended_within(command_limit))
      status = running.status();
  });
  std::ifstream in(output);
  const std::string said(std::istreambuf_iterator<char>(in), {});
  std::filesystem::remove(output);
  if (status == 0)
    return;
  std::string line;
  for (const auto& one : arguments)
    line += one + ' ';
  throw std::runtime_error(line + "failed: " + said);
}

cluster_net::cluster_net(const std::vector<std::uint16_t>& ports)
  : cut_(ports.size()) {
  hub_.command({"ip", "link", "add", "br0", "type", "bridge"});
  hub_.command({"ip", "addr", "add", "10.99.0.254/24", "dev", "br0"});
  hub_.command({"ip", "link", "set", "br0", "up"});
  for (std::size_t i = 0; i < ports.size(); ++i) {
    nodes_.push_back(std::make_unique<net_space>());
    auto& space = *nodes_.back();
    const auto here = "v" + std::to_string(i);
    hub_.command({"ip", "link", "add", here, "type", "veth", "peer", "name",
                  "eth0", "netns", space.path()});
    hub_.command({"ip", "link", "set", here, "master", "br0", "up"});
    space.command({"ip", "addr", "add", address(i) + "/24", "dev", "eth0"});
    space.command({"ip", "link", "set", "eth0", "up"});
    forwarders_.push_back(std::make_unique<forwarder>(
      [&space] { space.enter(); }, address(i), forwarded_port, ports[i]));
  }
}

std::string cluster_net::address(std::size_t node) {
  return "10.99.0." + std::to_string(node + 1);
}

std::string cluster_net::url(std::size_t node) {
  return "ws://" + address(node) + ":" + std::to_string(forwarded_port);
}

void cluster_net::drop(std::size_t node, const std::vector<std::size_t>& others,
                       cut which) {
  if (which == cut::nothing || others.empty()) {
    if (cut_[node])
      nodes_[node]->command({"nft", "delete", "table", "ip", "cut"});
    cut_[node] = false;
    return;
  }
  // One transaction: between the old rules and the new ones nothing passes.
  const auto list = address_list(others);
  std::string rules = "table ip cut\ndelete table ip cut\ntable ip cut {\n";
  if (which != cut::from_it)
    rules += "chain in { type filter hook input priority 0; ip saddr " + list
             + " drop; }\n";
  if (which != cut::to_it)
    rules += "chain out { type filter hook output priority 0; ip daddr " + list
             + " drop; }\n";
  nodes_[node]->command({"nft", rules + "}\n"});
  cut_[node] = true;
}

void cluster_net::isolate(std::size_t node, cut which) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (i != node)
      others.push_back(i);
  drop(node, others, which);
}

void cluster_net::heal() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    drop(i, {}, cut::nothing);
}

} // namespace vartalap::fault
