#include "runtime/member_list.hpp"

#include <algorithm>

namespace vartalap::runtime {

member_list members_of(const core::cluster_options& options) {
  member_list out;
  for (const auto& one : options.nodes)
    out.push_back({one.name, one.peer});
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::string to_text(const member_list& list) {
  std::string out;
  for (const auto& one : list)
    out += one.name + '\t' + one.peer + '\n';
  return out;
}

std::optional<member_list> parse_member_list(std::string_view text) {
  member_list out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    const auto tab = line.find('\t');
    if (end == std::string_view::npos || tab == std::string_view::npos
        || tab == 0)
      return std::nullopt;
    out.push_back(
      {std::string(line.substr(0, tab)), std::string(line.substr(tab + 1))});
    text.remove_prefix(end + 1);
  }
  if (out.empty())
    return std::nullopt;
  return out;
}

std::vector<std::string> names_of(const member_list& list) {
  std::vector<std::string> out;
  for (const auto& one : list)
    out.push_back(one.name);
  return out;
}

std::string to_words(const member_list& list) {
  std::string out;
  for (const auto& one : list)
    out += (out.empty() ? "" : ", ") + one.name;
  return out;
}

} // namespace vartalap::runtime
