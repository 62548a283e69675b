// Limits, the clock and the disk.

#include "runtime/doctor_checks.hpp"
#include "runtime/host_facts.hpp"
#include "runtime/units_text.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace vartalap::runtime {

namespace {

using std::chrono::microseconds;

/// Each confirmation waits for a sync: above this, for long.
constexpr microseconds slow_sync{50'000};
constexpr std::size_t probes = 5;

findings as_bad(std::vector<std::string> warnings) {
  findings out;
  for (auto& text : warnings)
    out.push_back({false, std::move(text)});
  return out;
}

/// The median time until 4 KiB of a file without a name are on the disk.
std::optional<microseconds> sync_time(const std::string& folder) {
  const auto fd
    = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return std::nullopt;
  const std::array<char, 4096> block{};
  std::array<microseconds, probes> took{};
  bool is_done = true;
  for (auto& each : took) {
    const auto begin = std::chrono::steady_clock::now();
    is_done = is_done
              && ::write(fd, block.data(), block.size())
                   == static_cast<::ssize_t>(block.size())
              && ::fdatasync(fd) == 0;
    each = std::chrono::duration_cast<microseconds>(
      std::chrono::steady_clock::now() - begin);
  }
  ::close(fd);
  if (!is_done)
    return std::nullopt;
  std::sort(took.begin(), took.end());
  return took[probes / 2];
}

finding told_of_sync(const patient& who, microseconds took) {
  const auto text = "a sync takes " + format_duration(took.count());
  if (took <= slow_sync
      || who.options.storage.durability == core::durability_mode::relaxed)
    return {true, text};
  return {false, text
                   + ", and every confirmation waits for one: move data to a "
                     "disk that is faster (fio --name=sync --rw=write --bs=4k "
                     "--size=16m --fdatasync=1 --directory="
                   + who.node.data + " measures it)"};
}

} // namespace

::pid_t holder_of(const std::string& data) {
  const auto path = data + "/node.lock";
  struct ::stat lock {};
  std::ifstream in(path);
  ::pid_t pid = -1;
  if (::stat(path.c_str(), &lock) != 0 || !(in >> pid))
    return -1;
  // The file stays when its process is gone, the lock does not.
  const auto place = ':' + std::to_string(lock.st_ino) + ' ';
  const auto holder = ' ' + std::to_string(pid) + ' ';
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);)
    if (line.find(" FLOCK ") != std::string::npos
        && line.find(place) != std::string::npos
        && line.find(holder) != std::string::npos)
      return pid;
  return -1;
}

findings look_at_limits(const patient& who) {
  auto host = read_host_facts(who.node.data);
  ::rlimit limit{};
  std::string whose = "this shell";
  if (who.running > 0
      && ::prlimit(who.running, RLIMIT_NOFILE, nullptr, &limit) == 0) {
    whose = "the running node";
    host.open_files = limit.rlim_cur;
    host.open_files_hard = limit.rlim_max;
  }
  if (auto out = as_bad(limit_warnings(host, who.options)); !out.empty()) {
    for (auto& each : out)
      each.text += " (looked at: " + whose + ")";
    return out;
  }
  return {{true, whose + " may open " + std::to_string(host.open_files)
                   + " files, good for "
                   + std::to_string(
                     connection_limit(who.options.limits, host.open_files))
                   + " connections"}};
}

findings look_at_clock() {
  ::timex now{};
  const auto state = ::adjtimex(&now);
  if (state < 0)
    return {{false, std::string("the clock cannot be looked at (")
                      + std::strerror(errno) + "): timedatectl status"}};
  if (state == TIME_ERROR || (now.status & STA_UNSYNC) != 0)
    return {{false, "the clock is not synchronised, so messages may expire "
                    "early or late, and tokens be refused: sudo timedatectl "
                    "set-ntp true (in a container: on its host)"}};
  return {
    {true, "synchronised, off by at most " + format_duration(now.maxerror)}};
}

findings look_at_disk(const patient& who) {
  const auto& data = who.node.data;
  const auto host = read_host_facts(data);
  auto out = as_bad(data_warnings(host));
  if (out.empty())
    out.push_back({true, format_size(static_cast<std::int64_t>(
                           host.disk_free / core::MiB * core::MiB))
                           + " free for " + data});
  std::error_code failed;
  auto folder = std::filesystem::absolute(data, failed);
  while (folder != folder.root_path()
         && !std::filesystem::exists(folder, failed))
    folder = folder.parent_path();
  if (const auto took = sync_time(folder.string()))
    out.push_back(told_of_sync(who, *took));
  return out;
}

} // namespace vartalap::runtime
