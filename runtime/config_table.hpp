#pragma once

#include "core/options.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The one table of everything that cluster.toml may say. The parser, the
/// printed defaults and docs/configuration.md all come from it.
namespace vartalap::runtime {

/// How a value is written and what it means.
enum class value_kind : std::uint8_t {
  flag,     ///< true or false
  count,    ///< whole number
  rate,     ///< number
  size,     ///< bytes, "64KiB"
  duration, ///< microseconds, "50ms"
  text,     ///< string
  choice,   ///< one of some strings
  address,  ///< "127.0.0.1:8080"
  path,     ///< file or folder, relative to the folder of cluster.toml
  list,     ///< strings
};

/// A value in one of the shapes that a key can have; counts, sizes (bytes) and
/// durations (microseconds) are whole numbers.
using setting_value = std::variant<bool, std::int64_t, double, std::string,
                                   std::vector<std::string>>;

/// Which values a key takes.
struct value_rule {
  value_kind kind = value_kind::text;
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::int64_t step = 1; ///< microseconds that a duration is stored in
  std::string zero;      ///< what 0 means; empty: 0 is an ordinary value
  std::vector<std::string> choices;
  std::vector<std::string> later; ///< choices of a later version
};

/// One key of a section.
/// @tparam Target The struct that the setter fills.
template <class Target>
struct basic_setting {
  std::string section;
  std::string key;
  value_rule rule;
  std::string comment; ///< one sentence or two, for people
  std::function<setting_value(const Target&)> get;
  std::function<void(Target&, const setting_value&)> set;
};

using cluster_setting = basic_setting<core::cluster_options>;
using node_setting = basic_setting<core::node_options>;

/// Every key outside `[[node]]`, in the order in which they are printed.
const std::vector<cluster_setting>& cluster_settings();

/// Every key of a `[[node]]`.
const std::vector<node_setting>& node_settings();

/// A section and what it is about.
struct section_text {
  std::string_view name;
  std::string_view comment;
};

/// The sections in the order in which they are printed; "node" is `[[node]]`.
const std::vector<section_text>& config_sections();

/// The node that the defaults show: n1 on loopback, data in "data/n1".
core::node_options example_node();

} // namespace vartalap::runtime
