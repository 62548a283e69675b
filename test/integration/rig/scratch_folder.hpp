#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace vartalap::integration {

/// A temporary folder for files that a configuration names.
class scratch_folder {
public:
  scratch_folder()
    : path_((std::filesystem::temp_directory_path() / "vartalap-files-XXXXXX")
              .string()) {
    if (::mkdtemp(path_.data()) == nullptr)
      throw std::runtime_error("no temporary folder");
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  std::string path(const std::string& name) const {
    return path_ + "/" + name;
  }

  /// As TOML text.
  std::string quoted(const std::string& name) const {
    return "\"" + path(name) + "\"";
  }

  /// Writes beside and renames, as whoever replaces keys should; only its
  /// owner may read it.
  void write(const std::string& name, const std::string& text) const {
    const auto beside = path(name) + ".new";
    std::ofstream(beside, std::ios::binary) << text;
    ::chmod(beside.c_str(), 0600);
    std::filesystem::rename(beside, path(name));
  }

private:
  std::string path_;
};

} // namespace vartalap::integration
