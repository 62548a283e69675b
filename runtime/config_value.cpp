#include "runtime/config_value.hpp"

#include "runtime/units_text.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

namespace vartalap::runtime {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names)
    out += (out.empty() ? "" : ", ") + quoted(name);
  return out;
}

/// What a value of this kind looks like, as the end of "write …".
std::string form(const value_rule& rule) {
  switch (rule.kind) {
    case value_kind::flag:
      return "true or false";
    case value_kind::count:
      return "a whole number";
    case value_kind::rate:
      return "a number";
    case value_kind::size:
      return R"(a size such as "64KiB", or a number of bytes)";
    case value_kind::duration:
      return R"(a duration such as "50ms", "5s" or "30d")";
    case value_kind::choice:
      return "one of " + joined(rule.choices);
    case value_kind::address:
      return R"(an address such as "127.0.0.1:8080")";
    case value_kind::list:
      return R"(a list of strings such as ["a", "b"])";
    case value_kind::text:
    case value_kind::path:
      return "a string in double quotes";
  }
  return {};
}

checked_value refused(std::string what, std::string mend) {
  return {std::nullopt, std::move(what), std::move(mend)};
}

std::string number_text(std::int64_t number, const value_rule& rule) {
  if (rule.kind == value_kind::size)
    return format_size(number);
  if (rule.kind == value_kind::duration)
    return format_duration(number);
  return std::to_string(number);
}

checked_value check_number(std::int64_t number, const value_rule& rule) {
  if (number == 0 && !rule.zero.empty())
    return {setting_value(number), {}, {}};
  if (number < rule.least || number > rule.most)
    return refused(number_text(number, rule) + " is out of range",
                   "allowed is " + range_text(rule));
  if (rule.kind == value_kind::duration && number % rule.step != 0)
    return refused(format_duration(number) + " is finer than a millisecond",
                   "write whole milliseconds");
  return {setting_value(number), {}, {}};
}

checked_value check_quantity(const setting_value& written,
                             const value_rule& rule) {
  const bool is_size = rule.kind == value_kind::size;
  if (const auto* number = std::get_if<std::int64_t>(&written)) {
    if (is_size && *number >= 0)
      return check_number(*number, rule);
    return is_size ? refused("a size cannot be negative",
                             "allowed is " + range_text(rule))
                   : refused("a number without a unit",
                             "write a string with a unit, e.g. \""
                               + std::to_string(*number) + "s\"");
  }
  const auto* text = std::get_if<std::string>(&written);
  if (text == nullptr)
    return wrong_type(rule);
  std::string problem;
  const auto number = is_size ? parse_size(*text, problem)
                              : parse_duration(*text, problem);
  if (number)
    return check_number(*number, rule);
  const auto split = problem.find("; ");
  return refused(problem.substr(0, split), problem.substr(split + 2));
}

checked_value check_rate(const setting_value& written, const value_rule& rule) {
  double number = 0;
  if (const auto* integer = std::get_if<std::int64_t>(&written))
    number = static_cast<double>(*integer);
  else if (const auto* real = std::get_if<double>(&written))
    number = *real;
  else
    return wrong_type(rule);
  if (!std::isfinite(number) || number < static_cast<double>(rule.least)
      || number > static_cast<double>(rule.most))
    return refused("is out of range", "allowed is " + range_text(rule));
  return {setting_value(number), {}, {}};
}

checked_value check_text(const std::string& text, const value_rule& rule) {
  if (text.find('\0') != std::string::npos)
    return refused("contains a zero byte", "remove it");
  if (rule.kind == value_kind::address) {
    std::string problem;
    if (!parse_address(text, problem)) {
      const auto split = problem.find("; ");
      return refused(problem.substr(0, split), problem.substr(split + 2));
    }
  }
  if (rule.kind != value_kind::choice)
    return {setting_value(text), {}, {}};
  const auto is_in = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), text) != names.end();
  };
  if (is_in(rule.choices))
    return {setting_value(text), {}, {}};
  if (is_in(rule.later))
    return refused(quoted(text) + " is not in this version",
                   "write " + form(rule));
  const auto nearest = nearest_name(text, rule.choices);
  return refused(quoted(text) + " is unknown",
                 nearest.empty() ? "write " + form(rule)
                                 : "did you mean " + quoted(nearest) + "?");
}

/// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

} // namespace

checked_value wrong_type(const value_rule& rule) {
  return refused("has the wrong type", "write " + form(rule));
}

checked_value check_value(const setting_value& written,
                          const value_rule& rule) {
  switch (rule.kind) {
    case value_kind::flag:
      if (std::holds_alternative<bool>(written))
        return {written, {}, {}};
      break;
    case value_kind::count:
      if (const auto* number = std::get_if<std::int64_t>(&written))
        return check_number(*number, rule);
      break;
    case value_kind::rate:
      return check_rate(written, rule);
    case value_kind::size:
    case value_kind::duration:
      return check_quantity(written, rule);
    case value_kind::list:
      if (std::holds_alternative<std::vector<std::string>>(written))
        return {written, {}, {}};
      break;
    case value_kind::text:
    case value_kind::choice:
    case value_kind::address:
    case value_kind::path:
      if (const auto* text = std::get_if<std::string>(&written))
        return check_text(*text, rule);
      break;
  }
  return wrong_type(rule);
}

std::string to_toml(const setting_value& value, const value_rule& rule) {
  if (const auto* flag = std::get_if<bool>(&value))
    return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return rule.kind == value_kind::count ? std::to_string(*number)
                                          : quoted(number_text(*number, rule));
  if (const auto* real = std::get_if<double>(&value)) {
    std::ostringstream out;
    out << *real;
    return out.str();
  }
  if (const auto* text = std::get_if<std::string>(&value))
    return quoted(*text);
  return "[" + joined(std::get<std::vector<std::string>>(value)) + "]";
}

std::string range_text(const value_rule& rule) {
  if (rule.kind == value_kind::choice)
    return joined(rule.choices);
  if (rule.kind != value_kind::count && rule.kind != value_kind::size
      && rule.kind != value_kind::duration && rule.kind != value_kind::rate)
    return {};
  auto text = number_text(rule.least, rule) + " to "
              + number_text(rule.most, rule);
  if (!rule.zero.empty())
    text += "; 0: " + rule.zero;
  return text;
}

std::string_view kind_text(value_kind kind) {
  switch (kind) {
    case value_kind::flag:
      return "true or false";
    case value_kind::count:
      return "whole number";
    case value_kind::rate:
      return "number";
    case value_kind::size:
      return "size";
    case value_kind::duration:
      return "duration";
    case value_kind::text:
      return "string";
    case value_kind::choice:
      return "one of";
    case value_kind::address:
      return "address";
    case value_kind::path:
      return "path";
    case value_kind::list:
      return "list of strings";
  }
  return {};
}

std::string nearest_name(std::string_view name,
                         const std::vector<std::string>& known) {
  std::string best;
  auto least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& candidate : known)
    if (const auto d = distance(name, candidate); d < least) {
      least = d;
      best = candidate;
    }
  return best;
}

} // namespace vartalap::runtime
