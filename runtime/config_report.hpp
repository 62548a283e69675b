#pragma once

#include "core/options.hpp"
#include "runtime/config.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vartalap::runtime {

/// Gathers what is wrong with one configuration, and remembers where each key
/// stands, so that a rule about two values can name the place of either.
class config_report {
public:
  explicit config_report(std::string file) : file_(std::move(file)) {
  }

  /// Remembers where `key` (dotted, nodes as "node[0].client") stands.
  void place(const std::string& key, std::uint32_t line, std::uint32_t column);

  /// Adds a problem at the place of `key`, or of the section around it.
  void add(const std::string& key, std::string what, std::string mend);

  /// All problems, in the order of the file.
  std::vector<config_problem> take();

private:
  struct position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
  };

  std::string file_;
  std::map<std::string, position> places_;
  std::vector<config_problem> problems_;
};

/// The same of `[push]` and its parts.
void check_push(const core::cluster_options& options, config_report& report);

/// Checks what no single key shows: relations between values, nodes and their
/// addresses, and what may be reached from where.
void check_relations(const core::cluster_options& options,
                     config_report& report);

/// The part of it that is about [auth] and [auth.…].
void check_auth(const core::cluster_options& options, config_report& report);

} // namespace vartalap::runtime
