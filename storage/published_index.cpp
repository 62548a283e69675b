#include "storage/published_index.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace vartalap::storage {

namespace {

// Between a commit and its index there are microseconds; a writer that died
// there must not hold its readers for ever.
constexpr std::chrono::seconds publish_time_max{10};

constexpr std::uint32_t bucket_count = 65536;

} // namespace

// A transaction that sees what the index says; `lock` holds the index.
txn_ptr published_index::begin_at_index(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    auto txn = begin_read(env_);
    if (txn_id(txn.get()) == number_)
      return txn;
    // The commit is visible, its index is not yet: the writer is about to
    // publish.
    txn.reset();
    if (changed_.wait_for(lock, publish_time_max) == std::cv_status::timeout)
      throw std::runtime_error{"the store's writer does not go on"};
  }
}

published_index::reading published_index::begin(std::string_view user) {
  std::unique_lock lock{mutex_};
  reading out{begin_at_index(lock), {}};
  if (const auto* entries = index_.find(user))
    out.entries = *entries;
  return out;
}

published_index::range_reading
published_index::begin_range(std::uint16_t first, std::uint32_t count) {
  std::unique_lock lock{mutex_};
  range_reading out{begin_at_index(lock), {}};
  for (std::uint32_t i = 0; i < count && first + i < bucket_count; ++i)
    for (const auto user :
         index_.users_of(static_cast<std::uint16_t>(first + i)))
      out.users.emplace_back(user, *index_.find(user));
  return out;
}

void published_index::publish(const writer_buffers& buffers,
                              std::uint64_t number) {
  {
    const std::lock_guard lock{mutex_};
    const std::string_view users = buffers.users;
    for (const auto& change : buffers.changes) {
      const auto user = users.substr(change.user_at, change.user_size);
      if (change.user_size == 0)
        index_.erase_sequence(change.sequence);
      else if (change.sequence == 0)
        index_.erase(user, change.serverid);
      else
        index_.add(user, change.serverid, change.sequence);
    }
    number_ = number;
  }
  changed_.notify_all();
}

published_index::findings published_index::rebuild(const tables& all,
                                                   writer_state& state) {
  findings found;
  const std::lock_guard lock{mutex_};
  const auto txn = begin_read(env_);
  number_ = txn_id(txn.get());
  cursor at{txn.get(), all.journal};
  for (auto more = at.first(); more; more = at.next()) {
    state.next_sequence = sequence_of(at.key()) + 1;
    const auto record = read_record(at.key(), at.value());
    if (!record) {
      found.damaged.emplace_back(at.key());
      continue;
    }
    state.newest_ms = std::max(state.newest_ms, record->born());
    index_.add(record->user, record->serverid, sequence_of(at.key()));
    if (record->type == core::message_type::message)
      found.waiting.emplace(record->user);
  }
  return found;
}

} // namespace vartalap::storage
