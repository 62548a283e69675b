// deploy/alerts.yml and deploy/dashboard.json ask for what the server shows.

#include "runtime/metrics_table.hpp"

#include <catch2/catch.hpp>
#include <rapidjson/document.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace vartalap::runtime {

namespace {

const std::string deploy = std::string(VARTALAP_SOURCE_DIR) + "/deploy/";

std::string read(const std::string& path) {
  std::ifstream in(path);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What a promtool command says; empty: nothing to mend. Also where promtool is
/// not installed, which deploy/packages.txt sees to.
std::string promtool_complaints(const std::string& arguments) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    WARN("promtool is not installed: not tested");
    return {};
  }
  FILE* pipe = popen(("promtool " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string said;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
    said += static_cast<char>(c);
  return pclose(pipe) == 0 ? std::string() : "promtool failed: " + said;
}

/// The row of a series: a histogram's have endings of their own.
const metric_row* row_of(const std::string& series) {
  if (const auto* row = find_metric(series))
    return row->kind == metric_kind::histogram ? nullptr : row;
  for (const std::string ending : {"_bucket", "_sum", "_count"})
    if (series.ends_with(ending)) {
      const auto name = series.substr(0, series.size() - ending.size());
      const auto* row = find_metric(name);
      if (row != nullptr && row->kind == metric_kind::histogram)
        return row;
    }
  return nullptr;
}

/// What is wrong with the series and labels that a text asks for.
std::vector<std::string> unknown_in(const std::string& text) {
  std::vector<std::string> out;
  static const std::regex series(R"(\bvartalap_([a-z0-9_]+)(\{[^}]*\})?)");
  static const std::regex label(R"(([a-z_]+)\s*(=~|!=|!~|=))");
  for (std::sregex_iterator each(text.begin(), text.end(), series), end;
       each != end; ++each) {
    const auto name = (*each)[1].str();
    const auto* row = row_of(name);
    if (row == nullptr) {
      out.push_back(name);
      continue;
    }
    // `instance` and `job` are of whoever scrapes.
    const std::set<std::string> known{"instance", "job",
                                      std::string(row->label)};
    const auto selector = (*each)[2].str();
    for (std::sregex_iterator one(selector.begin(), selector.end(), label);
         one != end; ++one)
      if (!known.contains((*one)[1].str()))
        out.push_back(name + ", label " + (*one)[1].str());
  }
  return out;
}

/// The expressions of the dashboard's panels.
std::vector<std::string> expressions(const rapidjson::Document& dashboard) {
  std::vector<std::string> out;
  for (const auto& panel : dashboard["panels"].GetArray())
    if (panel.HasMember("targets"))
      for (const auto& target : panel["targets"].GetArray())
        out.emplace_back(target["expr"].GetString());
  return out;
}

rapidjson::Document read_dashboard() {
  rapidjson::Document out;
  out.Parse(read(deploy + "dashboard.json").c_str());
  REQUIRE_FALSE(out.HasParseError());
  return out;
}

void replace_all(std::string& text, const std::string& from,
                 const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("deploy asks for metrics and labels that the server shows") {
  CHECK(unknown_in(read(deploy + "alerts.yml")).empty());
  const auto dashboard = read_dashboard();
  const auto asked = expressions(dashboard);
  REQUIRE(asked.size() > 50);
  for (const auto& expression : asked) {
    INFO(expression);
    CHECK(unknown_in(expression).empty());
  }
  for (const auto& variable : dashboard["templating"]["list"].GetArray())
    if (variable["query"].IsObject())
      CHECK(unknown_in(variable["query"]["query"].GetString()).empty());
}

TEST_CASE("deploy would be found asking for metrics that there are not") {
  CHECK(unknown_in("vartalap_redy == 0") == std::vector<std::string>{"redy"});
  CHECK(unknown_in(R"(rate(vartalap_link_up{pear="n2"}[5m]))")
        == std::vector<std::string>{"link_up, label pear"});
  CHECK(unknown_in("vartalap_loop_lag_seconds").size() == 1);
  CHECK(unknown_in("vartalap_ready_bucket").size() == 1);
  CHECK(unknown_in("vartalap_loop_lag_seconds_bucket").empty());
}

TEST_CASE("deploy has a dashboard whose panels have places of their own") {
  const auto dashboard = read_dashboard();
  std::set<int> ids;
  std::set<std::pair<int, int>> places;
  for (const auto& panel : dashboard["panels"].GetArray()) {
    CHECK(ids.insert(panel["id"].GetInt()).second);
    const auto& at = panel["gridPos"];
    CHECK(places.emplace(at["x"].GetInt(), at["y"].GetInt()).second);
  }
}

TEST_CASE("deploy has alert rules that satisfy promtool") {
  CHECK(promtool_complaints("check rules " + deploy + "alerts.yml").empty());
  CHECK(promtool_complaints("test rules " VARTALAP_SOURCE_DIR
                            "/test/unit/runtime/alerts_test.yml")
        == "");
}

TEST_CASE("deploy has a dashboard whose expressions satisfy promtool") {
  // As rules, which promtool can read.
  std::string rules = "groups:\n- name: dashboard\n  rules:\n";
  int number = 0;
  for (auto expression : expressions(read_dashboard())) {
    replace_all(expression, "$__rate_interval", "5m");
    rules += "  - record: expression_" + std::to_string(++number)
             + "\n    expr: |-\n      " + expression + "\n";
  }
  const auto file = std::filesystem::temp_directory_path()
                    / ("vartalap_dashboard_" + std::to_string(getpid()));
  std::ofstream(file) << rules;
  const auto said = promtool_complaints("check rules " + file.string());
  std::filesystem::remove(file);
  CHECK(said == "");
}

} // namespace vartalap::runtime
