#include "runtime/web_folder.hpp"

#include <filesystem>

namespace vartalap::runtime {

std::string find_web_folder(const std::string& configured) {
  namespace fs = std::filesystem;
  if (!configured.empty())
    return configured;
  std::error_code ec;
  const auto binary = fs::read_symlink("/proc/self/exe", ec);
  if (ec)
    return {};
  const auto here = binary.parent_path();
  for (const auto& candidate :
       {here / "web", here.parent_path() / "web",
        here.parent_path().parent_path() / "web",
        here.parent_path() / "share" / "vartalap" / "web"})
    if (fs::exists(candidate / "index.html", ec))
      return candidate.string();
  return {};
}

} // namespace vartalap::runtime
