#include "test/house/house_rules.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace vartalap::house {

namespace {

struct folder_rule {
  std::string_view folder;
  std::vector<std::string_view> may_include; ///< path prefixes
};

/// Who may include whom.
const std::vector<folder_rule>& folder_rules() {
  static const std::vector<folder_rule> rules{
    {"core", {"core/"}},
    {"net", {"core/", "net/"}},
    {"storage", {"core/", "storage/"}},
    {"actors", {"core/", "net/", "storage/", "actors/"}},
    {"runtime", {"core/", "net/", "storage/", "actors/", "runtime/"}},
    {"load",
     {"core/", "net/", "load/", "actors/scheduler.", "actors/pinned_actor."}},
    {"bench", {"core/", "bench/"}},
  };
  return rules;
}

struct owner_rule {
  std::string_view dependency;         ///< prefix of what is included
  std::vector<std::string_view> owner; ///< prefixes of paths that may
};

/// Which files may know a library.
const std::vector<owner_rule>& owner_rules() {
  static const std::vector<owner_rule> rules{
    {"caf/", {"actors/", "runtime/", "load/"}},
    {"boost/", {"net/"}},
    {"lmdb.h", {"storage/"}},
    {"msgpack.hpp", {"net/codec", "net/peer_codec", "storage/record_format"}},
    {"msgpack/", {"net/codec", "net/peer_codec", "storage/record_format"}},
    {"google/protobuf/", {"net/codec_protobuf"}},
    {"net/event_args.pb.h", {"net/codec_protobuf"}},
    {"rapidjson/", {"net/", "actors/", "runtime/", "load/"}},
    {"toml++/", {"runtime/config"}},
    {"spdlog/", {"runtime/log."}},
    {"prometheus/", {"runtime/metrics."}},
    {"CLI/", {"runtime/", "load/", "bench/"}},
    {"openssl/", {"net/", "runtime/", "bench/"}},
    {"rhonabwy.h", {"net/token_keys", "net/push_crypto"}},
  };
  return rules;
}

/// Folders that have sources of their own, and the others with a README.
constexpr std::array<std::string_view, 11> readme_folders{
  "core", "net",  "storage", "actors", "load", "runtime",
  "web",  "docs", "bench",   "deploy", "test"};

constexpr std::size_t header_lines_max = 300;
constexpr std::size_t source_lines_max = 500;

bool begins_with_any(std::string_view text,
                     const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](auto prefix) { return text.starts_with(prefix); });
}

bool is_cpp(std::string_view path) {
  return path.ends_with(".hpp") || path.ends_with(".cpp");
}

bool is_script(std::string_view path) {
  return path.ends_with(".js") || path.ends_with(".mjs")
         || path.ends_with(".sh") || path.ends_with(".py");
}

/// The included path, or nothing if the line includes none.
std::string_view included(std::string_view line) {
  const auto hash = line.find_first_not_of(" \t");
  if (hash == std::string_view::npos || line[hash] != '#')
    return {};
  line.remove_prefix(hash + 1);
  const auto word = line.find_first_not_of(" \t");
  if (word == std::string_view::npos
      || !line.substr(word).starts_with("include"))
    return {};
  const auto open = line.find_first_of("<\"");
  const auto close = line.find_last_of(">\"");
  if (open == std::string_view::npos || close <= open)
    return {};
  return line.substr(open + 1, close - open - 1);
}

/// What is wrong with `file` including `what`, or nothing.
std::string include_problem(std::string_view file, std::string_view what) {
  const auto folder = file.substr(0, file.find('/'));
  const auto& rules = folder_rules();
  const auto rule
    = std::find_if(rules.begin(), rules.end(),
                   [&](const auto& each) { return each.folder == folder; });
  if (rule == rules.end())
    return {}; // tests know everybody
  const auto target = what.substr(0, what.find('/'));
  const bool ours
    = target == "test"
      || std::any_of(rules.begin(), rules.end(),
                     [&](const auto& each) { return each.folder == target; });
  if (ours) {
    const bool main_knows_load = file == "runtime/main.cpp" && target == "load";
    if (!main_knows_load && !begins_with_any(what, rule->may_include))
      return std::string(folder) + " may not include " + std::string(what);
    return {};
  }
  for (const auto& each : owner_rules())
    if (what.starts_with(each.dependency) && !begins_with_any(file, each.owner))
      return std::string(file) + " may not know " + std::string(what);
  return {};
}

/// True where a test or the load tester waits by the clock.
bool sleeps(std::string_view line) {
  // Put together, so that this file does not accuse itself.
  static const std::vector<std::string> words{
    std::string("sleep") + "_for", std::string("sleep") + "_until",
    std::string("u") + "sleep(", std::string("nano") + "sleep(",
    std::string("waitFor") + "Timeout"};
  return std::any_of(words.begin(), words.end(), [&](const auto& word) {
    return line.find(word) != std::string_view::npos;
  });
}

/// A shell script's command `sleep 1`.
bool shell_sleeps(std::string_view line) {
  const auto word = line.find_first_not_of(" \t");
  return word != std::string_view::npos
         && line.substr(word).starts_with("sleep ");
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Folders without sources of ours.
bool is_foreign(const std::filesystem::path& path) {
  static const std::set<std::string> names{
    ".git", "build", "node_modules", "data", ".cache", "corpus", ".ccache"};
  return names.contains(path.filename().string());
}

void check_readmes(const std::filesystem::path& root,
                   std::vector<std::string>& out) {
  for (const auto folder : readme_folders)
    if (std::filesystem::is_directory(root / folder)
        && !std::filesystem::is_regular_file(root / folder / "README.md"))
      out.push_back(std::string(folder) + ": has no README.md");
}

} // namespace

std::vector<std::string> check_file(const std::string& path,
                                    const std::string& text) {
  std::vector<std::string> out;
  const bool cpp = is_cpp(path);
  const bool waits_on_events = path.starts_with("test/")
                               || path.starts_with("load/");
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto complain = [&](const std::string& what) {
      auto told = path;
      told.append(":").append(std::to_string(number)).append(": ");
      out.push_back(told.append(what));
    };
    if (cpp)
      if (const auto what = included(line); !what.empty())
        if (const auto problem = include_problem(path, what); !problem.empty())
          complain(problem);
    if (waits_on_events
        && (sleeps(line) || (path.ends_with(".sh") && shell_sleeps(line))))
      complain("sleeps: wait for the event instead");
  }
  const auto most = path.ends_with(".hpp") ? header_lines_max
                                           : source_lines_max;
  if (cpp && number > most)
    out.push_back(path + ": has " + std::to_string(number)
                  + " lines, more than " + std::to_string(most));
  if (path.ends_with(".hpp") && text.find("#pragma once") == std::string::npos)
    out.push_back(path + ": has no #pragma once");
  return out;
}

std::vector<std::string> check_tree(const std::filesystem::path& root) {
  std::vector<std::string> out;
  check_readmes(root, out);
  auto entry = std::filesystem::recursive_directory_iterator(root);
  for (; entry != std::filesystem::recursive_directory_iterator(); ++entry) {
    if (entry->is_directory() && is_foreign(entry->path())) {
      entry.disable_recursion_pending();
      continue;
    }
    const auto path = entry->path().lexically_relative(root).generic_string();
    if (!entry->is_regular_file() || (!is_cpp(path) && !is_script(path)))
      continue;
    const auto found = check_file(path, read_file(entry->path()));
    out.insert(out.end(), found.begin(), found.end());
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace vartalap::house
