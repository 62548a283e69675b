#include "bench/process_meter.hpp"

#include <fstream>
#include <stdexcept>
#include <string>

namespace vartalap::bench {

process_meter::process_meter(pid_t pid) : pid_(pid) {
  if (clock_getcpuclockid(pid, &clock_) != 0)
    throw std::runtime_error("no process " + std::to_string(pid));
}

double process_meter::cpu_us() const {
  timespec used{};
  if (clock_gettime(clock_, &used) != 0)
    throw std::runtime_error("process " + std::to_string(pid_) + " has ended");
  return static_cast<double>(used.tv_sec) * 1e6
         + static_cast<double>(used.tv_nsec) / 1e3;
}

std::uint64_t process_meter::pss_bytes() const {
  const std::string path = "/proc/" + std::to_string(pid_) + "/smaps_rollup";
  std::ifstream file(path);
  std::string word;
  std::uint64_t kib = 0;
  while (file >> word) {
    if (word == "Pss:" && file >> kib)
      return kib * 1024;
  }
  throw std::runtime_error("cannot read Pss from " + path);
}

} // namespace vartalap::bench
