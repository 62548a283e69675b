#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vartalap::house {

/// Checks the source tree under `root` against the rules of CONTRIBUTING.md:
/// who may include whom, one owner for each dependency, lengths of files, no
/// sleeping in tests, a README in each folder.
/// @return One line for each violation: "path:line: what is wrong".
std::vector<std::string> check_tree(const std::filesystem::path& root);

/// Checks one source file.
/// @param path From the root, e.g. "core/mailbox.cpp".
std::vector<std::string> check_file(const std::string& path,
                                    const std::string& text);

} // namespace vartalap::house
