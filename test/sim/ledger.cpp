#include "test/sim/ledger.hpp"

#include <algorithm>
#include <bit>

namespace vartalap::sim {

namespace {

/// Whether messages of one sender come in the order of their serverIds: with at
/// most one kind of fault at a time, and no split whose two sides may both
/// confirm. Of such a one the clocks meet only as it heals.
bool is_ordered(const setup& how) {
  const bool splits
    = std::any_of(how.faults.begin(), how.faults.end(), [](auto kind) {
        return kind == fault::partition || kind == fault::one_way
               || kind == fault::partial || kind == fault::flap;
      });
  return how.faults.size() <= 1 && !(splits && how.nodes >= 2 * how.min_copies);
}

} // namespace

message_number ledger::sent(user_index from, user_index to) {
  fates_.push_back({from, to, ++moment_});
  return static_cast<message_number>(fates_.size() - 1);
}

void ledger::told(message_number number) {
  fates_[number].told = ++moment_;
}

ledger::fate& ledger::of(const stored& what) {
  if (what.number >= fates_.size() || fates_[what.number].from != what.from
      || fates_[what.number].to != what.to)
    throw violation("a message that nobody has sent: "
                    + std::to_string(what.number));
  return fates_[what.number];
}

void ledger::copy(node_index where, const stored& what, bool held) {
  auto& each = of(what);
  each.copies += held ? 1 : -1;
  auto& trace = traces_[what.serverid];
  trace.copies += held ? 1 : -1;
  if (held)
    trace.committed |= 1U << where;
  else if (each.copies == 0 && each.confirmed && (each.delivered & 1) == 0)
    throw violation("lost: message " + std::to_string(what.number)
                    + " was confirmed, is on no disk, was not delivered");
}

void ledger::confirmed(const stored& what, bool acknowledged) {
  auto& each = of(what);
  const auto nodes
    = static_cast<unsigned>(std::popcount(traces_[what.serverid].committed));
  if (acknowledged ? each.delivered == 0 : nodes < how_.min_copies)
    throw violation("message " + std::to_string(what.number)
                    + " was confirmed while " + std::to_string(nodes)
                    + " nodes had committed it");
  each.confirmed = true;
  ++confirmations_;
}

bool ledger::delivered(const stored& what, std::uint32_t device) {
  auto& each = of(what);
  if ((each.delivered & (1U << device)) != 0) {
    ++repeats_;
    if (how_.faults.empty())
      throw violation("message " + std::to_string(what.number)
                      + " was delivered twice without a fault");
    return false;
  }
  each.delivered |= 1U << device;
  auto& before = delivered_[{what.to, device, what.from}];
  const bool is_strict = is_ordered(how_);
  if (how_.faults.size() <= 1)
    for (const auto& other : before)
      if (what.serverid < other.serverid
          && (is_strict || each.told < of(other).sent))
        throw violation("message " + std::to_string(what.number)
                        + " was delivered after " + std::to_string(other.number)
                        + ", which has a greater serverId");
  before.push_back(what);
  return true;
}

void ledger::removed(node_index where, server_id serverid) {
  removed_[where].insert(serverid);
}

void ledger::started(node_index where, const disk& store) {
  std::erase_if(removed_[where], [&](auto serverid) {
    return !store.is_removed(serverid) && traces_[serverid].copies != 0;
  });
}

void ledger::check_delivery(node_index where, const stored& what) const {
  const auto at = removed_.find(where);
  if (at != removed_.end() && at->second.contains(what.serverid))
    throw violation("message " + std::to_string(what.number)
                    + " came back after node " + std::to_string(where)
                    + " had removed it");
}

bool ledger::all_delivered() const {
  return undelivered().empty();
}

std::string ledger::undelivered() const {
  std::string out;
  for (std::size_t i = 0; i < fates_.size(); ++i)
    if (fates_[i].confirmed && (fates_[i].delivered & 1) == 0)
      out += (out.empty() ? "" : ", ") + std::to_string(i) + " to user "
             + std::to_string(fates_[i].to);
  return out;
}

} // namespace vartalap::sim
