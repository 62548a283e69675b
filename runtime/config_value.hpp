#pragma once

#include "runtime/config_table.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::runtime {

/// A value that passed its rule, or what is wrong with it.
struct checked_value {
  std::optional<setting_value> value;
  std::string what; ///< if there is no value
  std::string mend;
};

/// Checks a value as it was written (number, string, list …) against the rule
/// of its key, and turns "5s" and "64KiB" into numbers.
checked_value check_value(const setting_value& written, const value_rule& rule);

/// The answer to a value that has no plain shape (a table, a date …).
checked_value wrong_type(const value_rule& rule);

/// A value as it is written in TOML.
std::string to_toml(const setting_value& value, const value_rule& rule);

/// The values that a rule allows, for people: "1s to 1h", "none".
std::string range_text(const value_rule& rule);

/// The name of a kind, for people: "duration", "size" …
std::string_view kind_text(value_kind kind);

/// The one of `known` that `name` was probably meant to be, or nothing.
std::string nearest_name(std::string_view name,
                         const std::vector<std::string>& known);

} // namespace vartalap::runtime
