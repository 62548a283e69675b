#include "runtime/metrics.hpp"
#include "runtime/metrics_collect.hpp"
#include "runtime/metrics_table.hpp"

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace vartalap::runtime {

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// What `promtool check metrics` says about a text; empty: nothing to mend.
std::string promtool_complaints(const std::string& text) {
  const auto file = std::filesystem::temp_directory_path()
                    / ("vartalap_metrics_" + std::to_string(getpid()));
  std::ofstream(file) << text;
  const auto command = "promtool check metrics < " + file.string() + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string said;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
    said += static_cast<char>(c);
  const int status = pclose(pipe);
  std::filesystem::remove(file);
  if (status != 0 && said.empty())
    said = "promtool failed";
  return said;
}

/// Every row of the table with a value.
void use_every_row(process_metrics& metrics) {
  for (const auto& row : metric_rows()) {
    const auto label = row.label.empty() ? ""
                                         : std::string(row.label) + "=\"1\"";
    switch (row.kind) {
      case metric_kind::counter:
        metrics.add(row.name, 1, label);
        break;
      case metric_kind::gauge:
        metrics.set(row.name, 1, label);
        break;
      case metric_kind::histogram:
        metrics.observe(row.name, 0.01, label);
        break;
    }
  }
}

} // namespace

TEST_CASE("metrics of every row satisfy promtool") {
  process_metrics metrics;
  use_every_row(metrics);
  CHECK(promtool_complaints(metrics.render()).empty());
}

TEST_CASE("metrics satisfy promtool before any of them is used") {
  process_metrics metrics;
  CHECK(promtool_complaints(metrics.render()).empty());
}

TEST_CASE("promtool would complain about a counter without _total") {
  CHECK_FALSE(
    promtool_complaints("# HELP x y\n# TYPE x counter\nx 1\n").empty());
}

TEST_CASE("metrics table names each metric once and ends counters in _total") {
  std::set<std::string_view> names;
  for (const auto& row : metric_rows()) {
    CAPTURE(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(row.name.ends_with("_total") == (row.kind == metric_kind::counter));
    CHECK(row.name.ends_with("_seconds")
          >= (row.kind == metric_kind::histogram));
    CHECK(row.help.ends_with("."));
    CHECK(find_metric(row.name) == &row);
  }
  CHECK(find_metric("nothing") == nullptr);
}

TEST_CASE("metrics table has no row that nothing fills") {
  std::string sources;
  for (const auto* folder : {"actors", "net", "runtime", "storage"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(VARTALAP_SOURCE_DIR) / folder))
      if (entry.path().extension() == ".cpp"
          && entry.path().filename() != "metrics_table.cpp") {
        std::ifstream in(entry.path());
        sources.append(std::istreambuf_iterator<char>(in), {});
      }
  for (const auto& row : metric_rows()) {
    CAPTURE(row.name);
    CHECK(contains(sources, '"' + std::string(row.name) + '"'));
  }
}

TEST_CASE("metrics count, set and observe with labels") {
  process_metrics metrics;
  metrics.add("connections_refused_total", 2, "reason=\"a\"");
  metrics.add("connections_refused_total", 1, "reason=\"a\"");
  metrics.add("connections_refused_total", 1, "reason=\"b\"");
  metrics.set("connections", 5);
  metrics.set("connections", 4);
  metrics.observe("loop_lag_seconds", 0.002, "shard=\"0\"");
  const auto text = metrics.render();
  CHECK(contains(text, "vartalap_connections_refused_total{reason=\"a\"} 3\n"));
  CHECK(contains(text, "vartalap_connections_refused_total{reason=\"b\"} 1\n"));
  CHECK(contains(text, "vartalap_connections 4\n"));
  CHECK(contains(
    text, "vartalap_loop_lag_seconds_bucket{shard=\"0\",le=\"0.001\"} 0\n"));
  CHECK(contains(
    text, "vartalap_loop_lag_seconds_bucket{shard=\"0\",le=\"0.0025\"} 1\n"));
  CHECK(contains(text, "vartalap_loop_lag_seconds_count{shard=\"0\"} 1\n"));
}

TEST_CASE("metrics bring a counter to a total and never back") {
  process_metrics metrics;
  metrics.set_total("connections_total", 7);
  metrics.set_total("connections_total", 7);
  metrics.set_total("connections_total", 3);
  CHECK(contains(metrics.render(), "vartalap_connections_total 7\n"));
  metrics.set_total("connections_total", 9);
  CHECK(contains(metrics.render(), "vartalap_connections_total 9\n"));
}

TEST_CASE("metrics run collectors before each rendering") {
  process_metrics metrics;
  int pulled = 0;
  metrics.add_collector(
    [&](process_metrics& all) { all.set("connections", ++pulled); });
  CHECK(contains(metrics.render(), "vartalap_connections 1\n"));
  CHECK(contains(metrics.render(), "vartalap_connections 2\n"));
}

TEST_CASE("metrics show a name that the table does not have as a defect") {
  process_metrics metrics;
  metrics.add("no_such_total", 1);
  metrics.set("connections_total", 1); // a counter
  const auto text = metrics.render();
  CHECK(contains(text, "unknown_metric_uses_total{name=\"no_such_total\"} 1"));
  CHECK(
    contains(text, "unknown_metric_uses_total{name=\"connections_total\"} 1"));
}

TEST_CASE("metrics lose no count between threads") {
  process_metrics metrics;
  const auto count = [&] {
    for (int i = 0; i < 1000; ++i)
      metrics.add("frames_total", 1, "direction=\"in\"");
  };
  std::thread other(count);
  count();
  other.join();
  CHECK(contains(metrics.render(),
                 "vartalap_frames_total{direction=\"in\"} 2000\n"));
}

TEST_CASE("metrics show every counter of the mailboxes, summed over shards") {
  core::mailbox_counters one;
  one.received = 3;
  one.pending = 2;
  one.memory_bytes = 100;
  core::mailbox_counters two = one;
  two.stuck = 1;
  core::mailbox_counters sum;
  accumulate(sum, one);
  accumulate(sum, two);
  process_metrics metrics;
  publish(metrics, sum);
  const auto text = metrics.render();
  CHECK(contains(text, "vartalap_mailbox_received_total 6\n"));
  CHECK(contains(text, "vartalap_mailbox_pending 4\n"));
  CHECK(contains(text, "vartalap_mailbox_memory_bytes 200\n"));
  CHECK(contains(text, "vartalap_mailbox_stuck 1\n"));
  CHECK_FALSE(contains(text, "unknown_metric_uses_total{"));
}

TEST_CASE("metrics show every field of the store and of the process") {
  storage::store_status status;
  status.accepting = false;
  status.journal_bytes = 4096;
  status.commits = 12;
  process_metrics metrics;
  publish(metrics, status);
  publish_process(metrics);
  const auto text = metrics.render();
  CHECK(contains(text, "vartalap_storage_accepting 0\n"));
  CHECK(contains(text, "vartalap_storage_journal_bytes 4096\n"));
  CHECK(contains(text, "vartalap_storage_commits_total 12\n"));
  CHECK_FALSE(contains(text, "vartalap_process_resident_bytes 0\n"));
  CHECK_FALSE(contains(text, "vartalap_process_open_files 0\n"));
  CHECK_FALSE(contains(text, "unknown_metric_uses_total{"));
}

} // namespace vartalap::runtime
