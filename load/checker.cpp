#include "load/checker.hpp"

#include <algorithm>
#include <cassert>

namespace vartalap::load {

namespace {

/// Lost messages that a verdict names.
constexpr std::size_t named_max = 10;

} // namespace

bool seen_set::insert(message_key key) {
  auto& seqs = senders_[key.sender];
  if (seqs.empty() || key.seq > seqs.back()) {
    seqs.push_back(key.seq);
    return true;
  }
  const auto at = std::lower_bound(seqs.begin(), seqs.end(), key.seq);
  if (*at == key.seq)
    return false;
  seqs.insert(at, key.seq);
  return true;
}

bool seen_set::contains(message_key key) const {
  const auto found = senders_.find(key.sender);
  return found != senders_.end()
         && std::binary_search(found->second.begin(), found->second.end(),
                               key.seq);
}

checker::checker(std::uint32_t users, std::uint32_t devices_per_user)
  : devices_(devices_per_user), sent_(users),
    logs_(std::size_t{users} * devices_per_user) {
  assert(users < 1U << 30 && devices_per_user > 0);
}

std::uint32_t checker::attempted(std::uint32_t sender,
                                 std::uint32_t recipient) {
  auto& mine = sent_.at(sender);
  mine.push_back(recipient << state_bits | open);
  return static_cast<std::uint32_t>(mine.size() - 1);
}

bool checker::confirmed(message_key key) {
  auto& entry = sent_.at(key.sender).at(key.seq);
  if (state_of(entry) == done)
    return false;
  entry = recipient_of(entry) << state_bits | done;
  return true;
}

void checker::refused(message_key key) {
  auto& entry = sent_.at(key.sender).at(key.seq);
  // A refusal of a resend takes no confirmation back.
  if (state_of(entry) != done)
    entry = recipient_of(entry) << state_bits | dropped;
}

checker::device_log& checker::log_of(std::uint32_t user, std::uint32_t device) {
  return logs_.at(std::size_t{user} * devices_ + device);
}

void checker::arrived(std::uint32_t user, std::uint32_t device, message_key key,
                      core::server_id order) {
  auto& log = log_of(user, device);
  if (!log.seen.insert(key)) {
    ++log.duplicated;
    return;
  }
  ++log.arrived;
  auto& newest = log.newest[key.sender];
  if (order > newest)
    newest = order;
  else
    ++log.reordered;
}

void checker::repeated(std::uint32_t user, std::uint32_t device) {
  ++log_of(user, device).repeated;
}

void checker::unexpected(std::uint32_t user, std::uint32_t device, oddity why) {
  ++log_of(user, device).unexpected[static_cast<std::size_t>(why)];
}

void checker::foreign(std::uint32_t user, std::uint32_t device) {
  ++log_of(user, device).foreign;
}

void checker::judge_device(std::uint32_t user, const device_log& log,
                           verdict& result) const {
  result.arrived += log.arrived;
  result.duplicated += log.duplicated;
  result.duplicated_raw += log.repeated;
  result.reordered += log.reordered;
  for (std::size_t i = 0; i < oddities; ++i) {
    result.unexpected_by[i] += log.unexpected[i];
    result.unexpected += log.unexpected[i];
  }
  result.foreign += log.foreign;
  for (const auto& [sender, seqs] : log.seen.senders()) {
    for (const auto seq : seqs) {
      const bool attempted = sender < sent_.size() && seq < sent_[sender].size()
                             && recipient_of(sent_[sender][seq]) == user;
      if (attempted)
        continue;
      ++result.unexpected;
      ++result.unexpected_by[static_cast<std::size_t>(oddity::unsent)];
    }
  }
}

verdict checker::judge() const {
  verdict result;
  for (std::uint32_t sender = 0; sender < sent_.size(); ++sender) {
    const auto& mine = sent_[sender];
    result.attempted += mine.size();
    for (std::uint32_t seq = 0; seq < mine.size(); ++seq) {
      const auto came_to = state_of(mine[seq]);
      if (came_to == dropped)
        ++result.refused;
      else if (came_to == open)
        ++result.unconfirmed;
      if (came_to != done)
        continue;
      ++result.confirmed;
      const auto first = std::size_t{recipient_of(mine[seq])} * devices_;
      for (std::size_t i = first; i < first + devices_; ++i) {
        if (i < logs_.size() && logs_[i].seen.contains({sender, seq}))
          continue;
        ++result.lost;
        if (result.lost_first.size() < named_max)
          result.lost_first.push_back({sender, seq});
      }
    }
  }
  for (std::size_t i = 0; i < logs_.size(); ++i)
    judge_device(static_cast<std::uint32_t>(i / devices_), logs_[i], result);
  return result;
}

} // namespace vartalap::load
