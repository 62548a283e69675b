#include "runtime/config.hpp"

#include "runtime/config_report.hpp"
#include "runtime/config_table.hpp"
#include "runtime/config_value.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace vartalap::runtime {

namespace {

/// The plain shape of a TOML value, for the table's rules; tables, dates and
/// mixed arrays have none.
std::optional<setting_value> plain_value(const toml::node& node) {
  if (const auto* flag = node.as_boolean())
    return setting_value(flag->get());
  if (const auto* integer = node.as_integer())
    return setting_value(integer->get());
  if (const auto* real = node.as_floating_point())
    return setting_value(real->get());
  if (const auto* text = node.as_string())
    return setting_value(text->get());
  const auto* array = node.as_array();
  if (array == nullptr)
    return std::nullopt;
  std::vector<std::string> list;
  for (const auto& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr)
      return std::nullopt;
    list.push_back(text->get());
  }
  return setting_value(std::move(list));
}

/// Walks the tables of one file and fills the options.
class config_reader {
public:
  config_reader(const std::string& file, config_report& report)
    : folder_(std::filesystem::path(file).parent_path()), report_(report) {
  }

  core::cluster_options read(const toml::table& root) {
    for (const auto& [key, value] : root) {
      const std::string name(key.str());
      place(name, key.source().begin);
      if (name == "node")
        read_nodes(value);
      else if (!is_section(name))
        refuse_unknown(name, name, section_names());
      else if (const auto* table = value.as_table())
        read_section(*table, name, name, cluster_settings(), options_);
      else
        report_.add(name, "is a section, not a value",
                    "write [" + name + "] on a line of its own");
    }
    return std::move(options_);
  }

private:
  void place(const std::string& key, const toml::source_position& where) {
    report_.place(key, static_cast<std::uint32_t>(where.line),
                  static_cast<std::uint32_t>(where.column));
  }

  static std::vector<std::string> section_names() {
    std::vector<std::string> names;
    for (const auto& section : config_sections())
      names.emplace_back(section.name);
    return names;
  }

  static bool is_section(const std::string& name) {
    const auto names = section_names();
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void read_nodes(const toml::node& value) {
    const auto* array = value.as_array();
    if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
      report_.add("node", "is not a list of nodes",
                  "write [[node]], with two brackets, above each node");
      return;
    }
    for (const auto& element : *array) {
      const auto index = std::to_string(options_.nodes.size());
      const auto prefix = "node[" + index + "]";
      place(prefix, element.source().begin);
      options_.nodes.emplace_back();
      read_section(*element.as_table(), "node", prefix, node_settings(),
                   options_.nodes.back());
    }
  }

  /// @param prefix How messages name the section: "delivery", "node[0]".
  template <class Target>
  void read_section(const toml::table& table, const std::string& section,
                    const std::string& prefix,
                    const std::vector<basic_setting<Target>>& settings,
                    Target& target) {
    for (const auto& [key, value] : table) {
      const std::string name(key.str());
      auto path = prefix;
      path.append(".").append(name);
      place(path, key.source().begin);
      const auto inner = section + "." + name;
      if (const auto* table_in_it = value.as_table();
          table_in_it != nullptr && is_section(inner)) {
        read_section(*table_in_it, inner, path, settings, target);
        continue;
      }
      const auto setting
        = std::find_if(settings.begin(), settings.end(), [&](const auto& each) {
            return each.section == section && each.key == name;
          });
      if (setting == settings.end())
        refuse_unknown_key(section, name, path, settings);
      else
        read_value(value, *setting, path, target);
    }
  }

  template <class Target>
  void read_value(const toml::node& node, const basic_setting<Target>& setting,
                  const std::string& path, Target& target) {
    const auto plain = plain_value(node);
    auto checked = plain ? check_value(*plain, setting.rule)
                         : wrong_type(setting.rule);
    if (!checked.value) {
      report_.add(path, std::move(checked.what), std::move(checked.mend));
      return;
    }
    if (setting.rule.kind == value_kind::path)
      if (auto& text = std::get<std::string>(*checked.value); !text.empty())
        text = (folder_ / text).lexically_normal().string();
    setting.set(target, *checked.value);
  }

  template <class Target>
  void refuse_unknown_key(const std::string& section, const std::string& name,
                          const std::string& path,
                          const std::vector<basic_setting<Target>>& settings) {
    for (const auto& each : cluster_settings())
      if (each.key == name && each.section != section) {
        report_.add(path, "unknown key",
                    "move it: " + name + " belongs to [" + each.section + "]");
        return;
      }
    std::vector<std::string> known;
    for (const auto& each : settings)
      if (each.section == section)
        known.push_back(each.key);
    refuse_unknown(path, name, known);
  }

  void refuse_unknown(const std::string& path, const std::string& name,
                      const std::vector<std::string>& known) {
    const auto nearest = nearest_name(name, known);
    report_.add(path, "unknown key",
                nearest.empty()
                  ? "remove it; `vartalap check --defaults` prints every key"
                  : "did you mean " + nearest + "?");
  }

  std::filesystem::path folder_;
  config_report& report_;
  core::cluster_options options_;
};

} // namespace

std::string to_text(const config_problem& problem) {
  auto text = problem.file;
  if (problem.line != 0)
    text += ":" + std::to_string(problem.line) + ":"
            + std::to_string(problem.column);
  text += ": ";
  if (!problem.key.empty())
    text += problem.key + ": ";
  return text + problem.what + ". Mend: " + problem.mend;
}

config_error::config_error(std::vector<config_problem> problems)
  : std::runtime_error([&] {
      std::string text;
      for (const auto& problem : problems)
        text += (text.empty() ? "" : "\n") + to_text(problem);
      return text;
    }()),
    problems_(std::move(problems)) {
}

config_result parse_config(std::string_view text, const std::string& file) {
  config_report report(file);
  const auto parsed = toml::parse(text, file);
  if (!parsed) {
    const auto& error = parsed.error();
    report.place("", static_cast<std::uint32_t>(error.source().begin.line),
                 static_cast<std::uint32_t>(error.source().begin.column));
    report.add("", "this is no TOML: " + std::string(error.description()),
               "correct the line; the rest was not read");
    return {{}, report.take()};
  }
  config_result result;
  result.options = config_reader(file, report).read(parsed.table());
  check_relations(result.options, report);
  result.problems = report.take();
  return result;
}

config_result read_config(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in)
    text << in.rdbuf();
  if (!in || std::filesystem::is_directory(path)) {
    const auto why = errno != 0 ? std::strerror(errno) : "not a file";
    return {{},
            {{path, 0, 0, "", "cannot be read: " + std::string(why),
              "name an existing file with --config, or write one with "
              "`vartalap check --defaults > cluster.toml`"}}};
  }
  return parse_config(text.str(), path);
}

core::cluster_options load_config(const std::string& path) {
  auto result = read_config(path);
  if (!result.ok())
    throw config_error(std::move(result.problems));
  return std::move(result.options);
}

const core::node_options& find_node(const core::cluster_options& options,
                                    std::string_view name) {
  std::string names;
  for (const auto& node : options.nodes) {
    if (node.name == name || (name.empty() && options.nodes.size() == 1))
      return node;
    names += (names.empty() ? "" : ", ") + node.name;
  }
  if (name.empty())
    throw std::runtime_error("several nodes are configured: choose one with "
                             "--node ("
                             + names + ")");
  throw std::runtime_error("no node is called \"" + std::string(name)
                           + "\": choose one of " + names);
}

} // namespace vartalap::runtime
