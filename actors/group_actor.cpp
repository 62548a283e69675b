#include "actors/group_actor.hpp"

#include "actors/cluster_messages.hpp"
#include "actors/group_list_actor.hpp"
#include "net/api_groups.hpp"

#include <caf/actor_cast.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace vartalap::actors {

namespace {

namespace op = storage::op;

constexpr core::server_id no_end{std::numeric_limits<std::uint64_t>::max(),
                                 std::numeric_limits<std::uint64_t>::max()};

/// Below this many recipients nobody notes how far a message is: to send it
/// again to all is cheaper.
constexpr std::size_t noted_from = 512;

/// A change that is told to who joined or left: the others have no list to
/// change.
std::vector<std::string> named_by(const core::group_change& change) {
  auto out = change.left;
  for (const auto& one : change.joined)
    out.push_back(one.user);
  return out;
}

core::durability with_copies(core::durability base, unsigned copies) {
  if (base != core::durability::disk)
    return base;
  return static_cast<core::durability>(static_cast<unsigned>(base)
                                       + std::min(copies, 100U));
}

/// Of a message as its sender has sent it.
std::uint64_t hash_of(const core::envelope& record) {
  if (!core::is_outgoing(record.type))
    return record.content_hash();
  auto as_sent = record;
  as_sent.type = core::without_outgoing(record.type);
  return as_sent.content_hash();
}

} // namespace

core::dedupe_key group_actor::key_of(const core::envelope& message) const {
  return core::make_dedupe_key(message.from, stored_under(), message.id);
}

core::fan_out::roster group_actor::members_now() {
  if (!members_) {
    auto names = std::make_shared<std::vector<std::string>>();
    for (auto& one : group_.members())
      names->push_back(std::move(one.user));
    members_ = std::move(names);
  }
  return members_;
}

/// Who is to get a record: the members when it was made; of a change also who
/// left by it, and the lists of who it is about.
core::fan_out::roster
group_actor::recipients(const core::envelope& record) const {
  auto out = std::make_shared<std::vector<std::string>>(
    group_.members_at(record.serverid));
  if (const auto change = core::read_change(record)) {
    const auto named = named_by(*change);
    for (const auto& user : named)
      out->push_back(core::groups_of_user(user));
    out->insert(out->end(), named.begin(), named.end());
    std::sort(out->begin(), out->end());
    out->erase(std::unique(out->begin(), out->end()), out->end());
  }
  return out;
}

void group_actor::take_in(const storage::stored_message& found) {
  const auto& record = found.message;
  if (outbox_.contains(record->serverid))
    return;
  if (const auto change = core::read_change(*record)) {
    group_.apply(*change);
    members_.reset();
    if (std::find(found.acked.begin(), found.acked.end(), core::sent_to_all)
        != found.acked.end())
      return;
  }
  auto& one = keep(record);
  one.durable = true;
  one.done = core::slices_of(found.acked);
  unstarted_.insert(
    std::upper_bound(unstarted_.begin(), unstarted_.end(), record->serverid),
    record->serverid);
  if (core::read_change(*record))
    return;
  core::dedupe_record known{record->serverid, record->server_timestamp,
                            hash_of(*record)};
  // Nobody knows how many copies there are of what was found on disk.
  known.confirmed = !context_.mailboxes.needs_copies;
  known.durability = context_.mailboxes.stored_as;
  context_.dedupe.insert(key_of(*record), known);
}

void group_actor::opened(std::vector<storage::stored_message> found) {
  for (const auto& one : found)
    take_in(one);
  forget_obsolete();
}

void group_actor::take(submission item) {
  if (const auto command = core::read_command(*item.message))
    return take_command(item, *command);
  take_message(item);
}

void group_actor::take_command(submission& item,
                               const core::group_command& command) {
  auto decided = group_.decide(command);
  if (decided.refused != core::refusal::none)
    return refuse(item, decided.refused);
  const auto now = context_.now().wall;
  const auto stamp = context_.ids.next(now);
  if (decided.nothing)
    return confirm(item.origin, item.message, stamp,
                   context_.mailboxes.stored_as);
  auto& change = decided.change;
  change.stamp = stamp;
  auto record = std::make_shared<core::envelope>();
  record->id = stamp.to_hex();
  record->from = command.by;
  record->to = stored_under();
  record->channel = core::channel::group;
  record->timestamp = now;
  record->server_timestamp = now;
  record->serverid = stamp;
  record->kind = core::content_kind::json;
  record->content = net::api::group_event(change);
  core::write_change(change, *record);
  group_.apply(change);
  members_.reset();
  auto& one = keep(record);
  one.to = recipients(*record);
  one.origins.push_back(item.origin);
  one.notes = named_by(change).size();
  store(stamp);
}

void group_actor::take_message(submission& item) {
  auto& message = *item.message;
  if (!group_.exists())
    return refuse(item, core::refusal::unknown_group);
  if (!group_.is_member(message.from))
    return refuse(item, core::refusal::not_a_member);
  if (message.ephemeral)
    return relay(item);
  const auto key = key_of(message);
  const auto hash = message.content_hash();
  if (answer_resend(item, key, hash))
    return;
  if (!make_room(message.weight()))
    return refuse(item, core::refusal::mailbox_full);
  const auto now = context_.now().wall;
  message.serverid = context_.ids.next(now);
  message.server_timestamp = now;
  message.type = core::outgoing(message.type);
  context_.dedupe.insert(key, {message.serverid, now, hash});
  auto& one = keep(item.message);
  one.to = members_now();
  one.origins.push_back(item.origin);
  store(message.serverid);
}

bool group_actor::answer_resend(submission& item, const core::dedupe_key& key,
                                std::uint64_t content_hash) {
  const auto* known = context_.dedupe.find(key);
  if (known == nullptr)
    return false;
  if (known->content_hash != content_hash) {
    refuse(item, core::refusal::id_reused);
    return true;
  }
  if (known->confirmed) {
    item.message->server_timestamp = known->server_timestamp;
    confirm(item.origin, item.message, known->serverid, known->durability);
    return true;
  }
  const auto found = outbox_.find(known->serverid);
  if (found == outbox_.end())
    return false;
  found->second.origins.push_back(item.origin);
  // Found on disk: whoever is to have copies gets them first.
  if (!found->second.storing)
    store(found->first);
  return true;
}

void group_actor::relay(submission& item) {
  item.message->server_timestamp = context_.now().wall;
  for (const auto& user : *members_now())
    if (user != item.message->from)
      tell(context_.node.shard_of(user).router,
           submit{{{copy_for(*item.message, user), nullptr}}});
  confirm(item.origin, item.message, {}, core::durability::memory);
}

/// The group holds as much as a mailbox may. What only members wait for who
/// take nothing goes first: they delay nobody else.
bool group_actor::make_room(std::size_t bytes) {
  const auto& limits = context_.node.options.limits;
  for (;;) {
    const auto is_full = (limits.mailbox_messages != 0
                          && outbox_.size() >= limits.mailbox_messages)
                         || (limits.mailbox_bytes != 0 && !outbox_.empty()
                             && bytes_ + bytes > limits.mailbox_bytes);
    if (!is_full)
      return true;
    const auto oldest = out_.oldest();
    if (!oldest || !out_.only_retries(oldest))
      return false;
    context_.groups.given_up += out_.give_up(oldest);
    finish(oldest, false);
  }
}

group_actor::outgoing& group_actor::keep(core::envelope_ptr record) {
  auto& one = outbox_[record->serverid];
  bytes_ += record->weight();
  one.record = std::move(record);
  return one;
}

void group_actor::let_go(std::map<core::server_id, outgoing>::iterator at) {
  bytes_ -= at->second.record->weight();
  outbox_.erase(at);
}

/// Storage's sweep does the same, later, to messages; an event it never ends.
void group_actor::expire_oldest() {
  const auto ttl
    = static_cast<core::wall_ms>(context_.node.options.delivery.ttl.count());
  const auto now = context_.now().wall;
  for (auto oldest = out_.oldest(); oldest; oldest = out_.oldest()) {
    if (outbox_.at(oldest).record->server_timestamp + ttl >= now)
      return;
    expired({oldest});
  }
}

void group_actor::store(core::server_id serverid) {
  auto& one = outbox_.at(serverid);
  one.storing = true;
  if (!one.durable)
    unstarted_.push_back(serverid);
  put(one.record, [this, serverid](bool ok, unsigned copies) {
    on_stored(serverid, ok, copies);
  });
}

void group_actor::on_stored(core::server_id serverid, bool ok,
                            unsigned copies) {
  const auto found = outbox_.find(serverid);
  if (found == outbox_.end())
    return;
  auto& one = found->second;
  one.storing = false;
  const auto is_change = core::read_change(*one.record).has_value();
  if (ok) {
    one.durable = true;
    one.reached = with_copies(context_.mailboxes.stored_as, copies);
    if (!is_change)
      ++context_.groups.accepted;
    if (!is_change || one.notes == 0)
      confirm_all(serverid, one);
    return;
  }
  for (const auto& origin : std::exchange(one.origins, {}))
    refuse({std::const_pointer_cast<core::envelope>(one.record), origin},
           core::refusal::unavailable);
  if (one.durable)
    return;
  if (is_change) {
    group_.drop(serverid);
    members_.reset();
  } else {
    context_.dedupe.erase(key_of(*one.record));
  }
  std::erase(unstarted_, serverid);
  let_go(found);
}

void group_actor::confirm_all(core::server_id serverid, outgoing& what) {
  if (auto* known = context_.dedupe.find(key_of(*what.record))) {
    known->confirmed = true;
    known->durability = what.reached;
  }
  for (const auto& origin : std::exchange(what.origins, {}))
    confirm(origin, what.record, serverid, what.reached);
}

/// In the order of serverIds: what is durable waits for what is not yet.
void group_actor::start_what_is_stored() {
  while (!unstarted_.empty()) {
    const auto serverid = unstarted_.front();
    auto& one = outbox_.at(serverid);
    if (!one.durable)
      return;
    unstarted_.pop_front();
    one.started = true;
    if (!one.to)
      one.to = recipients(*one.record);
    const auto is_change = core::read_change(*one.record).has_value();
    const auto but = is_change ? std::string_view{} : one.record->from;
    if (!out_.add(serverid, one.to, but, one.done)) {
      confirm_all(serverid, one);
      finish(serverid, true);
    }
  }
}

void group_actor::go_on() {
  if (is_ending())
    return;
  start_what_is_stored();
  expire_oldest();
  out_.timer(context_.home.now());
  std::vector<core::fan_out::item> items;
  out_.next(items);
  if (items.empty())
    return;
  auto origin = std::make_shared<submission_origin>();
  origin->connection = caf::actor_cast<caf::actor>(this);
  context_.groups.sent += items.size();
  for (const auto& item : items)
    tell(
      context_.node.shard_of(item.to).router,
      submit{{{copy_for(*outbox_.at(item.message).record, item.to), origin}}});
}

std::shared_ptr<core::envelope>
group_actor::copy_for(const core::envelope& record, std::string_view to) const {
  const auto change = core::read_change(record);
  if (change && core::is_internal_name(to)) {
    for (const auto& one : change->joined)
      if (core::groups_of_user(one.user) == to)
        return group_list_actor::note(one.user, id(), record.serverid, true);
    for (const auto& user : change->left)
      if (core::groups_of_user(user) == to)
        return group_list_actor::note(user, id(), record.serverid, false);
  }
  auto copy = std::make_shared<core::envelope>(record);
  copy->to = to;
  copy->group = id();
  copy->serverid = {};
  copy->server_timestamp = 0;
  if (!change) {
    if (core::is_outgoing(record.type))
      copy->type = core::without_outgoing(record.type);
    return copy;
  }
  copy->type = core::message_type::notification;
  const std::string of{id()};
  copy->meta = {{"contentType", "notification"},
                {"action", change->left.empty() ? "add" : "remove"},
                {"chatId", of},
                {"chatid", of}};
  return copy;
}

void group_actor::sent(const core::envelope& what, core::refusal code) {
  const auto how = out_.answered(what.to, code, context_.home.now());
  const auto found = outbox_.find(how.message);
  context_.groups.refused += how.refused ? 1 : 0;
  context_.groups.retried += how.will_retry ? 1 : 0;
  if (found == outbox_.end())
    return;
  auto& one = found->second;
  if (one.notes != 0 && core::is_internal_name(what.to) && --one.notes == 0
      && one.durable)
    confirm_all(how.message, one);
  if (how.finished)
    return finish(how.message, true);
  if (how.slice != core::fan_out::slices && one.to->size() >= noted_from)
    change(op::ack{stored_under(), how.message, core::slice_mark(how.slice)});
}

void group_actor::finish(core::server_id serverid, bool all_have_it) {
  const auto found = outbox_.find(serverid);
  if (found == outbox_.end())
    return;
  auto& one = found->second;
  confirm_all(serverid, one);
  context_.groups.finished += all_have_it ? 1 : 0;
  if (core::read_change(*one.record)) {
    let_go(found);
    change(op::ack{stored_under(), serverid, std::string(core::sent_to_all)});
    return forget_obsolete();
  }
  const auto now = context_.now();
  const auto age = now.wall - std::min(now.wall, one.record->server_timestamp);
  context_.dedupe.release(
    key_of(*one.record),
    now.mono - core::milliseconds{static_cast<std::int64_t>(age)}, now.mono);
  let_go(found);
  change(op::remove{stored_under(), serverid});
}

void group_actor::forget_obsolete() {
  const auto oldest = outbox_.empty() ? no_end : outbox_.begin()->first;
  const auto ttl
    = static_cast<core::wall_ms>(context_.node.options.delivery.ttl.count());
  const auto now = context_.now().wall;
  const core::server_id forget{(now - std::min(now, ttl)) << 16, 0};
  for (const auto serverid : group_.obsolete(oldest, forget)) {
    group_.drop(serverid);
    change(op::remove{stored_under(), serverid});
  }
}

core::mono_time group_actor::next_due() const {
  return is_ending() ? core::mono_time::max() : out_.next_deadline();
}

void group_actor::answer(list_pending& what) {
  pending_page page;
  if (group_.exists() && group_.is_member(what.device)) {
    auto body = std::make_shared<core::envelope>();
    body->content = net::api::group_body(id(), group_);
    page.messages.push_back(std::move(body));
  }
  what.answer(std::move(page));
}

void group_actor::merged(const storage::operation& what) {
  core::server_id over;
  if (const auto* put = std::get_if<op::put>(&what)) {
    take_in({put->message, put->acked});
  } else if (const auto* remove = std::get_if<op::remove>(&what)) {
    over = remove->serverid;
    group_.drop(over);
    members_.reset();
  } else if (const auto* ack = std::get_if<op::ack>(&what);
             ack != nullptr && ack->device == core::sent_to_all) {
    over = ack->serverid;
  }
  // Another node has brought it to everybody.
  const auto found = outbox_.find(over);
  if (!over || found == outbox_.end() || found->second.storing)
    return;
  out_.give_up(over);
  std::erase(unstarted_, over);
  if (const auto& one = *found->second.record; !core::read_change(one)) {
    const auto now = context_.now().mono;
    context_.dedupe.release(key_of(one), now, now);
  }
  let_go(found);
}

void group_actor::expired(const std::vector<core::server_id>& serverids) {
  for (const auto serverid : serverids) {
    context_.groups.expired += out_.give_up(serverid);
    std::erase(unstarted_, serverid);
    if (outbox_.contains(serverid))
      finish(serverid, false);
  }
}

} // namespace vartalap::actors
