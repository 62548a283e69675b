#pragma once

#include "runtime/chat_frames.hpp"

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

namespace vartalap::runtime {

/// How far an own message has come, in this order.
enum class chat_state : std::uint8_t {
  queued,
  stored,
  delivered,
  read,
  refused,
};

/// A line of the conversation.
struct chat_entry {
  std::string id;
  std::string from;
  std::string to;
  std::string text;
  std::uint64_t at_ms = 0;               ///< Unix time
  chat_state state = chat_state::queued; ///< of own ones
};

/// Everything that a terminal client must not forget.
struct chat_memory {
  std::vector<chat_entry> history;
  std::vector<chat_outgoing> outbox;    ///< in the order in which it was said
  std::unordered_set<std::string> seen; ///< keys of what has arrived
};

/// The memory of one user's client, and the file that keeps it: one JSON
/// object a line, only ever appended to while it is open, compacted when it
/// is opened. A line that a crash cut off is dropped.
class chat_store {
public:
  /// Lines of history and keys of arrivals that survive a compaction.
  static constexpr std::size_t kept_max = 10'000;

  chat_store() = default;
  ~chat_store();
  chat_store(const chat_store&) = delete;
  chat_store& operator=(const chat_store&) = delete;

  /// Creates `directory` where it is missing, and reads what is in it.
  /// @returns What is wrong (another client has it open, no permission), or
  ///          nothing.
  std::string open(const std::string& directory);

  const chat_memory& memory() const noexcept {
    return memory_;
  }

  /// An own message or receipt that is to be sent.
  void queue(const chat_outgoing& what, std::string_view user);
  /// A message that came in.
  void keep(const chat_delivery& what);
  /// @returns True if that is news: a repeat must not be shown again.
  bool see(const chat_delivery& what);
  /// What left the outbox, confirmed or refused.
  void settle(const std::string& id);
  /// An own message to `to` has come further.
  /// @returns True if it is known and had not come so far.
  bool raise(const std::string& id, const std::string& to, chat_state state);

  /// Puts everything so far on the disk.
  /// @returns False where that failed: then acknowledge nothing.
  bool sync();

private:
  void apply(const std::string& line);
  void append(const std::string& line);
  bool write_out();
  bool compact();

  chat_memory memory_;
  std::vector<std::string> seen_order_;
  std::string path_;
  std::string waiting_; ///< lines that are not written yet
  std::size_t lines_ = 0;
  int fd_ = -1;
};

} // namespace vartalap::runtime
