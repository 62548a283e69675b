#include "storage/journal_index.hpp"

#include <algorithm>

namespace vartalap::storage {

namespace {

template <class Entries>
auto position(Entries& entries, core::server_id id) {
  return std::lower_bound(entries.begin(), entries.end(), id,
                          [](const journal_index::entry& x, core::server_id y) {
                            return x.serverid < y;
                          });
}

} // namespace

void journal_index::add(std::string_view user, core::server_id id,
                        std::uint64_t sequence) {
  auto found = users_.find(user);
  if (found == users_.end()) {
    found = users_.try_emplace(std::string{user}).first;
    buckets_[core::bucket_of(user)].insert(found->first);
  }
  auto& entries = found->second;
  const auto at = position(entries, id);
  if (at != entries.end() && at->serverid == id) {
    at->sequence = sequence;
    return;
  }
  entries.insert(at, {id, sequence});
  ++size_;
}

void journal_index::erase(std::string_view user, core::server_id id) {
  const auto found = users_.find(user);
  if (found == users_.end())
    return;
  auto& entries = found->second;
  const auto at = position(entries, id);
  if (at == entries.end() || at->serverid != id)
    return;
  entries.erase(at);
  --size_;
  if (!entries.empty())
    return;
  const auto bucket = buckets_.find(core::bucket_of(user));
  bucket->second.erase(found->first);
  if (bucket->second.empty())
    buckets_.erase(bucket);
  users_.erase(found);
}

std::vector<std::string_view>
journal_index::users_of(std::uint16_t bucket) const {
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end())
    return {};
  return {found->second.begin(), found->second.end()};
}

void journal_index::erase_sequence(std::uint64_t sequence) {
  for (const auto& [user, entries] : users_)
    for (const auto& known : entries)
      if (known.sequence == sequence) {
        const std::string name = user;
        const auto id = known.serverid;
        erase(name, id);
        return;
      }
}

const std::vector<journal_index::entry>*
journal_index::find(std::string_view user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> journal_index::find(std::string_view user,
                                                 core::server_id id) const {
  const auto* entries = find(user);
  if (entries == nullptr)
    return std::nullopt;
  const auto at = position(*entries, id);
  if (at == entries->end() || at->serverid != id)
    return std::nullopt;
  return at->sequence;
}

} // namespace vartalap::storage
