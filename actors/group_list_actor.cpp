#include "actors/group_list_actor.hpp"

#include "core/group.hpp"

#include <algorithm>
#include <utility>

namespace vartalap::actors {

namespace {

constexpr std::string_view key_joined = "joined";
constexpr std::string_view key_left = "left";
constexpr std::string_view key_stamp = "stamp";

/// Anybody may add anybody to groups: what is more than this is not listed.
constexpr std::size_t groups_max = 1000;

std::string_view value_of(const core::envelope& from, std::string_view key) {
  for (const auto& one : from.meta)
    if (one.key == key)
      return one.value;
  return {};
}

} // namespace

std::shared_ptr<core::envelope>
group_list_actor::note(std::string_view user, std::string_view group,
                       core::server_id stamp, bool joined) {
  auto out = std::make_shared<core::envelope>();
  out->id = stamp.to_hex();
  out->from = user;
  out->to = core::groups_of_user(user);
  out->type = core::message_type::group_command;
  out->channel = core::channel::group;
  out->meta.push_back(
    {std::string(joined ? key_joined : key_left), std::string(group)});
  out->meta.push_back({std::string(key_stamp), stamp.to_hex()});
  return out;
}

void group_list_actor::add(const core::envelope& kept) {
  const auto stamp = core::server_id::from_hex(value_of(kept, key_stamp));
  records_[kept.serverid] = {kept.from, std::string(value_of(kept, key_joined)),
                             stamp.value_or(core::server_id{})};
}

void group_list_actor::opened(std::vector<storage::stored_message> found) {
  for (const auto& one : found)
    add(*one.message);
}

void group_list_actor::take(submission item) {
  auto& what = *item.message;
  const auto stamp = core::server_id::from_hex(value_of(what, key_stamp));
  const auto joined = value_of(what, key_joined);
  const auto left = value_of(what, key_left);
  if (what.type != core::message_type::group_command || !stamp)
    return refuse(item, core::refusal::bad_frame);
  bool known = false;
  for (auto at = records_.begin(); at != records_.end();) {
    const auto& one = at->second;
    known = known || (one.user == what.from && one.group == joined);
    if (one.user == what.from && one.group == left && one.stamp < *stamp) {
      change(storage::op::remove{stored_under(), at->first});
      at = records_.erase(at);
    } else {
      ++at;
    }
  }
  if (joined.empty() || known)
    return confirm(item.origin, item.message, *stamp, core::durability::disk);
  if (records_.size() >= groups_max)
    return refuse(item, core::refusal::forbidden);
  const auto now = context_.now().wall;
  what.type = core::message_type::group_record;
  what.serverid = context_.ids.next(now);
  what.server_timestamp = now;
  add(what);
  put(item.message, [this, item](bool ok, unsigned) {
    if (ok)
      return confirm(item.origin, item.message, item.message->serverid,
                     core::durability::disk);
    records_.erase(item.message->serverid);
    refuse(item, core::refusal::unavailable);
  });
}

void group_list_actor::answer(list_pending& what) {
  pending_page page;
  for (const auto& [id, one] : records_) {
    if (one.user != what.device)
      continue;
    auto line = std::make_shared<core::envelope>();
    line->content = one.group;
    page.messages.push_back(std::move(line));
  }
  what.answer(std::move(page));
}

void group_list_actor::merged(const storage::operation& what) {
  if (const auto* put = std::get_if<storage::op::put>(&what))
    add(*put->message);
  else if (const auto* remove = std::get_if<storage::op::remove>(&what))
    records_.erase(remove->serverid);
}

void group_list_actor::expired(const std::vector<core::server_id>& serverids) {
  for (const auto id : serverids)
    records_.erase(id);
}

} // namespace vartalap::actors
