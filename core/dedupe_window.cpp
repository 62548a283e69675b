#include "core/dedupe_window.hpp"

namespace vartalap::core {

namespace {

// How many finished records one call may drop: two per release shrink a
// backlog, and no call takes long.
constexpr int dropped_per_release = 2;
constexpr int dropped_per_expire = 256;

} // namespace

dedupe_window::dedupe_window(milliseconds keep, std::size_t ids_max)
  : keep_(keep), ids_max_(ids_max) {
}

dedupe_record* dedupe_window::find(const dedupe_key& key) noexcept {
  const auto hit = slots_.find(key);
  return hit == slots_.end() ? nullptr : &hit->second.record;
}

void dedupe_window::insert(const dedupe_key& key, const dedupe_record& record) {
  slots_.insert_or_assign(key, slot{record});
}

void dedupe_window::release(const dedupe_key& key, mono_time accepted,
                            mono_time now) {
  const auto hit = slots_.find(key);
  if (hit != slots_.end() && hit->second.pinned) {
    const auto until = accepted + keep_;
    if (until <= now || ids_max_ == 0) {
      slots_.erase(hit);
    } else {
      hit->second.pinned = false;
      hit->second.generation = ++generation_;
      finished_.push_back({key, until, generation_});
    }
  }
  drop(now, dropped_per_release);
}

void dedupe_window::erase(const dedupe_key& key) noexcept {
  slots_.erase(key);
}

void dedupe_window::expire(mono_time now) {
  drop(now, dropped_per_expire);
}

std::size_t dedupe_window::size() const noexcept {
  return slots_.size();
}

void dedupe_window::drop(mono_time now, int limit) {
  for (int i = 0; i < limit && !finished_.empty(); ++i) {
    const auto& oldest = finished_.front();
    if (oldest.until > now && finished_.size() <= ids_max_) {
      return;
    }
    // A record that was pinned again or replaced since has another
    // generation: this entry no longer speaks for it.
    const auto hit = slots_.find(oldest.key);
    if (hit != slots_.end() && !hit->second.pinned
        && hit->second.generation == oldest.generation) {
      slots_.erase(hit);
    }
    finished_.pop_front();
  }
}

} // namespace vartalap::core
