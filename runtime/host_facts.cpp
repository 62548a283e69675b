#include "runtime/host_facts.hpp"

#include "runtime/units_text.hpp"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace vartalap::runtime {

namespace {

/// Connections that a node should be able to hold where nobody says how many.
constexpr std::uint64_t wanted_files = 65'536;
constexpr std::uint64_t wanted_backlog = 1024;
constexpr std::uint64_t least_free = 512 * core::MiB;

std::uint64_t limit_of(rlim_t value) {
  return value == RLIM_INFINITY ? host_facts::unlimited : value;
}

template <class T>
void read_number(const char* path, T& into) {
  T value{};
  if (std::ifstream in(path); in >> value)
    into = value;
}

std::string bytes(std::uint64_t number) {
  // Whole MiB: nobody needs the rest in a message.
  return format_size(static_cast<std::int64_t>(number / core::MiB * core::MiB));
}

/// The folder itself, or its nearest parent that exists.
std::filesystem::path nearest_existing(const std::string& folder) {
  std::error_code failed;
  auto path = std::filesystem::absolute(folder, failed);
  while (!path.empty() && path != path.root_path()
         && !std::filesystem::exists(path, failed))
    path = path.parent_path();
  return path;
}

void read_file_system(host_facts& facts) {
  const auto folder = nearest_existing(facts.data);
  std::error_code failed;
  facts.data_writable = std::filesystem::is_directory(folder, failed)
                        && access(folder.c_str(), W_OK | X_OK) == 0;
  struct statfs system {};
  if (statfs(folder.c_str(), &system) != 0)
    return;
  const auto type = static_cast<std::uint32_t>(system.f_type);
  constexpr std::uint32_t cifs = 0xFF534D42;
  constexpr std::uint32_t smb2 = 0xFE534D42;
  facts.data_in_memory = type == TMPFS_MAGIC || type == RAMFS_MAGIC;
  facts.data_on_network = type == NFS_SUPER_MAGIC || type == SMB_SUPER_MAGIC
                          || type == cifs || type == smb2;
  const auto block = static_cast<std::uint64_t>(system.f_bsize);
  facts.disk_free = system.f_bavail * block;
  facts.disk_bytes = system.f_blocks * block;
}

} // namespace

host_facts read_host_facts(const std::string& data) {
  host_facts facts;
  facts.data = data;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts.open_files = limit_of(limit.rlim_cur);
    facts.open_files_hard = limit_of(limit.rlim_max);
  }
  if (getrlimit(RLIMIT_AS, &limit) == 0)
    facts.address_space = limit_of(limit.rlim_cur);
  read_number("/proc/sys/net/core/somaxconn", facts.listen_backlog);
  read_number("/proc/sys/vm/overcommit_memory", facts.overcommit);
  read_file_system(facts);
  return facts;
}

std::vector<std::string> limit_warnings(const host_facts& host,
                                        const core::cluster_options& options) {
  std::vector<std::string> out;
  const auto asked = options.limits.max_connections;
  const auto files = asked == 0 ? wanted_files : asked + reserved_files;
  if (host.open_files < files) {
    const auto wanted = std::to_string(files);
    auto text = "the limit of open files is " + std::to_string(host.open_files)
                + ", good for "
                + std::to_string(
                  connection_limit(core::limit_options{}, host.open_files))
                + " connections: ulimit -n " + wanted;
    if (host.open_files_hard < files)
      text += " (as root, since the hard limit is "
              + std::to_string(host.open_files_hard) + ")";
    out.push_back(text + ", or LimitNOFILE=" + wanted + " in the systemd unit");
  }
  if (host.listen_backlog < wanted_backlog)
    out.push_back("the kernel queues only "
                  + std::to_string(host.listen_backlog)
                  + " new connections, so a reconnect storm drops some: sudo "
                    "sysctl -w net.core.somaxconn=4096");
  if (host.overcommit == 2)
    out.emplace_back("the kernel promises no memory that it does not have "
                     "(vm.overcommit_memory is 2), so thread stacks and "
                     "buffers may be refused early: sudo sysctl -w "
                     "vm.overcommit_memory=0");
  const auto space = options.storage.max_bytes + core::GiB;
  if (host.address_space < space)
    out.push_back("the address space is limited to " + bytes(host.address_space)
                  + ", less than the map of " + bytes(options.storage.max_bytes)
                  + ": ulimit -v unlimited, or lower storage.max_bytes");
  return out;
}

std::vector<std::string> data_warnings(const host_facts& host) {
  std::vector<std::string> out;
  if (!host.data_writable)
    out.push_back("the data folder " + host.data
                  + " cannot be written: sudo install -d -m 0700 -o "
                    "$(id -un) "
                  + host.data);
  if (host.data_in_memory)
    out.push_back("the data folder " + host.data
                  + " is in memory (tmpfs): a reboot loses every message; "
                    "set data to a folder on a disk");
  if (host.data_on_network)
    out.push_back("the data folder " + host.data
                  + " is on a network file system, which breaks the "
                    "storage; set data to a folder on a local disk");
  const auto least = std::max(host.disk_bytes / 20, least_free);
  if (host.disk_bytes != 0 && host.disk_free < least)
    out.push_back("only " + bytes(host.disk_free) + " are free for " + host.data
                  + ": new messages are refused below " + bytes(least)
                  + "; make room, or move data");
  return out;
}

std::vector<std::string>
identity_warnings(const core::cluster_options& options) {
  std::vector<std::string> out;
  const auto mode = options.auth.mode;
  if (mode == core::auth_mode::accesskey && options.nodes.size() > 1)
    out.emplace_back("access keys are known to the node that issued them "
                     "alone, so a client must come back to it; "
                     "auth.mode = \"jwt\" works on every node");
  for (const auto& node : options.nodes) {
    std::string problem;
    const auto at = parse_address(node.client, problem);
    if (at && !is_loopback(at->host) && !node.tls.wanted())
      out.push_back("clients of " + node.client
                    + " show their credentials in the clear: add [node.tls], "
                      "or let a proxy on this machine end TLS");
  }
  return out;
}

std::vector<std::string> host_warnings(const host_facts& host,
                                       const core::cluster_options& options) {
  auto out = limit_warnings(host, options);
  for (auto& more : {data_warnings(host), identity_warnings(options)})
    out.insert(out.end(), more.begin(), more.end());
  return out;
}

std::size_t connection_limit(const core::limit_options& limits,
                             std::uint64_t open_files) {
  if (limits.max_connections != 0)
    return limits.max_connections;
  if (open_files > 2 * reserved_files)
    return open_files - reserved_files;
  return open_files / 2;
}

} // namespace vartalap::runtime
