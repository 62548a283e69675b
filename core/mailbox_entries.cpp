#include "core/mailbox_entries.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace vartalap::core {

namespace {

// Fewer holes than this are not worth moving anything for.
constexpr std::size_t holes_min = 32;

bool same_owner(const origin_ref& a, const origin_ref& b) noexcept {
  return !a.owner_before(b) && !b.owner_before(a);
}

} // namespace

bool mailbox_entry::add_origin(origin_ref waiting) {
  if (!waiting) {
    return true;
  }
  if (!origin || same_owner(origin, waiting)) {
    return std::exchange(origin, std::move(waiting)) == nullptr;
  }
  if (!more_origins) {
    more_origins = std::make_unique<std::vector<origin_ref>>();
  }
  for (auto& other : *more_origins) {
    if (same_owner(other, waiting)) {
      other = std::move(waiting);
      return false;
    }
  }
  more_origins->push_back(std::move(waiting));
  return true;
}

mailbox_entry& mailbox_entries::push_back(mailbox_entry entry) {
  assert(table_.empty() || table_.back().serverid < entry.serverid);
  table_.push_back(std::move(entry));
  ++live_;
  return table_.back();
}

mailbox_entry& mailbox_entries::insert(mailbox_entry entry) {
  const auto entries = all();
  const auto at = std::upper_bound(
    entries.begin(), entries.end(), entry.serverid,
    [](server_id id, const auto& other) { return id < other.serverid; });
  const auto place = static_cast<std::ptrdiff_t>(head_)
                     + (at - entries.begin());
  ++live_;
  return *table_.insert(table_.begin() + place, std::move(entry));
}

mailbox_entry* mailbox_entries::find(server_id serverid) noexcept {
  return const_cast<mailbox_entry*>(std::as_const(*this).find(serverid));
}

const mailbox_entry* mailbox_entries::find(server_id serverid) const noexcept {
  const auto entries = all();
  if (entries.empty()) {
    return nullptr;
  }
  const mailbox_entry* hit = nullptr;
  if (entries.front().serverid == serverid) {
    hit = &entries.front();
  } else if (entries.back().serverid == serverid) {
    hit = &entries.back();
  } else {
    const auto at = std::lower_bound(
      entries.begin(), entries.end(), serverid,
      [](const auto& entry, server_id id) { return entry.serverid < id; });
    if (at != entries.end() && at->serverid == serverid) {
      hit = &*at;
    }
  }
  return hit != nullptr && !hit->gone ? hit : nullptr;
}

std::span<mailbox_entry> mailbox_entries::all() noexcept {
  return std::span{table_}.subspan(head_);
}

std::span<const mailbox_entry> mailbox_entries::all() const noexcept {
  return std::span{table_}.subspan(head_);
}

std::span<mailbox_entry> mailbox_entries::after(server_id serverid) noexcept {
  const auto entries = all();
  const auto at = std::upper_bound(
    entries.begin(), entries.end(), serverid,
    [](server_id id, const auto& entry) { return id < entry.serverid; });
  return {at, entries.end()};
}

std::span<const mailbox_entry>
mailbox_entries::after(server_id serverid) const noexcept {
  const auto entries = all();
  const auto at = std::upper_bound(
    entries.begin(), entries.end(), serverid,
    [](server_id id, const auto& entry) { return id < entry.serverid; });
  return {at, entries.end()};
}

void mailbox_entries::erase(mailbox_entry& entry) noexcept {
  assert(!entry.gone);
  entry.gone = true;
  entry.message.reset();
  entry.origin.reset();
  entry.more_origins.reset();
  --live_;
  while (head_ < table_.size() && table_[head_].gone) {
    ++head_;
  }
}

void mailbox_entries::compact() {
  if (live_ == 0) {
    table_.clear();
    head_ = 0;
    return;
  }
  const auto holes = table_.size() - live_;
  if (holes < holes_min || holes < live_) {
    return;
  }
  std::erase_if(table_, [](const auto& entry) { return entry.gone; });
  head_ = 0;
}

void mailbox_entries::reserve(std::size_t n) {
  table_.reserve(n);
}

void mailbox_entries::release_memory() noexcept {
  if (live_ == 0) {
    std::vector<mailbox_entry>{}.swap(table_);
    head_ = 0;
  }
}

} // namespace vartalap::core
