#pragma once

#include "core/options.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// cluster.toml: reading it, and saying what is wrong with it.
namespace vartalap::runtime {

/// One thing that is wrong in a configuration.
struct config_problem {
  std::string file;
  std::uint32_t line = 0; ///< 0: concerns the file as a whole
  std::uint32_t column = 0;
  std::string key;  ///< dotted path, e.g. "delivery.window"; may be empty
  std::string what; ///< what is wrong
  std::string mend; ///< how to mend it
};

/// "cluster.toml:12:3: delivery.window: what is wrong. Mend: how."
std::string to_text(const config_problem& problem);

/// What a configuration text came to. The options count only if there are no
/// problems.
struct config_result {
  core::cluster_options options;
  std::vector<config_problem> problems; ///< in the order of the file

  bool ok() const noexcept {
    return problems.empty();
  }
};

/// All problems of a configuration at once; `what()` has one line for each.
class config_error : public std::runtime_error {
public:
  explicit config_error(std::vector<config_problem> problems);

  const std::vector<config_problem>& problems() const noexcept {
    return problems_;
  }

private:
  std::vector<config_problem> problems_;
};

/// Reads a configuration from text and checks every key, value and relation.
/// Relative paths in it (`data`, `web`, `admin_token_file`) are taken from the
/// folder of `file`. Pure: touches no file.
/// @param file The name for messages, and where relative paths begin.
config_result parse_config(std::string_view text, const std::string& file);

/// Reads and checks the file at `path`; a file that cannot be read is a
/// problem like any other. Blocks on the disk.
config_result read_config(const std::string& path);

/// As read_config, for start-up.
/// @throws config_error with all problems.
core::cluster_options load_config(const std::string& path);

/// The node called `name`, or the only one where `name` is empty.
/// @throws std::runtime_error with a text for the operator.
const core::node_options& find_node(const core::cluster_options& options,
                                    std::string_view name);

} // namespace vartalap::runtime
