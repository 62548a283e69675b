#pragma once

#include "core/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace vartalap::storage {

/// Which journal records belong to whom: user → (serverId, sequence), in
/// memory, rebuilt at every start. 24 bytes a record plus two map entries a
/// user who has any. Not thread-safe: only the writer changes it, under the
/// mutex that readers take.
class journal_index {
public:
  struct entry {
    core::server_id serverid;
    std::uint64_t sequence = 0;
  };

  /// Adds a record, or gives a known one its new sequence.
  void add(std::string_view user, core::server_id id, std::uint64_t sequence);

  void erase(std::string_view user, core::server_id id);

  /// Erases the record of which only the sequence is known (a damaged one).
  /// Looks at every user: for the rare case.
  void erase_sequence(std::uint64_t sequence);

  /// Ascending by serverId; null for a user without records.
  const std::vector<entry>* find(std::string_view user) const;

  std::optional<std::uint64_t> find(std::string_view user,
                                    core::server_id id) const;

  /// Users of a bucket who have records, in no order; they stay valid until
  /// the index changes.
  std::vector<std::string_view> users_of(std::uint16_t bucket) const;

  std::size_t size() const noexcept {
    return size_;
  }

private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::unordered_map<std::string, std::vector<entry>, text_hash,
                     std::equal_to<>>
    users_;
  /// Views of the names in `users_`.
  std::unordered_map<std::uint16_t, std::unordered_set<std::string_view>>
    buckets_;
  std::size_t size_ = 0;
};

} // namespace vartalap::storage
