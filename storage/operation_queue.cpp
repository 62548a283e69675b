#include "storage/operation_queue.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace vartalap::storage {

namespace {

constexpr std::size_t operation_bytes = 256;

std::size_t bytes_of(const request& what) noexcept {
  const auto* put = std::get_if<op::put>(&what.what);
  return operation_bytes + (put != nullptr ? put->message->content.size() : 0);
}

core::server_id id_of(const operation& what) noexcept {
  if (const auto* remove = std::get_if<op::remove>(&what))
    return remove->serverid;
  if (const auto* ack = std::get_if<op::ack>(&what))
    return ack->serverid;
  return {};
}

void drop(std::unordered_map<core::server_id, std::uint64_t>& from,
          core::server_id id, std::uint64_t position) {
  const auto found = from.find(id);
  if (found != from.end() && found->second == position)
    from.erase(found);
}

} // namespace

bool operation_queue::submit(std::vector<request>& batch) {
  bool wake = false;
  {
    const std::lock_guard lock{mutex_};
    if (ended_)
      return false;
    if (closed_) {
      for (auto& what : batch)
        late_.push_back({std::move(what)});
      return true;
    }
    size_.fetch_add(batch.size(), std::memory_order_relaxed);
    if (inbox_.empty())
      inbox_.swap(batch);
    else
      std::move(batch.begin(), batch.end(), std::back_inserter(inbox_));
    wake = std::exchange(waiting_, false);
  }
  if (wake)
    wake_.notify_one();
  batch.clear();
  return true;
}

void operation_queue::report_damage(unsigned where, std::string key) {
  const std::lock_guard lock{mutex_};
  // A reader that repeats itself must not fill the memory: what is left out
  // is found again by the next reader.
  if (damage_.size() < 1000)
    damage_.push_back({where, std::move(key)});
  waiting_ = false;
  wake_.notify_one();
}

void operation_queue::wait(core::mono_time until) {
  std::unique_lock lock{mutex_};
  if (!backlog_.empty())
    return;
  waiting_ = true;
  const auto ready
    = [this] { return !inbox_.empty() || !damage_.empty() || closed_; };
  wake_.wait_until(lock, until, ready);
  waiting_ = false;
}

void operation_queue::take(std::size_t operations, std::size_t bytes,
                           std::vector<queued>& out) {
  {
    const std::lock_guard lock{mutex_};
    taken_over_.swap(inbox_);
  }
  for (auto& what : taken_over_)
    absorb(std::move(what));
  taken_over_.clear();
  std::size_t taken = 0;
  while (!backlog_.empty() && out.size() < operations && taken < bytes) {
    auto& front = backlog_.front();
    if (front.again && !out.empty())
      break;
    const auto size = bytes_of(front.what);
    taken += size;
    backlog_bytes_ -= size;
    if (const auto* put = std::get_if<op::put>(&front.what.what))
      drop(puts_, put->message->serverid, base_);
    else if (const auto* remove = std::get_if<op::remove>(&front.what.what))
      drop(remembered_, remove->serverid, base_);
    out.push_back(std::move(front));
    backlog_.pop_front();
    ++base_;
  }
  size_.fetch_sub(out.size(), std::memory_order_relaxed);
}

void operation_queue::absorb(request&& what) {
  backlog_bytes_ += bytes_of(what);
  queued entry{std::move(what)};
  if (std::holds_alternative<op::put>(entry.what.what))
    absorb_put(entry);
  else if (const auto* forget = std::get_if<op::forget>(&entry.what.what))
    absorb_forget(*forget);
  else if (id_of(entry.what.what))
    absorb_change(entry);
  backlog_.push_back(std::move(entry));
}

void operation_queue::absorb_put(queued& entry) {
  const auto& put = std::get<op::put>(entry.what.what);
  // The tombstone is to stop this one: it has to be there when its turn comes.
  remembered_.erase(put.message->serverid);
  const auto& user = put.message->to;
  if (user.empty() || user.size() > core::user_id_bytes_max) {
    entry.state = fate::unusable;
    return;
  }
  if (backlog_bytes_ > bytes_max) {
    entry.state = fate::refused;
    return;
  }
  const auto position = base_ + backlog_.size();
  const auto [found, fresh]
    = puts_.try_emplace(put.message->serverid, position);
  if (!fresh) {
    entry.again = true;
    found->second = position;
  }
}

void operation_queue::absorb_forget(const op::forget& what) {
  const auto found = remembered_.find(what.serverid);
  if (found == remembered_.end())
    return;
  auto& waiting = backlog_[found->second - base_];
  std::get<op::remove>(waiting.what.what).remember = remembrance::none;
  remembered_.erase(found);
}

void operation_queue::absorb_change(queued& entry) {
  auto* remove = std::get_if<op::remove>(&entry.what.what);
  const auto found = puts_.find(id_of(entry.what.what));
  // A put that it meets here is held, although no disk has seen it.
  if (remove != nullptr && found != puts_.end()
      && remove->remember == remembrance::if_held)
    remove->remember = remembrance::always;
  if (remove != nullptr && remove->remember != remembrance::none)
    remembered_[remove->serverid] = base_ + backlog_.size();
  if (found == puts_.end())
    return;
  auto& waiting = backlog_[found->second - base_];
  if (const auto* ack = std::get_if<op::ack>(&entry.what.what)) {
    auto& acked = std::get<op::put>(waiting.what.what).acked;
    if (std::find(acked.begin(), acked.end(), ack->device) == acked.end())
      acked.push_back(ack->device);
    entry.state = fate::merged;
    return;
  }
  waiting.state = fate::annihilated;
  // Of two waiting puts one may be taken before this remove is reached.
  entry.state = waiting.again ? fate::live : fate::met_put;
  puts_.erase(found);
}

std::vector<operation_queue::damage> operation_queue::take_damage() {
  const std::lock_guard lock{mutex_};
  return std::exchange(damage_, {});
}

void operation_queue::close() {
  const std::lock_guard lock{mutex_};
  closed_ = true;
  waiting_ = false;
  wake_.notify_one();
}

std::vector<queued> operation_queue::take_late() {
  const std::lock_guard lock{mutex_};
  ended_ = late_.empty();
  return std::exchange(late_, {});
}

bool operation_queue::closed() const {
  const std::lock_guard lock{mutex_};
  return closed_;
}

} // namespace vartalap::storage
