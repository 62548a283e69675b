#include "runtime/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <mutex>

namespace vartalap::runtime {

namespace {

constexpr std::size_t queue_lines = 8192;

spdlog::level::level_enum to_spdlog(core::log_level level) noexcept {
  switch (level) {
    case core::log_level::debug:
      return spdlog::level::debug;
    case core::log_level::info:
      return spdlog::level::info;
    case core::log_level::warning:
      return spdlog::level::warn;
    case core::log_level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

core::log_level to_level(const std::string& name) {
  if (name == "debug")
    return core::log_level::debug;
  if (name == "warning")
    return core::log_level::warning;
  if (name == "error")
    return core::log_level::error;
  return core::log_level::info;
}

/// "2024-05-01T10:00:00.123Z"
std::string time_text(std::chrono::system_clock::time_point time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  const auto ms
    = std::chrono::floor<std::chrono::milliseconds>(since - seconds);
  const auto whole = static_cast<std::time_t>(seconds.count());
  std::tm utc{};
  gmtime_r(&whole, &utc);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ",
                static_cast<int>(ms.count()));
  return std::string(date.data()) + fraction.data();
}

/// Appends text so that one record stays one line: control characters are
/// escaped, for JSON quotes too.
void append_escaped(std::string& out, std::string_view text, bool json) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (json && (c == '"' || c == '\\')) {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x",
                    static_cast<unsigned>(byte));
      out += c == '\n' ? "\\n" : escaped.data();
    } else {
      out += c;
    }
  }
}

/// Formats records and hands finished lines on.
class line_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  line_sink(bool json, log_sink lines) : json_(json), lines_(std::move(lines)) {
  }

protected:
  void sink_it_(const spdlog::details::log_msg& record) override {
    // The payload is the component, a zero byte, and the text.
    const std::string_view payload(record.payload.data(),
                                   record.payload.size());
    const auto split = payload.find('\0');
    const auto component = payload.substr(0, split);
    const auto text = payload.substr(split + 1);
    std::string line;
    if (json_) {
      line = R"({"ts":")" + time_text(record.time) + R"(","level":")";
      line += level_name(record.level);
      line += R"(","component":")";
      append_escaped(line, component, true);
      line += R"(","text":")";
      append_escaped(line, text, true);
      line += "\"}\n";
    } else {
      line = time_text(record.time) + ' ';
      line += level_name(record.level);
      line += ' ';
      append_escaped(line, component, false);
      line += ' ';
      append_escaped(line, text, false);
      line += '\n';
    }
    lines_(line);
  }

  void flush_() override {
  }

private:
  bool json_;
  log_sink lines_;
};

void to_standard_error(std::string_view line) {
  while (!line.empty()) {
    const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return; // a closed standard error must not end the process
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

} // namespace

struct process_log::state {
  core::log_level least;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

process_log::process_log(const core::runtime_options& options, log_sink sink)
  : state_(std::make_unique<state>()) {
  state_->least = to_level(options.log_level);
  state_->pool = std::make_shared<spdlog::details::thread_pool>(queue_lines, 1);
  auto lines = std::make_shared<line_sink>(
    options.log_format == "json", sink ? std::move(sink) : to_standard_error);
  state_->logger = std::make_shared<spdlog::async_logger>(
    "vartalap", std::move(lines), state_->pool,
    spdlog::async_overflow_policy::overrun_oldest);
  state_->logger->set_level(spdlog::level::debug);
}

process_log::~process_log() = default;

bool process_log::enabled(core::log_level level) const noexcept {
  return level >= state_->least;
}

void process_log::write(core::log_level level, std::string_view component,
                        std::string_view text) {
  if (!enabled(level))
    return;
  std::string payload;
  payload.reserve(component.size() + 1 + text.size());
  payload.append(component).push_back('\0');
  payload.append(text);
  state_->logger->log(to_spdlog(level),
                      spdlog::string_view_t(payload.data(), payload.size()));
}

std::uint64_t process_log::lost() const {
  return state_->pool->overrun_counter();
}

} // namespace vartalap::runtime
