#include "runtime/chat_store.hpp"

#include <fcntl.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace vartalap::runtime {

namespace {

/// Builds one line of the file.
class line_writer {
public:
  explicit line_writer(const char* kind) : out_(buffer_) {
    out_.StartObject();
    text("k", kind);
  }
  line_writer& text(const char* key, std::string_view value) {
    out_.Key(key);
    out_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    return *this;
  }
  line_writer& number(const char* key, std::uint64_t value) {
    out_.Key(key);
    out_.Uint64(value);
    return *this;
  }
  line_writer& list(const char* key, const std::vector<std::string>& values) {
    out_.Key(key);
    out_.StartArray();
    for (const auto& value : values)
      out_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    out_.EndArray();
    return *this;
  }
  std::string finish() {
    out_.EndObject();
    return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n";
  }

private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> out_;
};

std::string text_of(const rapidjson::Document& line, const char* key) {
  const auto found = line.FindMember(key);
  if (found == line.MemberEnd() || !found->value.IsString())
    return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

std::uint64_t number_of(const rapidjson::Document& line, const char* key) {
  const auto found = line.FindMember(key);
  return found != line.MemberEnd() && found->value.IsUint64()
           ? found->value.GetUint64()
           : 0;
}

std::string entry_line(const chat_entry& e) {
  return line_writer("message")
    .text("id", e.id)
    .text("from", e.from)
    .text("to", e.to)
    .text("text", e.text)
    .number("at", e.at_ms)
    .number("state", static_cast<std::uint64_t>(e.state))
    .finish();
}

std::string outgoing_line(const chat_outgoing& o) {
  return line_writer("out")
    .text("id", o.id)
    .text("to", o.to)
    .text("text", o.text)
    .list("ids", o.ids)
    .number("at", o.at_ms)
    .finish();
}

std::string key_of(const chat_delivery& what) {
  // No id has control characters, so no two keys can meet.
  return what.from + '\n' + what.to + '\n' + what.id;
}

} // namespace

chat_store::~chat_store() {
  if (fd_ >= 0) {
    sync();
    ::close(fd_);
  }
}

std::string chat_store::open(const std::string& directory) {
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  path_ = directory + "/chat.log";
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0)
    return path_ + ": " + std::strerror(errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
    return path_ + ": another client of this user has it open";
  std::ifstream in(path_);
  std::string line;
  std::uint64_t good = 0;
  // A last line without its end was cut off: nothing was built on it.
  while (std::getline(in, line) && !in.eof()) {
    good += line.size() + 1;
    apply(line);
  }
  if (::ftruncate(fd_, static_cast<::off_t>(good)) != 0 || !compact())
    return path_ + ": " + std::strerror(errno);
  return {};
}

void chat_store::apply(const std::string& line) {
  rapidjson::Document read;
  read.Parse(line.data(), line.size());
  if (read.HasParseError() || !read.IsObject())
    return;
  ++lines_;
  const auto kind = text_of(read, "k");
  const auto id = text_of(read, "id");
  if (kind == "message") {
    memory_.history.push_back({id, text_of(read, "from"), text_of(read, "to"),
                               text_of(read, "text"), number_of(read, "at"),
                               static_cast<chat_state>(std::min<std::uint64_t>(
                                 number_of(read, "state"), 4))});
  } else if (kind == "out") {
    chat_outgoing what;
    what.id = id;
    what.to = text_of(read, "to");
    what.text = text_of(read, "text");
    what.at_ms = number_of(read, "at");
    if (const auto ids = read.FindMember("ids");
        ids != read.MemberEnd() && ids->value.IsArray())
      for (const auto& one : ids->value.GetArray())
        if (one.IsString())
          what.ids.emplace_back(one.GetString(), one.GetStringLength());
    memory_.outbox.push_back(std::move(what));
  } else if (kind == "seen") {
    auto key = text_of(read, "key");
    if (memory_.seen.insert(key).second)
      seen_order_.push_back(std::move(key));
  } else if (kind == "done") {
    std::erase_if(memory_.outbox,
                  [&](const chat_outgoing& o) { return o.id == id; });
  } else if (kind == "state") {
    for (auto& entry : memory_.history)
      if (entry.id == id)
        entry.state = static_cast<chat_state>(
          std::min<std::uint64_t>(number_of(read, "state"), 4));
  }
}

void chat_store::append(const std::string& line) {
  waiting_ += line;
  apply(line.substr(0, line.size() - 1));
}

void chat_store::queue(const chat_outgoing& what, std::string_view user) {
  append(outgoing_line(what));
  if (!what.is_receipt())
    append(entry_line({what.id, std::string(user), what.to, what.text,
                       what.at_ms, chat_state::queued}));
}

void chat_store::keep(const chat_delivery& what) {
  append(entry_line({what.id, what.from, what.to, what.text, what.at_ms,
                     chat_state::delivered}));
}

bool chat_store::see(const chat_delivery& what) {
  const auto key = key_of(what);
  if (memory_.seen.contains(key))
    return false;
  append(line_writer("seen").text("key", key).finish());
  return true;
}

void chat_store::settle(const std::string& id) {
  const bool there
    = std::any_of(memory_.outbox.begin(), memory_.outbox.end(),
                  [&](const chat_outgoing& o) { return o.id == id; });
  if (there)
    append(line_writer("done").text("id", id).finish());
}

bool chat_store::raise(const std::string& id, const std::string& to,
                       chat_state state) {
  const auto& history = memory_.history;
  const auto newest = std::find_if(
    history.rbegin(), history.rend(),
    [&](const auto& entry) { return entry.id == id && entry.to == to; });
  if (newest == history.rend() || newest->state >= state)
    return false;
  append(line_writer("state")
           .text("id", id)
           .number("state", static_cast<std::uint64_t>(state))
           .finish());
  return true;
}

bool chat_store::write_out() {
  std::size_t at = 0;
  while (at < waiting_.size()) {
    const auto n = ::write(fd_, waiting_.data() + at, waiting_.size() - at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      waiting_.erase(0, at);
      return false;
    }
    at += static_cast<std::size_t>(n);
  }
  waiting_.clear();
  return true;
}

bool chat_store::sync() {
  return waiting_.empty() || (write_out() && ::fdatasync(fd_) == 0);
}

bool chat_store::compact() {
  const auto drop = [](auto& list) {
    if (list.size() > kept_max)
      list.erase(list.begin(),
                 list.begin()
                   + static_cast<std::ptrdiff_t>(list.size() - kept_max));
  };
  const auto live = memory_.history.size() + memory_.outbox.size()
                    + seen_order_.size();
  if (lines_ < 2 * live + 100 && live < 2 * kept_max)
    return true;
  drop(memory_.history);
  drop(seen_order_);
  memory_.seen = {seen_order_.begin(), seen_order_.end()};
  for (const auto& key : seen_order_)
    waiting_ += line_writer("seen").text("key", key).finish();
  for (const auto& entry : memory_.history)
    waiting_ += entry_line(entry);
  for (const auto& what : memory_.outbox)
    waiting_ += outgoing_line(what);
  const auto fresh = path_ + ".new";
  const int fd = ::open(
    fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0)
    return false;
  // The lock goes with the descriptor: the new file is locked before it takes
  // the old one's name, and the old one until then.
  const int old = std::exchange(fd_, fd);
  const bool replaced = write_out() && ::fsync(fd_) == 0
                        && ::rename(fresh.c_str(), path_.c_str()) == 0;
  ::close(old);
  return replaced;
}

} // namespace vartalap::runtime
