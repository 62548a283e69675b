#pragma once

#include "runtime/config_table.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// What the tables of settings are written with: a row names a field, its rule
/// and its comment.
namespace vartalap::runtime {

using core::cluster_options;

inline constexpr std::int64_t second
  = 1'000'000; // durations are microseconds here
inline constexpr std::int64_t minute = 60 * second;
inline constexpr std::int64_t day = 1440 * minute;
inline constexpr std::int64_t kib = 1LL << 10;
inline constexpr std::int64_t mib = 1LL << 20;
inline constexpr std::int64_t gib = 1LL << 30;

template <class T>
setting_value to_value(const T& field) {
  if constexpr (std::is_same_v<T, core::durability_mode>)
    return std::string(field == core::durability_mode::strict ? "strict"
                                                              : "relaxed");
  else if constexpr (std::is_same_v<T, core::auth_mode>)
    return std::string(field == core::auth_mode::none  ? "none"
                       : field == core::auth_mode::jwt ? "jwt"
                                                       : "accesskey");
  else if constexpr (
    std::is_same_v<T,
                   core::milliseconds> || std::is_same_v<T, core::microseconds>)
    return std::int64_t{core::microseconds(field).count()};
  else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
    return static_cast<std::int64_t>(field);
  else
    return field;
}

template <class T>
void from_value(T& field, const setting_value& value) {
  if constexpr (std::is_same_v<T, core::durability_mode>)
    field = std::get<std::string>(value) == "strict"
              ? core::durability_mode::strict
              : core::durability_mode::relaxed;
  else if constexpr (std::is_same_v<T, core::auth_mode>)
    field = std::get<std::string>(value) == "none" ? core::auth_mode::none
            : std::get<std::string>(value) == "jwt"
              ? core::auth_mode::jwt
              : core::auth_mode::accesskey;
  else if constexpr (
    std::is_same_v<T,
                   core::milliseconds> || std::is_same_v<T, core::microseconds>)
    field = std::chrono::duration_cast<T>(
      core::microseconds(std::get<std::int64_t>(value)));
  else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
    field = static_cast<T>(std::get<std::int64_t>(value));
  else
    field = std::get<T>(value);
}

inline value_rule count(std::int64_t least, std::int64_t most,
                        std::string zero = {}) {
  return {value_kind::count, least, most, 1, std::move(zero), {}, {}};
}

inline value_rule size(std::int64_t least, std::int64_t most,
                       std::string zero = {}) {
  return {value_kind::size, least, most, 1, std::move(zero), {}, {}};
}

inline value_rule duration(std::int64_t least, std::int64_t most,
                           std::string zero = {}) {
  return {value_kind::duration, least, most, 1000, std::move(zero), {}, {}};
}

inline value_rule rate(std::int64_t least, std::int64_t most,
                       std::string zero = {}) {
  return {value_kind::rate, least, most, 1, std::move(zero), {}, {}};
}

inline value_rule choice(std::vector<std::string> choices,
                         std::vector<std::string> later = {}) {
  return {value_kind::choice, 0, 0, 1, {}, std::move(choices),
          std::move(later)};
}

inline value_rule plain(value_kind kind) {
  return {kind, 0, 0, 1, {}, {}, {}};
}

/// Appends the rows of one section.
template <class Section>
struct rows_of {
  std::vector<cluster_setting>& out;
  std::string name;
  Section cluster_options::*section;

  template <class Field>
  const rows_of& operator()(std::string key, Field Section::*field,
                            value_rule rule, std::string comment) const {
    out.push_back({name, std::move(key), std::move(rule), std::move(comment),
                   [where = section, field](const cluster_options& options) {
                     return to_value(options.*where.*field);
                   },
                   [where = section, field](cluster_options& options,
                                            const setting_value& value) {
                     from_value(options.*where.*field, value);
                   }});
    return *this;
  }
};

/// Adds the rows of `[push]` and its parts.
void add_push_settings(std::vector<cluster_setting>& out);

} // namespace vartalap::runtime
