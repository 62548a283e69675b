#include "runtime/log.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <mutex>
#include <regex>
#include <thread>

namespace vartalap::runtime {

namespace {

/// What a log with these options writes; the log has ended before it returns.
template <class Use>
std::string
lines_of(const std::string& level, const std::string& format, Use use) {
  core::runtime_options options;
  options.log_level = level;
  options.log_format = format;
  std::string lines;
  {
    process_log log(options, [&](std::string_view line) { lines += line; });
    use(log);
  }
  return lines;
}

} // namespace

TEST_CASE("log writes text lines with time, level, component and text") {
  const auto lines = lines_of("info", "text", [](process_log& log) {
    log.write(core::log_level::warning, "storage", "the disk is full");
  });
  CHECK(std::regex_match(
    lines,
    std::regex(
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning storage the disk is full\n)")));
}

TEST_CASE("log writes JSON objects, one a line") {
  const auto lines = lines_of("info", "json", [](process_log& log) {
    log.write(core::log_level::error, "net", "a \"quoted\"\n\ttext\\");
  });
  CHECK(std::regex_match(
    lines,
    std::regex(
      R"x(\{"ts":"[^"]+Z","level":"error","component":"net","text":"a \\"quoted\\"\\n\\u0009text\\\\"\}\n)x")));
}

TEST_CASE("log keeps one record on one line in text too") {
  const auto lines = lines_of("info", "text", [](process_log& log) {
    log.write(core::log_level::info, "net", "first\nsecond\r\x1b[31m");
  });
  CHECK(lines.find("net first\\nsecond\\u000d\\u001b[31m\n")
        != std::string::npos);
}

TEST_CASE("log drops what is below its level") {
  for (const auto& [level, written] :
       {std::pair("debug", 4), std::pair("info", 3), std::pair("warning", 2),
        std::pair("error", 1)}) {
    const auto lines = lines_of(level, "text", [](process_log& log) {
      log.write(core::log_level::debug, "x", "1");
      log.write(core::log_level::info, "x", "2");
      log.write(core::log_level::warning, "x", "3");
      log.write(core::log_level::error, "x", "4");
    });
    CAPTURE(level);
    CHECK(std::count(lines.begin(), lines.end(), '\n') == written);
  }
  core::runtime_options options;
  const process_log log(options, [](std::string_view) {});
  CHECK_FALSE(log.enabled(core::log_level::debug));
  CHECK(log.enabled(core::log_level::info));
}

TEST_CASE("log keeps the lines of each thread in order and loses none") {
  const auto lines = lines_of("info", "text", [](process_log& log) {
    const auto write = [&](const std::string& name) {
      for (int i = 0; i < 100; ++i)
        log.write(core::log_level::info, name, std::to_string(i));
    };
    std::thread other(write, "b");
    write("a");
    other.join();
    CHECK(log.lost() == 0);
  });
  for (const std::string name : {"a", "b"}) {
    std::size_t at = 0;
    for (int i = 0; i < 100; ++i) {
      at = lines.find(" " + name + " " + std::to_string(i) + "\n", at);
      REQUIRE(at != std::string::npos);
    }
  }
}

TEST_CASE("log never blocks a writer: it loses the oldest lines and counts") {
  std::mutex mutex;
  std::condition_variable changed;
  bool stalled = false;
  bool released = false;
  core::runtime_options options;
  process_log log(options, [&](std::string_view) {
    std::unique_lock lock(mutex);
    stalled = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
  });
  log.write(core::log_level::info, "x", "the one that stalls");
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return stalled; });
  }
  for (int i = 0; i < 8192 + 10; ++i)
    log.write(core::log_level::info, "x", "more");
  CHECK(log.lost() == 10);
  {
    const std::scoped_lock lock(mutex);
    released = true;
  }
  changed.notify_all();
}

} // namespace vartalap::runtime
