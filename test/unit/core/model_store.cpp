#include "test/unit/core/model_store.hpp"

#include <algorithm>
#include <stdexcept>

namespace vartalap::test {

namespace effect = core::effect;

namespace {

template <class T>
bool is_any_for(const std::deque<core::mailbox_effect>& ops,
                core::server_id serverid) {
  return std::any_of(ops.begin(), ops.end(), [&](const auto& x) {
    if constexpr (std::is_same_v<T, effect::store>) {
      const auto* op = std::get_if<T>(&x);
      return op != nullptr && op->message->serverid == serverid;
    } else {
      const auto* op = std::get_if<T>(&x);
      return op != nullptr && op->serverid == serverid;
    }
  });
}

} // namespace

void model_store::commit(std::size_t n, bool ok) {
  n = std::min(n, waiting_.size());
  const std::deque<core::mailbox_effect> batch(
    waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
  waiting_.erase(waiting_.begin(),
                 waiting_.begin() + static_cast<std::ptrdiff_t>(n));
  std::set<core::server_id> annihilated;
  for (const auto& op : batch) {
    const auto* remove = std::get_if<effect::remove>(&op);
    if (remove != nullptr
        && is_any_for<effect::store>(batch, remove->serverid)) {
      annihilated.insert(remove->serverid);
    }
  }
  for (const auto& op : batch) {
    completion done;
    if (const auto* put = std::get_if<effect::store>(&op)) {
      done = {put->message->serverid, true, false, put->raise_offline};
    } else if (const auto* remove = std::get_if<effect::remove>(&op)) {
      done.serverid = remove->serverid;
    }
    const bool met = annihilated.count(done.serverid) > 0;
    if (!met && ok) {
      apply(op);
    } else if (!met) {
      fail(op);
      done.failed = true;
    } else if (const auto* put = std::get_if<effect::store>(&op);
               put != nullptr && put->raise_offline && ok) {
      offline_raised = true;
    }
    if (!std::holds_alternative<effect::clear_offline>(op)) {
      completions.push_back(done);
    }
  }
}

void model_store::apply(const core::mailbox_effect& what) {
  if (const auto* put = std::get_if<effect::store>(&what)) {
    if (has(put->message->serverid)) {
      throw std::logic_error("stored twice");
    }
    records[put->message->serverid]
      = {put->message, {put->acked.begin(), put->acked.end()}, false};
    offline_raised = offline_raised || put->raise_offline;
  } else if (const auto* remove = std::get_if<effect::remove>(&what)) {
    records.erase(remove->serverid);
  } else if (const auto* ack = std::get_if<effect::ack_stored>(&what)) {
    if (const auto hit = records.find(ack->serverid); hit != records.end()) {
      hit->second.acked.insert(ack->device);
    }
  } else if (const auto* put_it = std::get_if<effect::put_device>(&what)) {
    devices[put_it->record.name] = put_it->record;
    devices_failed.erase(put_it->record.name);
  } else if (const auto* erase = std::get_if<effect::erase_device>(&what)) {
    devices.erase(erase->name);
    devices_failed.erase(erase->name);
  } else if (std::holds_alternative<effect::clear_offline>(what)) {
    offline_raised = false;
  }
}

void model_store::fail(const core::mailbox_effect& what) {
  if (const auto* put = std::get_if<effect::put_device>(&what)) {
    devices_failed.insert(put->record.name);
  } else if (const auto* erase = std::get_if<effect::erase_device>(&what)) {
    devices_failed.insert(erase->name);
  }
}

void model_store::crash() {
  waiting_.clear();
  completions.clear();
}

core::mailbox_snapshot model_store::snapshot() const {
  core::mailbox_snapshot found;
  for (const auto& [name, known] : devices) {
    found.devices.push_back(known);
  }
  for (const auto& [serverid, stored] : records) {
    const auto& m = *stored.message;
    found.pending.push_back({serverid,
                             core::make_dedupe_key(m.from, m.to, m.id),
                             m.content_hash(),
                             m.server_timestamp,
                             core::stable_hash(m.from),
                             static_cast<std::uint32_t>(m.weight()),
                             m.type,
                             {stored.acked.begin(), stored.acked.end()}});
  }
  found.offline_raised = offline_raised;
  return found;
}

bool model_store::is_raised() const {
  return offline_raised
         && std::any_of(records.begin(), records.end(), [](const auto& each) {
              return each.second.message->type == core::message_type::message;
            });
}

bool model_store::is_leaving(core::server_id serverid) const {
  return is_any_for<effect::remove>(waiting_, serverid);
}

bool model_store::is_coming(core::server_id serverid) const {
  return is_any_for<effect::store>(waiting_, serverid);
}

std::size_t model_store::waiting_for_answer() const {
  return static_cast<std::size_t>(
    std::count_if(waiting_.begin(), waiting_.end(), [](const auto& x) {
      return !std::holds_alternative<effect::clear_offline>(x);
    }));
}

} // namespace vartalap::test
