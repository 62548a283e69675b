#pragma once

#include "core/mailbox.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace vartalap::test {

/// What the durable side of a mailbox does, in memory: operations wait in
/// order, a commit takes a batch of them, completions wait to be told. Put
/// and remove of one message that meet in a batch annihilate each other.
class model_store {
public:
  struct completion {
    core::server_id serverid;
    bool was_put = false;
    bool failed = false;
    bool raised = false; // a put with an offline event
  };
  struct record {
    core::envelope_ptr message;
    std::set<std::string> acked;
    bool damaged = false;
  };

  void ask(core::mailbox_effect what) {
    waiting_.push_back(std::move(what));
  }

  /// Commits the first `n` operations together, or fails them together.
  void commit(std::size_t n, bool ok);

  /// The process died: what was not committed never happened.
  void crash();

  core::mailbox_snapshot snapshot() const;

  bool has(core::server_id serverid) const {
    return records.count(serverid) > 0;
  }

  /// The event is stored, and a message that wakes is there for it.
  bool is_raised() const;

  /// A remove of it waits.
  bool is_leaving(core::server_id serverid) const;

  /// A put of it waits.
  bool is_coming(core::server_id serverid) const;

  std::size_t waiting() const {
    return waiting_.size();
  }

  /// Of them, those that will be answered.
  std::size_t waiting_for_answer() const;

  std::map<core::server_id, record> records;
  std::map<std::string, core::device_record> devices;
  std::set<std::string> devices_failed; ///< whose latest write failed
  bool offline_raised = false;
  std::deque<completion> completions;

private:
  void apply(const core::mailbox_effect& what);
  void fail(const core::mailbox_effect& what);

  std::deque<core::mailbox_effect> waiting_;
};

} // namespace vartalap::test
