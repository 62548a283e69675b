#include "core/dedupe_window.hpp"

#include <cassert>

namespace vartalap::core {

namespace {

// How many finished records one call may drop: two per release shrink a
// backlog, and no call takes long.
constexpr int dropped_per_release = 2;
constexpr int dropped_per_expire = 256;

constexpr std::size_t places_min = 64;

// Keys are hashes: any part of one is as good as another.
std::uint32_t fingerprint_of(const dedupe_key& key) noexcept {
  return static_cast<std::uint32_t>(key.a);
}

} // namespace

dedupe_window::dedupe_window(milliseconds keep, std::size_t ids_max)
  : keep_(keep), ids_max_(ids_max) {
}

dedupe_record* dedupe_window::find(const dedupe_key& key) noexcept {
  if (size_ == 0) {
    return nullptr;
  }
  const auto index = places_[find_place(key)].index;
  return index == none ? nullptr : &at(index).record;
}

void dedupe_window::insert(const dedupe_key& key, const dedupe_record& record) {
  if (2 * (size_ + 1) > places_.size()) {
    grow();
  }
  auto& found = places_[find_place(key)];
  if (found.index == none) {
    found = {fingerprint_of(key), take_node()};
    ++size_;
  } else if (!at(found.index).pinned) {
    unlink_finished(found.index);
  }
  at(found.index) = {key, record};
}

void dedupe_window::release(const dedupe_key& key, mono_time accepted,
                            mono_time now) {
  if (size_ > 0) {
    const auto index = places_[find_place(key)].index;
    if (index != none && at(index).pinned) {
      const auto until = accepted + keep_;
      if (until <= now || ids_max_ == 0) {
        erase(key);
      } else {
        at(index).pinned = false;
        at(index).until = until;
        append_finished(index);
      }
    }
  }
  drop(now, dropped_per_release);
}

void dedupe_window::erase(const dedupe_key& key) noexcept {
  if (size_ == 0) {
    return;
  }
  const auto hole = find_place(key);
  const auto index = places_[hole].index;
  if (index == none) {
    return;
  }
  erase_place(hole);
  if (!at(index).pinned) {
    unlink_finished(index);
  }
  at(index).next = free_;
  free_ = index;
  --size_;
}

void dedupe_window::expire(mono_time now) {
  drop(now, dropped_per_expire);
}

std::size_t dedupe_window::size() const noexcept {
  return size_;
}

void dedupe_window::drop(mono_time now, int limit) noexcept {
  for (int i = 0; i < limit && oldest_ != none; ++i) {
    const auto& oldest = at(oldest_);
    if (oldest.until > now && finished_ <= ids_max_) {
      return;
    }
    const auto key = oldest.key;
    erase(key);
  }
}

dedupe_window::node& dedupe_window::at(node_index index) noexcept {
  return (*chunks_[index / chunk_nodes])[index % chunk_nodes];
}

// Where the key is, or where it belongs. The table is never full.
std::size_t dedupe_window::find_place(const dedupe_key& key) const noexcept {
  const auto mask = places_.size() - 1;
  const auto fingerprint = fingerprint_of(key);
  auto i = fingerprint & mask;
  for (; places_[i].index != none; i = (i + 1) & mask) {
    const auto index = places_[i].index;
    if (places_[i].fingerprint == fingerprint
        && (*chunks_[index / chunk_nodes])[index % chunk_nodes].key == key) {
      break;
    }
  }
  return i;
}

void dedupe_window::grow() {
  std::vector<place> old(places_.empty() ? places_min : 2 * places_.size());
  old.swap(places_);
  const auto mask = places_.size() - 1;
  for (const auto& x : old) {
    if (x.index == none) {
      continue;
    }
    auto i = x.fingerprint & mask;
    while (places_[i].index != none) {
      i = (i + 1) & mask;
    }
    places_[i] = x;
  }
}

dedupe_window::node_index dedupe_window::take_node() {
  if (free_ != none) {
    const auto index = free_;
    free_ = at(index).next;
    return index;
  }
  if (used_ % chunk_nodes == 0) {
    chunks_.push_back(std::make_unique<chunk>());
  }
  return used_++;
}

void dedupe_window::append_finished(node_index index) noexcept {
  at(index).previous = newest_;
  at(index).next = none;
  (newest_ == none ? oldest_ : at(newest_).next) = index;
  newest_ = index;
  ++finished_;
}

void dedupe_window::unlink_finished(node_index index) noexcept {
  const auto& x = at(index);
  (x.previous == none ? oldest_ : at(x.previous).next) = x.next;
  (x.next == none ? newest_ : at(x.next).previous) = x.previous;
  assert(finished_ > 0);
  --finished_;
}

// Moves later records of the run back, so that no probe ends too early.
void dedupe_window::erase_place(std::size_t hole) noexcept {
  const auto mask = places_.size() - 1;
  for (auto i = (hole + 1) & mask; places_[i].index != none;
       i = (i + 1) & mask) {
    const auto home = places_[i].fingerprint & mask;
    // It may move unless its home lies behind the hole.
    if (((i - home) & mask) >= ((i - hole) & mask)) {
      places_[hole] = places_[i];
      hole = i;
    }
  }
  places_[hole] = {};
}

} // namespace vartalap::core
