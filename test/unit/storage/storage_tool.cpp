#include "storage/store.hpp"

#include <cstdio>
#include <exception>
#include <string_view>

// What an operator does beside a running node, in a process of its own:
//   storage_tool backup DIRECTORY TARGET
//   storage_tool verify DIRECTORY
int main(int argc, char** argv) {
  try {
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "backup" && argc == 4) {
      vartalap::storage::backup(argv[2], argv[3]);
      return 0;
    }
    if (what == "verify" && argc == 3) {
      const auto report = vartalap::storage::verify(argv[2]);
      for (const auto& problem : report.problems)
        std::fprintf(stderr, "%s\n", problem.c_str());
      return report.damaged == 0 ? 0 : 1;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 2;
}
