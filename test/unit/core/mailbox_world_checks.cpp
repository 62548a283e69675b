// What the world sees of the mailbox's effects, and what must hold.

#include "test/unit/core/mailbox_world.hpp"

#include <algorithm>
#include <variant>

namespace vartalap::test {

namespace effect = core::effect;
using core::server_id;

void mailbox_world::require(bool holds, const std::string& what) {
  if (!holds) {
    throw violation(what);
  }
}

void mailbox_world::say(std::string line) {
  log_.push_back(std::move(line));
}

std::uint64_t mailbox_world::pick(std::uint64_t n) {
  return random_() % n;
}

bool mailbox_world::chance(unsigned percent) {
  return pick(100) < percent;
}

mailbox_world::client& mailbox_world::any_client() {
  auto at = clients_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(pick(clients_.size())));
  return at->second;
}

mailbox_world::client* mailbox_world::with_connection(core::attachment_id id) {
  for (auto& [name, who] : clients_) {
    if (who.connection == id) {
      return &who;
    }
  }
  return nullptr;
}

mailbox_world::waiting& mailbox_world::answer(const core::origin_ref& to) {
  auto& origin = origins_.at(*static_cast<const std::size_t*>(to.get()));
  require(!origin.answered && !origin.lost, "a sender was answered twice");
  origin.answered = true;
  return origin;
}

void mailbox_world::carry_out() {
  auto effects = std::exchange(effects_, {});
  for (const auto& x : effects) {
    // What only this device owed is over before the device is.
    if (const auto* erased = std::get_if<effect::erase_device>(&x)) {
      known_.erase(erased->name);
    }
  }
  for (const auto& x : effects) {
    std::visit([this](const auto& one) { on(one); }, x);
  }
}

void mailbox_world::on(const effect::deliver& x) {
  auto* who = with_connection(x.to);
  require(who != nullptr, "delivered on a connection that is gone");
  require(x.ordinal == who->ordinal + 1, "an ordinal was left out");
  who->ordinal = x.ordinal;
  who->wire.push_back({x.message, x.attempt, x.ordinal});
  const auto& m = *x.message;
  say("  deliver " + who->name + " " + m.from + " " + m.id + " attempt "
      + std::to_string(x.attempt));
  if (m.ephemeral) {
    return;
  }
  require(who->acked.count(m.serverid) == 0,
          "delivered again after it was acknowledged");
  const auto before = who->in_flight.find(m.serverid);
  if (x.attempt > 0) {
    require(before != who->in_flight.end()
              && before->second.attempt + 1 == x.attempt,
            "a repeat without a first delivery");
    require(before->second.ordinal <= who->written,
            "resent before it was written");
    require(now_.mono >= before->second.at
                           + core::microseconds{delivery_.ack_timeout}
                               * (1 << before->second.attempt),
            "resent too early");
  }
  require(x.attempt <= delivery_.max_retries, "resent too often");
  who->in_flight[m.serverid]
    = {now_.mono, {}, x.attempt, x.ordinal, m.weight()};
}

void mailbox_world::on(const effect::deliver_gap& x) {
  require(x.count > 0, "a gap of nothing");
  require(with_connection(x.to) != nullptr, "a gap for nobody");
}

void mailbox_world::on(const effect::store& x) {
  const auto& m = *x.message;
  say("  store " + m.from + " " + m.id);
  require(!m.ephemeral, "an ephemeral message was stored");
  for (const auto& [serverid, other] : messages_) {
    require(serverid == m.serverid || !other.stored || other.over
              || other.what->from != m.from || other.what->id != m.id,
            "a resend was stored while the first is pending");
  }
  auto& mine = messages_.at(m.serverid);
  require(!mine.stored, "stored twice");
  mine.stored = true;
  if (x.raise_offline) {
    require(!raised_ && m.type == core::message_type::message,
            "an offline event without a reason");
  }
  disk_.ask(x);
}

void mailbox_world::on(const effect::remove& x) {
  say("  remove " + x.serverid.to_hex());
  messages_.at(x.serverid).over = true;
  finish(x.serverid);
  disk_.ask(x);
}

void mailbox_world::on(const effect::ack_stored& x) {
  disk_.ask(x);
}

void mailbox_world::on(const effect::put_device& x) {
  const auto& name = x.record.name;
  say("  put device " + name);
  auto& who = clients_.at(name);
  const bool is_new = known_.count(name) == 0;
  known_[name] = x.record.cancelled_upto;
  if (is_new) {
    who.to_ack.clear();
    who.has.clear();
    who.newest.clear();
    who.troubled.clear();
    who.acked.clear();
  }
  for (auto& [serverid, m] : messages_) {
    if (is_new) {
      m.acked.erase(name);
    }
    if (serverid <= x.record.cancelled_upto) {
      m.must_have.erase(name);
    } else if (is_new && m.confirmed && !m.over && disk_.has(serverid)
               && !disk_.is_leaving(serverid)) {
      m.must_have.insert(name);
    }
  }
  disk_.ask(x);
}

void mailbox_world::on(const effect::erase_device& x) {
  say("  erase device " + x.name);
  known_.erase(x.name);
  for (auto& [serverid, m] : messages_) {
    m.must_have.erase(x.name);
  }
  disk_.ask(x);
}

void mailbox_world::on(const effect::fetch& x) {
  say("  fetch " + std::to_string(x.serverids.size()));
  require(!fetch_, "two fetches at once");
  require(!x.serverids.empty() && x.serverids.size() <= 64, "fetch size");
  require(std::is_sorted(x.serverids.begin(), x.serverids.end()),
          "a fetch out of order");
  for (const auto serverid : x.serverids) {
    require(disk_.has(serverid) || messages_.at(serverid).excused,
            "a fetch of what is not on disk");
  }
  fetch_ = x.serverids;
}

void mailbox_world::on(const effect::confirm& x) {
  say("  confirm " + x.what->from + " " + x.what->id);
  const auto& origin = answer(x.to);
  require(origin.what == name_and_id{x.what->from, x.what->id},
          "the wrong message was confirmed");
  if (x.what->ephemeral) {
    require(x.status == core::ack_status::relayed && !x.serverid,
            "an ephemeral message was not relayed");
    return;
  }
  require(x.status != core::ack_status::relayed && x.serverid,
          "confirmed without an id");
  auto& m = messages_.at(x.serverid);
  require(m.what->content == x.what->content, "confirmed another content");
  if (!m.confirmed) {
    on_first_confirm(m, x);
  }
}

void mailbox_world::on_first_confirm(message& m, const effect::confirm& x) {
  m.confirmed = true;
  if (m.over) {
    // Found on disk after a crash and done with before its sender asked.
    return;
  }
  for (const auto& [name, cancelled_upto] : known_) {
    if (cancelled_upto < x.serverid) {
      m.must_have.insert(name);
    }
  }
  if (x.durability == core::durability::memory) {
    for (const auto& name : m.must_have) {
      require(m.acked.count(name) > 0,
              "confirmed from memory before a device acknowledged");
    }
    require(x.status
                == (m.acked.empty() ? core::ack_status::stored
                                    : core::ack_status::delivered)
              || m.must_have.empty(),
            "a wrong status");
  } else {
    require(disk_.has(x.serverid) || m.excused,
            "confirmed as durable while it is not on disk");
  }
}

void mailbox_world::on(const effect::refuse& x) {
  say("  refuse " + x.what->from + " " + x.what->id);
  answer(x.to);
  if (x.code == core::refusal::unavailable) {
    const auto hit = messages_.find(x.what->serverid);
    require(hit != messages_.end() && !hit->second.confirmed,
            "refused what was confirmed");
  } else if (x.code == core::refusal::id_reused) {
    require(std::any_of(submitted_.begin(), submitted_.end(),
                        [&](const auto& first) {
                          return first.from == x.what->from
                                 && first.id == x.what->id;
                        }),
            "a new id was called reused");
  } else {
    require(x.code == core::refusal::mailbox_full, "a strange refusal");
    require(!x.what->serverid, "refused what was received");
  }
}

void mailbox_world::on(const effect::close& x) {
  say("  close " + std::to_string(x.which));
  auto* who = with_connection(x.which);
  if (who == nullptr) {
    require(x.reason == effect::close_reason::replaced,
            "closed what is not open");
    return;
  }
  if (x.reason == effect::close_reason::undelivered) {
    bool is_over = false;
    for (const auto& [serverid, last] : who->in_flight) {
      if (last.attempt == delivery_.max_retries
          && last.ordinal <= who->written) {
        who->troubled.insert(serverid);
        is_over = true;
      }
    }
    require(is_over, "undelivered before the retries were over");
  }
  hang_up(*who);
}

void mailbox_world::on(const effect::notify_offline& x) {
  say("  notify offline");
  require(!raised_, "a second offline event");
  require(x.pending > 0, "an offline event for nothing");
  raised_ = true;
}

void mailbox_world::on(const effect::clear_offline& x) {
  require(raised_, "cleared what was not raised");
  raised_ = false;
  disk_.ask(x);
}

// Each sender of this world waits for itself.
void mailbox_world::on(const effect::merge&) {
  require(false, "merged the frames of two senders");
}

// It has left the mailbox, or does so with what comes next.
void mailbox_world::finish(server_id serverid) {
  for (auto& [name, who] : clients_) {
    who.in_flight.erase(serverid);
  }
}

void mailbox_world::check() {
  const auto& c = counters_;
  require(c.pending_at_open + c.received
            == c.acknowledged + c.refused + c.expired + c.erased + c.quarantined
                 + c.cancelled + c.pending + c.closed_pending,
          "the balance is off");
  require(c.pending == mailbox_->inspect().pending, "pending is off");
  for (const auto& [serverid, m] : messages_) {
    const bool waits = !m.stored && !m.over && !m.confirmed;
    if (waits && mailbox_->next_deadline() > now_.mono) {
      require(now_.mono - m.received < core::microseconds{delivery_.spill_max},
              "a message stayed in memory for too long");
    }
  }
  for (const auto& [name, who] : clients_) {
    check_client(who);
  }
}

void mailbox_world::check_client(const client& who) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (const auto& [serverid, last] : who.in_flight) {
    const auto timeout = core::microseconds{delivery_.ack_timeout}
                         * (1 << last.attempt);
    const bool had_time = last.written != core::mono_time{}
                          && now_.mono >= last.written + timeout;
    if (who.troubled.count(serverid) > 0 || had_time) {
      require(!had_time || who.troubled.count(serverid) > 0
                || mailbox_->next_deadline() <= now_.mono,
              "an unacknowledged message was left alone");
      continue; // may have been given up for this connection
    }
    bytes += last.weight;
    ++count;
  }
  require(count <= delivery_.window, "more in flight than the window");
  require(count <= 1 || bytes <= delivery_.window_bytes,
          who.name + " has more bytes in flight than the window, "
            + std::to_string(bytes));
}

void mailbox_world::check_outcome() {
  const auto is_poison = [&](const message& m) {
    return std::any_of(clients_.begin(), clients_.end(), [&](const auto& x) {
      return x.second.poison.count({m.what->from, m.what->id}) > 0;
    });
  };
  std::size_t poisoned = 0;
  for (const auto& [serverid, m] : messages_) {
    poisoned += m.what && is_poison(m) ? 1 : 0;
    if (!m.confirmed || m.excused) {
      continue;
    }
    for (const auto& name : m.must_have) {
      require(clients_.at(name).has.count({m.what->from, m.what->id}) > 0,
              m.what->from + " " + m.what->id + " never reached " + name);
    }
  }
  require(counters_.pending <= poisoned, "messages are left behind");
  for (const auto& origin : origins_) {
    require(origin.answered || origin.lost, "a sender was never answered");
  }
  mailbox_.reset();
  require(counters_.pending == 0 && counters_.memory_bytes == 0
            && counters_.stuck == 0,
          "a closed mailbox leaves counts behind");
}

} // namespace vartalap::test
