#include "runtime/config_print.hpp"

#include "runtime/config_table.hpp"
#include "runtime/config_value.hpp"

#include <sstream>

namespace vartalap::runtime {

namespace {

constexpr std::string_view toml_head
  = R"(# Configuration of vartalap: every key, with its default. A key may be left out.
# Durations: "50ms", "5s", "10m", "2h", "30d". Sizes: "64KiB", "1MiB", "1GiB".
# Relative paths begin at the folder of this file.
# `vartalap check` says what is wrong in it, where, and how to mend it.
)";

constexpr std::string_view page_head = R"(# Configuration

One file, `cluster.toml`. Every key has a default, except a node's `name` and
`data`. `vartalap check` validates a file and says what is wrong, where, and how
to mend it; unknown keys are errors. `vartalap check --defaults` prints the
complete file with a comment for each key, and this page is made from the same
table.

- Durations are strings: `"250us"`, `"50ms"`, `"5s"`, `"10m"`, `"2h"`, `"30d"`.
- Sizes are strings, `"64KiB"`, `"1MiB"`, `"1GiB"`, or plain numbers of bytes.
- Relative paths begin at the folder of the file.
- Where a range says `0: no limit`, 0 switches the limit off.
)";

bool is_of_node(std::string_view section) {
  return section == "node" || section.starts_with("node.");
}

/// Breaks a comment into lines of at most 80 columns, each after `prefix`.
void wrap(std::ostream& out, const std::string& text, std::string_view prefix) {
  std::istringstream words(text);
  std::string line(prefix);
  std::string word;
  while (words >> word) {
    if (line.size() > prefix.size() && line.size() + 1 + word.size() > 80) {
      out << line << '\n';
      line = prefix;
    }
    line += (line.size() > prefix.size() ? " " : "") + word;
  }
  out << line << '\n';
}

template <class Target>
void print_keys(std::ostream& out, std::string_view section,
                const std::vector<basic_setting<Target>>& settings,
                const Target& defaults) {
  for (const auto& setting : settings) {
    if (setting.section != section)
      continue;
    auto comment = setting.comment;
    if (const auto range = range_text(setting.rule); !range.empty())
      comment += " (" + range + ")";
    wrap(out, comment, "# ");
    out << setting.key << " = " << to_toml(setting.get(defaults), setting.rule)
        << '\n';
  }
}

template <class Target>
void print_rows(std::ostream& out, std::string_view section,
                const std::vector<basic_setting<Target>>& settings,
                const Target& defaults) {
  out << "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const auto& setting : settings) {
    if (setting.section != section)
      continue;
    out << "| `" << setting.key << "` | " << kind_text(setting.rule.kind);
    if (const auto range = range_text(setting.rule); !range.empty())
      out << (setting.rule.kind == value_kind::choice ? " " : ", ") << range;
    out << " | `" << to_toml(setting.get(defaults), setting.rule) << "` | "
        << setting.comment << " |\n";
  }
}

} // namespace

std::string default_config() {
  std::ostringstream out;
  out << toml_head;
  for (const auto& section : config_sections()) {
    out << '\n';
    wrap(out, std::string(section.comment), "# ");
    if (is_of_node(section.name)) {
      out << (section.name == "node" ? "[[node]]\n" : "[node.tls]\n");
      print_keys(out, section.name, node_settings(), example_node());
    } else {
      out << '[' << section.name << "]\n";
      print_keys(out, section.name, cluster_settings(),
                 core::cluster_options{});
    }
  }
  return out.str();
}

std::string configuration_page() {
  std::ostringstream out;
  out << page_head;
  for (const auto& section : config_sections()) {
    const bool twice = section.name == "node";
    out << "\n## " << (twice ? "[[" : "[") << section.name
        << (twice ? "]]" : "]") << "\n\n"
        << section.comment << "\n\n";
    if (is_of_node(section.name))
      print_rows(out, section.name, node_settings(), example_node());
    else
      print_rows(out, section.name, cluster_settings(),
                 core::cluster_options{});
  }
  return out.str();
}

} // namespace vartalap::runtime
