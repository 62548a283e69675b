#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace vartalap::core {

/// What a mailbox knows of those who send to it: apart, as most need none of
/// it.
struct mailbox_senders {
  /// Pending per sender hash; exists only while the mailbox holds so much that
  /// a sender could be over its limit.
  std::optional<std::unordered_map<std::uint64_t, std::uint32_t>> pending;
  /// What these send is refused.
  std::unordered_set<std::string> blocked;

  void count(std::uint64_t sender_hash) {
    if (pending) {
      ++(*pending)[sender_hash];
    }
  }

  void uncount(std::uint64_t sender_hash) {
    if (!pending) {
      return;
    }
    if (const auto hit = pending->find(sender_hash);
        hit != pending->end() && --hit->second == 0) {
      pending->erase(hit);
    }
  }
};

} // namespace vartalap::core
