#include "test/unit/core/mailbox_world.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace vartalap::test {

using namespace std::chrono_literals;
using core::microseconds;
using core::milliseconds;
using core::server_id;

namespace {

const std::array<std::string, 3> senders{"alice", "carol", "dave"};
const std::array<std::string, 4> devices{"phone", "laptop", "tablet", "watch"};
constexpr core::wall_ms start_of_time = 1'700'000'000'000;

} // namespace

mailbox_world::mailbox_world(std::uint64_t seed) : random_(seed) {
  delivery_.ack_timeout = milliseconds{1000 + pick(3000)};
  delivery_.max_retries = static_cast<unsigned>(pick(3));
  delivery_.spill_after = milliseconds{10 + pick(90)};
  delivery_.spill_max = milliseconds{200 + pick(800)};
  delivery_.window = 1 + pick(6);
  delivery_.window_bytes = 600 + pick(3000);
  limits_.memory_messages = 1 + pick(8);
  limits_.memory_bytes = 1000 + pick(5000);
  limits_.mailbox_messages = 5 + pick(40);
  limits_.pending_per_sender = 3 + pick(30);
  limits_.devices_per_user = 2 + pick(3);
  for (const auto& name : devices) {
    clients_[name].name = name;
  }
  now_.mono = core::mono_time{1h};
  now_.wall = start_of_time;
  open();
}

mailbox_world::~mailbox_world() = default;

void mailbox_world::open() {
  dedupe_ = std::make_unique<core::dedupe_window>(delivery_.dedupe_for,
                                                  delivery_.dedupe_ids);
  ids_ = std::make_unique<core::server_id_clock>(7, ++incarnation_);
  context_ = std::make_unique<core::mailbox_context>(
    core::mailbox_context{delivery_, limits_, core::durability::disk, 100'000,
                          *dedupe_, *ids_, counters_});
  mailbox_ = std::make_unique<core::mailbox>("bob", *context_);
  mailbox_->open(disk_.snapshot(), now_);
  raised_ = disk_.is_raised();
}

void mailbox_world::run(int commands) {
  for (int i = 0; i < commands; ++i) {
    step();
    check();
  }
}

void mailbox_world::step() {
  const auto what = pick(100);
  if (what < 30) {
    receive();
  } else if (what < 48) {
    acknowledge();
  } else if (what < 51) {
    acknowledge_nonsense();
  } else if (what < 62) {
    pass_time(chance(70) ? microseconds{milliseconds{pick(150)}}
                         : microseconds{milliseconds{pick(6000)}});
  } else if (what < 69) {
    connect(any_client());
  } else if (what < 72) {
    disconnect(any_client());
  } else if (what < 82) {
    write(any_client(), 1 + pick(6));
  } else if (what < 87) {
    commit(1 + pick(8), chance(85));
  } else if (what < 92) {
    complete(1 + pick(8));
  } else if (what < 95) {
    answer_fetch(chance(80));
  } else if (what == 95) {
    expire();
  } else if (what == 96) {
    crash();
  } else if (what == 97) {
    close_when_idle();
  } else if (what == 98) {
    auto& who = any_client();
    say("add device " + who.name);
    mailbox_->add_device(who.name, now_, effects_);
    carry_out();
  } else if (chance(50)) {
    auto& who = any_client();
    say("remove device " + who.name);
    mailbox_->remove_device(who.name, now_, effects_);
    carry_out();
  } else {
    // Long enough unseen for its debts to be cancelled.
    say("a week passes");
    now_.wall += static_cast<core::wall_ms>(
      milliseconds{delivery_.device_idle}.count() + 1);
  }
}

void mailbox_world::receive() {
  core::envelope what;
  const auto kind = pick(100);
  if (kind < 15 && !submitted_.empty()) {
    what = submitted_[pick(submitted_.size())]; // a resend
  } else if (kind < 18 && !submitted_.empty()) {
    what = submitted_[pick(submitted_.size())];
    what.content += "!"; // another content under its id
  } else {
    what.from = senders[pick(senders.size())];
    what.to = "bob";
    what.id = std::to_string(++next_id_);
    what.content.assign(pick(300), 'x');
    what.type = chance(70) ? core::message_type::message
                           : core::message_type::notification;
    what.ephemeral = chance(8);
    if (!what.ephemeral) {
      submitted_.push_back(what);
    }
    if (chance(2)) {
      any_client().poison.insert({what.from, what.id});
    }
  }
  origins_.push_back({{what.from, what.id}});
  const auto origin = std::make_shared<const std::size_t>(origins_.size() - 1);
  say("receive " + what.from + " " + what.id
      + (what.ephemeral ? " ephemeral" : ""));
  auto incoming = std::make_shared<core::envelope>(what);
  mailbox_->receive(incoming, origin, now_, effects_);
  if (incoming->serverid) {
    auto& m = messages_[incoming->serverid];
    m.what = incoming;
    m.received = now_.mono;
  }
  carry_out();
}

void mailbox_world::acknowledge() {
  auto& who = any_client();
  if (who.to_ack.empty()) {
    return;
  }
  const auto at = chance(70) ? 0 : pick(who.to_ack.size());
  const auto what = who.to_ack[at];
  if (who.poison.count({what->from, what->id}) > 0) {
    return;
  }
  if (chance(85)) { // else it will do it again
    who.to_ack.erase(who.to_ack.begin() + static_cast<std::ptrdiff_t>(at));
  }
  do_ack(who, what, static_cast<unsigned>(pick(3)));
}

void mailbox_world::do_ack(client& who, const core::envelope_ptr& what,
                           unsigned how) {
  say("ack " + who.name + " " + what->from + " " + what->id);
  bool was_pending = false;
  if (how == 0 || who.connection == 0) {
    was_pending = mailbox_->ack(who.name, what->serverid, now_, effects_);
  } else if (how == 1) {
    // The id may have been refused and be pending anew by now.
    const auto* known = messages_.count(what->serverid) > 0
                          ? &messages_[what->serverid]
                          : nullptr;
    if (known == nullptr || known->over) {
      return;
    }
    was_pending
      = mailbox_->ack_by_id(who.name, what->from, what->id, now_, effects_);
  } else {
    if (who.in_flight.count(what->serverid) == 0) {
      return;
    }
    was_pending
      = mailbox_->ack_in_flight(who.connection, what->id, now_, effects_);
  }
  if (was_pending) {
    require(who.acked.insert(what->serverid).second,
            "an acknowledgement counted twice");
    messages_[what->serverid].acked.insert(who.name);
  }
  who.in_flight.erase(what->serverid);
  carry_out();
}

void mailbox_world::acknowledge_nonsense() {
  say("ack nonsense");
  const server_id never{1, pick(5)};
  require(!mailbox_->ack(any_client().name, never, now_, effects_),
          "an unknown message was acknowledged");
  require(!mailbox_->ack("stranger",
                         messages_.empty() ? never : messages_.rbegin()->first,
                         now_, effects_),
          "a stranger acknowledged");
  require(
    !mailbox_->ack_by_id(any_client().name, "nobody", "0", now_, effects_),
    "an unknown id was acknowledged");
  carry_out();
}

void mailbox_world::pass_time(microseconds span) {
  say("pass " + std::to_string(span.count()) + " us");
  const auto until = now_.mono + span;
  const auto wall = now_.wall;
  const auto begin = now_.mono;
  for (int i = 0; mailbox_->next_deadline() <= until; ++i) {
    require(i < 1000, "the timer never rests");
    now_.mono = std::max(now_.mono, mailbox_->next_deadline());
    now_.wall = wall + static_cast<core::wall_ms>((now_.mono - begin) / 1ms);
    mailbox_->timer(now_, effects_);
    require(mailbox_->next_deadline() > now_.mono,
            "the timer asks for a time that has passed");
    carry_out();
  }
  now_.mono = until;
  now_.wall = wall + static_cast<core::wall_ms>(span / 1ms);
}

void mailbox_world::connect(client& who) {
  const auto old = who.connection;
  const auto id = ++last_connection_;
  say("connect " + who.name + " as " + std::to_string(id));
  mailbox_->attach(who.name, id, now_, effects_);
  // The mailbox speaks of the new connection in these effects already.
  hang_up(who);
  who.connection = id;
  const bool was_known = known_.count(who.name) > 0;
  carry_out();
  require(!was_known || who.connection == id, "a known device was refused");
  require(old == 0 || was_known, "an unknown device was connected");
}

void mailbox_world::disconnect(client& who) {
  if (who.connection == 0) {
    return;
  }
  say("disconnect " + who.name);
  const auto id = who.connection;
  hang_up(who);
  mailbox_->detach(id, now_, effects_);
  mailbox_->detach(id, now_, effects_); // a repeat is ignored
  carry_out();
}

void mailbox_world::hang_up(client& who) {
  who.connection = 0;
  who.ordinal = 0;
  who.written = 0;
  who.wire.clear();
  who.in_flight.clear();
}

void mailbox_world::write(client& who, std::size_t frames) {
  if (who.wire.empty()) {
    return;
  }
  say("write " + who.name);
  for (; frames > 0 && !who.wire.empty(); --frames) {
    const auto f = who.wire.front();
    who.wire.pop_front();
    who.written = f.ordinal;
    if (const auto hit = who.in_flight.find(f.message->serverid);
        hit != who.in_flight.end() && hit->second.ordinal == f.ordinal) {
      hit->second.written = now_.mono;
    }
    arrived(who, f);
  }
  mailbox_->written(who.connection, who.written, now_.mono);
}

void mailbox_world::arrived(client& who, const frame& f) {
  const auto& m = *f.message;
  if (m.ephemeral) {
    return;
  }
  who.to_ack.push_back(f.message);
  if (!who.has.insert({m.from, m.id}).second) {
    return;
  }
  auto& newest = who.newest[m.from];
  require(newest < m.serverid || who.troubled.count(m.serverid) > 0,
          "a message overtook an older one of its sender");
  newest = std::max(newest, m.serverid);
}

void mailbox_world::commit(std::size_t n, bool ok) {
  if (disk_.waiting() == 0) {
    return;
  }
  say("commit " + std::to_string(n) + (ok ? "" : " fails"));
  disk_.commit(n, ok);
}

void mailbox_world::complete(std::size_t n) {
  for (; n > 0 && !disk_.completions.empty(); --n) {
    const auto done = disk_.completions.front();
    disk_.completions.pop_front();
    say("complete" + std::string{done.was_put ? " put " : " "}
        + done.serverid.to_hex() + (done.failed ? " failed" : ""));
    if (!done.was_put) {
      mailbox_->op_done(done.failed);
    } else if (done.failed) {
      if (!messages_[done.serverid].over) {
        messages_[done.serverid].over = true;
        finish(done.serverid);
        raised_ = raised_ && !done.raised;
      }
      mailbox_->commit_failed(done.serverid, core::refusal::unavailable, now_,
                              effects_);
    } else {
      mailbox_->committed(done.serverid, now_, effects_);
    }
    carry_out();
  }
}

void mailbox_world::answer_fetch(bool ok) {
  if (!fetch_) {
    return;
  }
  const auto asked = *std::exchange(fetch_, std::nullopt);
  say(ok ? "fetched" : "fetch fails");
  if (!ok) {
    mailbox_->fetch_failed(now_);
    return;
  }
  std::vector<core::envelope_ptr> found;
  for (const auto serverid : asked) {
    const auto hit = disk_.records.find(serverid);
    if (hit == disk_.records.end()) {
      continue;
    }
    if (!settling_ && !hit->second.damaged && chance(2)) {
      say("damaged " + serverid.to_hex());
      messages_[serverid].excused = true;
      messages_[serverid].over = true;
      disk_.records.erase(hit);
      finish(serverid);
      continue;
    }
    found.push_back(hit->second.message);
  }
  mailbox_->fetched(asked, found, now_, effects_);
  carry_out();
}

void mailbox_world::expire() {
  std::vector<server_id> old;
  for (const auto& [serverid, record] : disk_.records) {
    if (chance(20)) {
      old.push_back(serverid);
    }
  }
  say("expire " + std::to_string(old.size()));
  for (const auto serverid : old) {
    disk_.records.erase(serverid);
    messages_[serverid].excused = true;
    messages_[serverid].over = true;
  }
  // Completions that tell of their commit come first, as from one writer.
  complete(disk_.completions.size());
  for (const auto serverid : old) {
    finish(serverid);
  }
  mailbox_->expired(old, now_, effects_);
  carry_out();
}

void mailbox_world::crash() {
  say("crash");
  mailbox_.reset();
  require(counters_.pending == 0 && counters_.memory_bytes == 0
            && counters_.stuck == 0,
          "a closed mailbox leaves counts behind");
  disk_.crash();
  now_.wall += 100; // a process does not start in no time
  fetch_.reset();
  effects_.clear();
  for (auto& origin : origins_) {
    origin.lost = origin.lost || !origin.answered;
  }
  for (auto& [name, who] : clients_) {
    hang_up(who);
    who.acked.clear();
    const auto hit = disk_.devices.find(name);
    const bool same = hit != disk_.devices.end() && known_.count(name) > 0
                      && hit->second.cancelled_upto == known_[name];
    if (!same) {
      who.newest.clear(); // it may owe again what it was excused from
    }
  }
  for (auto& [serverid, m] : messages_) {
    m.stored = disk_.has(serverid);
    for (auto& [name, who] : clients_) {
      // A device whose record did not reach the disk is new when it returns;
      // what it acknowledged before it was deleted still counts there.
      if (disk_.devices_failed.count(name) > 0 || disk_.devices.count(name) == 0
          || (disk_.has(serverid)
              && disk_.records[serverid].acked.count(name) > 0)) {
        m.must_have.erase(name);
      }
    }
  }
  known_.clear();
  for (const auto& [name, record] : disk_.devices) {
    known_[name] = record.cancelled_upto;
  }
  reread_disk();
  open();
}

// What was asked of storage and failed is as if it had not been asked.
void mailbox_world::reread_disk() {
  for (auto& [serverid, m] : messages_) {
    const auto hit = disk_.records.find(serverid);
    const bool is_back = m.over && hit != disk_.records.end();
    m.over = hit == disk_.records.end();
    for (auto& [name, who] : clients_) {
      if (is_back) {
        who.troubled.insert(serverid); // comes again, to new devices too
      }
      if (!m.over && hit->second.acked.count(name) == 0) {
        who.acked.erase(serverid);
      }
    }
  }
}

void mailbox_world::close_when_idle() {
  if (!mailbox_->idle()) {
    return;
  }
  say("close and open");
  require(disk_.waiting_for_answer() == 0 && disk_.completions.empty(),
          "idle while storage still works");
  for (const auto& [name, who] : clients_) {
    require(who.connection == 0, "idle with a connection");
  }
  disk_.commit(disk_.waiting(), true);
  require(counters_.pending <= disk_.records.size(),
          "idle with messages that are not on disk");
  mailbox_.reset();
  mailbox_ = std::make_unique<core::mailbox>("bob", *context_);
  mailbox_->open(disk_.snapshot(), now_);
  // An event that was raised after its message was stored is not on disk: it
  // may be raised once more.
  raised_ = disk_.is_raised();
  reread_disk();
}

void mailbox_world::settle() {
  settling_ = true;
  say("settle");
  if (known_.empty()) {
    connect(clients_.at("phone"));
  }
  for (int round = 0;; ++round) {
    require(round < 600, "the mailbox never comes to rest");
    for (auto& [name, who] : clients_) {
      if (known_.count(name) > 0 && who.connection == 0) {
        connect(who);
      }
      write(who, who.wire.size());
      for (const auto& what : std::exchange(who.to_ack, {})) {
        if (who.poison.count({what->from, what->id}) == 0) {
          do_ack(who, what, 0);
        }
      }
    }
    commit(disk_.waiting(), true);
    complete(disk_.completions.size());
    answer_fetch(true);
    check();
    const bool is_quiet
      = disk_.waiting() == 0 && disk_.completions.empty() && !fetch_
        && std::all_of(clients_.begin(), clients_.end(),
                       [](const auto& x) { return x.second.wire.empty(); });
    if (is_quiet) {
      const auto next = mailbox_->next_deadline();
      if (next == core::mono_time::max()) {
        break;
      }
      pass_time(std::max(next, now_.mono) - now_.mono);
    }
  }
  check_outcome();
}

} // namespace vartalap::test
