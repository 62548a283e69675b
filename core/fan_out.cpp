#include "core/fan_out.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::core {

fan_out::lane_index fan_out::lane_of(const std::string& name) {
  if (const auto found = by_name_.find(name); found != by_name_.end())
    return found->second;
  const auto index = static_cast<lane_index>(lanes_.size());
  auto& made = lanes_.emplace_back();
  made.name = name;
  made.slice = static_cast<unsigned>(stable_hash(name) % slices);
  by_name_.emplace(made.name, index);
  return index;
}

bool fan_out::is_for(const message& what, lane_index who) const {
  return who != what.but && who < what.to->size() && (*what.to)[who]
         && (what.done >> lanes_[who].slice & 1U) == 0;
}

void fan_out::ready(lane_index who) {
  auto& one = lanes_[who];
  if (one.queued || one.waiting || one.sent)
    return;
  one.queued = true;
  ready_.push_back(who);
}

bool fan_out::add(server_id id, const roster& to, std::string_view but,
                  std::uint64_t done) {
  if (to != last_roster_ || !last_to_) {
    last_lanes_.clear();
    for (const auto& name : *to)
      last_lanes_.push_back(lane_of(name));
    auto bits = std::make_shared<std::vector<bool>>(lanes_.size());
    for (const auto who : last_lanes_)
      (*bits)[who] = true;
    last_to_ = std::move(bits);
    last_roster_ = to;
  }
  message added;
  added.to = last_to_;
  added.done = done;
  if (const auto found = by_name_.find(but); found != by_name_.end())
    added.but = found->second;
  for (const auto who : last_lanes_)
    if (is_for(added, who)) {
      ++added.left;
      ++added.left_in[lanes_[who].slice];
    }
  if (added.left == 0) {
    clear_if_empty();
    return false;
  }
  const auto& kept = messages_.emplace(id, std::move(added)).first->second;
  for (const auto who : last_lanes_)
    if (is_for(kept, who)) {
      // Another node's message, heard of late, is older than what went out.
      if (id <= lanes_[who].done || id < lanes_[who].sent)
        lanes_[who].late.push_back(id);
      ready(who);
    }
  return true;
}

void fan_out::next(std::vector<item>& out) {
  while (in_flight_ < rules_.in_flight && !ready_.empty()) {
    const auto who = ready_.front();
    ready_.pop_front();
    auto& one = lanes_[who];
    one.queued = false;
    one.sent = next_of(who);
    if (!one.sent)
      continue;
    ++in_flight_;
    out.push_back({one.sent, one.name});
  }
}

server_id fan_out::next_of(lane_index who) {
  auto& one = lanes_[who];
  std::erase_if(one.late, [this](auto id) { return !messages_.contains(id); });
  if (!one.late.empty())
    return one.late.front();
  auto at = messages_.upper_bound(one.done);
  while (at != messages_.end() && !is_for(at->second, who))
    ++at;
  return at == messages_.end() ? server_id{} : at->first;
}

fan_out::progress fan_out::answered(std::string_view to, refusal code,
                                    mono_time now) {
  progress out;
  const auto found = by_name_.find(to);
  if (found == by_name_.end() || !lanes_[found->second].sent)
    return out;
  const auto who = found->second;
  auto& one = lanes_[who];
  out.message = std::exchange(one.sent, {});
  --in_flight_;
  const auto of = messages_.find(out.message);
  if (code != refusal::none && is_retryable(code) && of != messages_.end()) {
    auto wait = rules_.retry_first;
    for (unsigned i = 0; i < one.attempts && wait < rules_.retry_max; ++i)
      wait *= 2;
    ++one.attempts;
    one.waiting = true;
    one.retry_at = now + std::min(wait, rules_.retry_max);
    retries_.emplace(one.retry_at, who);
    out.will_retry = true;
    return out;
  }
  out.refused = code != refusal::none;
  one.attempts = 0;
  one.done = std::max(one.done, out.message);
  std::erase(one.late, out.message);
  if (of != messages_.end()) {
    auto& what = of->second;
    if (--what.left_in[one.slice] == 0) {
      what.done |= std::uint64_t{1} << one.slice;
      out.slice = one.slice;
    }
    if (--what.left == 0) {
      messages_.erase(of);
      out.finished = true;
    }
  }
  ready(who);
  clear_if_empty();
  return out;
}

std::size_t fan_out::give_up(server_id id) {
  const auto found = messages_.find(id);
  if (found == messages_.end())
    return 0;
  const auto left = found->second.left;
  messages_.erase(found);
  clear_if_empty();
  return left;
}

bool fan_out::only_retries(server_id id) const {
  const auto found = messages_.find(id);
  if (found == messages_.end())
    return false;
  std::size_t refusing = 0;
  for (const auto& [at, who] : retries_) {
    const auto& one = lanes_[who];
    const auto owes = id > one.done
                      || std::find(one.late.begin(), one.late.end(), id)
                           != one.late.end();
    refusing += owes && is_for(found->second, who) ? 1 : 0;
  }
  return refusing == found->second.left;
}

mono_time fan_out::next_deadline() const noexcept {
  return retries_.empty() ? mono_time::max() : retries_.begin()->first;
}

void fan_out::timer(mono_time now) {
  while (!retries_.empty() && retries_.begin()->first <= now) {
    const auto who = retries_.begin()->second;
    retries_.erase(retries_.begin());
    lanes_[who].waiting = false;
    ready(who);
  }
}

/// Members come and go: their queues are not kept for ever.
void fan_out::clear_if_empty() {
  if (!empty())
    return;
  by_name_.clear();
  lanes_.clear();
  ready_.clear();
  retries_.clear();
  last_roster_.reset();
  last_to_.reset();
  last_lanes_.clear();
}

} // namespace vartalap::core
