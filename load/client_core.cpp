#include "load/client_core.hpp"

#include "core/ids.hpp"

#include <algorithm>
#include <optional>
#include <variant>

namespace vartalap::load {

namespace {

/// Above this many settled entries at its front an outbox is moved together.
constexpr std::size_t settled_front_max = 64;

std::uint64_t since(std::uint64_t then_us, std::uint64_t now_us) {
  return now_us > then_us ? now_us - then_us : 0;
}

} // namespace

client_core::client_core(client_context& context, std::uint32_t user,
                         std::uint32_t device)
  : context_(context), user_(user), device_(device),
    name_(payload_maker::user_name(user)) {
}

void client_core::submit(std::uint32_t recipient, std::uint64_t scheduled_us,
                         std::uint64_t now_us, frame_sink& out) {
  outgoing entry;
  entry.seq = context_.book.attempted(user_, recipient);
  entry.recipient = recipient;
  entry.scheduled_us = scheduled_us;
  ++submitted_;
  count(context_.stats.attempted);
  if (!context_.wants_acks) {
    if (open_)
      write(entry, now_us, out);
    return;
  }
  ++unconfirmed_;
  if (open_)
    write(entry, now_us, out);
  outbox_.push_back(entry);
}

void client_core::write(outgoing& entry, std::uint64_t now_us,
                        frame_sink& out) {
  thread_local std::string id;
  thread_local std::string content;
  thread_local std::string frame;
  const message_key key{user_, entry.seq};
  id.clear();
  context_.payloads.append_id(key, id);
  context_.payloads.make({key, entry.scheduled_us}, content);
  const auto to = payload_maker::user_name(entry.recipient);
  client_message message;
  message.id = id;
  message.to = to;
  message.content = content;
  message.timestamp = context_.wall_offset_ms + entry.scheduled_us / 1000;
  frame.clear();
  encode(message, frame);
  out.write(frame);
  entry.due_us = now_us + resend_after_us;
}

void client_core::on_open(std::uint64_t now_us, frame_sink& out) {
  open_ = true;
  answered_ = unconfirmed_ == 0;
  for (auto i = outbox_at_; i < outbox_.size(); ++i) {
    auto& entry = outbox_[i];
    if (entry.settled)
      continue;
    if (entry.due_us != 0)
      ++context_.stats.resends;
    write(entry, now_us, out);
  }
}

void client_core::on_closed() {
  open_ = false;
  dying_ = false;
  forgetting_ = false;
  withheld_ = 0;
  // What was not acknowledged comes again; its serverId stays the same.
  acks_.clear();
}

void client_core::die_before_ack(bool forget) noexcept {
  dying_ = true;
  forgetting_ = forget;
}

void client_core::on_frame(std::string_view frame, std::uint64_t now_us) {
  const auto what = decode(frame);
  if (const auto* arrived = std::get_if<delivery>(&what))
    take(*arrived, now_us);
  else if (const auto* ack = std::get_if<server_ack>(&what))
    take(*ack, now_us);
  else if (const auto* refused = std::get_if<refusal>(&what))
    take(*refused, now_us);
  else
    context_.book.unexpected(user_, device_, oddity::unreadable);
}

bool client_core::is_genuine(const delivery& what,
                             const payload_facts& facts) const {
  return what.kind == 0 && what.to == name_
         && payload_maker::read_user_name(what.from) == facts.key.sender
         && context_.payloads.read_id(what.id) == facts.key;
}

void client_core::take(const delivery& what, std::uint64_t now_us) {
  if (dying_) {
    ++withheld_;
    if (forgetting_)
      return;
  } else if (what.server_id.size() == 32) {
    acks_.append(what.server_id);
  }
  auto& book = context_.book;
  if (!context_.payloads.is_ours(what.id))
    return book.foreign(user_, device_);
  const auto facts = context_.payloads.read(what.content);
  const auto order = core::server_id::from_hex(what.server_id);
  const auto id = context_.payloads.read_id(what.id);
  if (!facts)
    return book.unexpected(user_, device_, oddity::damaged);
  if (!order || !id || !is_genuine(what, *facts))
    return book.unexpected(user_, device_, oddity::misdirected);
  if (!seen_.insert(*id))
    return book.repeated(user_, device_);
  book.arrived(user_, device_, facts->key, *order);
  auto& stats = context_.stats;
  count(stats.arrived);
  stats.last_arrival_us.store(now_us, std::memory_order_relaxed);
  if (context_.window.contains(now_us))
    count(stats.window_arrived);
  if (context_.window.contains(facts->scheduled_us))
    (slow_ ? stats.e2e_slow : stats.e2e)
      .record(since(facts->scheduled_us, now_us));
}

client_core::outgoing* client_core::find(std::string_view id,
                                         message_key& key) {
  const auto read = context_.payloads.read_id(id);
  if (!read || read->sender != user_)
    return nullptr;
  key = *read;
  const auto begin = outbox_.begin() + static_cast<std::ptrdiff_t>(outbox_at_);
  const auto at = std::lower_bound(
    begin, outbox_.end(), key.seq,
    [](const outgoing& entry, std::uint32_t seq) { return entry.seq < seq; });
  if (at == outbox_.end() || at->seq != key.seq || at->settled)
    return nullptr;
  return &*at;
}

void client_core::settle(outgoing& entry) {
  entry.settled = true;
  --unconfirmed_;
  count(context_.stats.settled);
  while (outbox_at_ < outbox_.size() && outbox_[outbox_at_].settled)
    ++outbox_at_;
  if (outbox_at_ == outbox_.size()) {
    outbox_.clear();
    outbox_at_ = 0;
  } else if (outbox_at_ > settled_front_max
             && outbox_at_ > outbox_.size() / 2) {
    outbox_.erase(outbox_.begin(),
                  outbox_.begin() + static_cast<std::ptrdiff_t>(outbox_at_));
    outbox_at_ = 0;
  }
}

void client_core::take(const server_ack& what, std::uint64_t now_us) {
  message_key key;
  auto& stats = context_.stats;
  ++stats.durabilities[what.durability];
  answered_ = true;
  auto* const entry = find(what.id, key);
  if (entry == nullptr)
    return; // A resend is answered a second time.
  context_.book.confirmed(key);
  count(stats.confirmed);
  if (context_.window.contains(now_us))
    count(stats.window_confirmed);
  // A reader that pauses reads its confirmations late too.
  if (!slow_ && context_.window.contains(entry->scheduled_us))
    stats.confirm.record(since(entry->scheduled_us, now_us));
  settle(*entry);
}

void client_core::take(const refusal& what, std::uint64_t now_us) {
  ++context_.stats.refusals[std::string(what.code)];
  message_key key;
  auto* const entry = find(what.id, key);
  if (entry == nullptr)
    return;
  if (what.code == "unavailable" || what.code == "mailbox_full") {
    entry->due_us = now_us + retry_refused_us;
    return;
  }
  context_.book.refused(key);
  settle(*entry);
}

void client_core::write_acks(frame_sink& out) {
  if (acks_.empty() || !open_)
    return;
  thread_local std::string frame;
  frame.clear();
  encode_ack(acks_, frame);
  acks_.clear();
  out.write(frame);
}

std::uint64_t client_core::resend_due(std::uint64_t now_us, frame_sink& out) {
  if (!open_)
    return 0;
  std::uint64_t next = 0;
  for (auto i = outbox_at_; i < outbox_.size(); ++i) {
    auto& entry = outbox_[i];
    if (entry.settled)
      continue;
    if (entry.due_us <= now_us) {
      ++context_.stats.resends;
      write(entry, now_us, out);
    }
    next = next == 0 ? entry.due_us : std::min(next, entry.due_us);
  }
  return next;
}

} // namespace vartalap::load
