#include "core/group.hpp"

#include "core/hash.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace vartalap::core {

namespace {

constexpr std::string_view key_creates = "creates";
constexpr std::string_view key_picture = "picture";
constexpr std::string_view key_admin = "admin";
constexpr std::string_view key_user = "user";
constexpr std::string_view key_left = "left";
constexpr std::string_view key_add = "add";
constexpr std::string_view key_remove = "remove";

/// Names that are longer than this would make a key too long.
constexpr std::size_t plain_bytes_max = user_id_bytes_max - 2;

void append(envelope& to, std::string_view key, std::string value) {
  to.meta.push_back({std::string{key}, std::move(value), false});
}

} // namespace

std::string group_mailbox(std::string_view id) {
  return std::string{"\x01g"}.append(id);
}

std::string groups_of_user(std::string_view user) {
  if (user.size() <= plain_bytes_max)
    return std::string{"\x01u"}.append(user);
  return std::string{"\x01h"}.append(
    server_id{stable_hash(user), stable_hash(user, 1)}.to_hex());
}

bool is_group_id(std::string_view text) noexcept {
  constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() != form.size())
    return false;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const auto c = text[i];
    const auto is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (form[i] == 'x' ? !is_digit : c != '-')
      return false;
  }
  return true;
}

std::string slice_mark(unsigned slice) {
  return std::to_string(slice);
}

std::uint64_t slices_of(const std::vector<std::string>& acked) {
  std::uint64_t out = 0;
  for (const auto& name : acked) {
    unsigned slice = 64;
    const auto* end = name.data() + name.size();
    const auto [at, problem] = std::from_chars(name.data(), end, slice);
    if (problem == std::errc{} && at == end && slice < 64)
      out |= std::uint64_t{1} << slice;
  }
  return out;
}

void write_command(const group_command& command, envelope& out) {
  out.type = message_type::group_command;
  out.channel = channel::group;
  out.from = command.by;
  if (command.what == group_command::action::create)
    append(out, key_creates, command.name);
  if (command.picture)
    append(out, key_picture, *command.picture);
  const auto removes = command.what == group_command::action::remove;
  for (const auto& user : command.users)
    append(out, removes ? key_remove : key_add, user);
}

std::optional<group_command> read_command(const envelope& from) {
  if (from.type != message_type::group_command)
    return std::nullopt;
  group_command out;
  out.by = from.from;
  for (const auto& entry : from.meta) {
    if (entry.key == key_creates) {
      out.what = group_command::action::create;
      out.name = entry.value;
    } else if (entry.key == key_picture) {
      out.picture = entry.value;
    } else {
      if (entry.key == key_remove)
        out.what = group_command::action::remove;
      out.users.push_back(entry.value);
    }
  }
  return out;
}

void write_change(const group_change& change, envelope& out) {
  out.type = message_type::group_record;
  if (change.creates)
    append(out, key_creates, change.name);
  if (change.picture)
    append(out, key_picture, *change.picture);
  for (const auto& one : change.joined)
    append(out, one.role == group_role::admin ? key_admin : key_user, one.user);
  for (const auto& user : change.left)
    append(out, key_left, user);
}

std::optional<group_change> read_change(const envelope& from) {
  if (from.type != message_type::group_record)
    return std::nullopt;
  group_change out;
  out.stamp = from.serverid;
  for (const auto& entry : from.meta) {
    if (entry.key == key_creates) {
      out.creates = true;
      out.name = entry.value;
    } else if (entry.key == key_picture) {
      out.picture = entry.value;
    } else if (entry.key == key_admin) {
      out.joined.push_back({entry.value, group_role::admin});
    } else if (entry.key == key_user) {
      out.joined.push_back({entry.value, group_role::user});
    } else if (entry.key == key_left) {
      out.left.push_back(entry.value);
    }
  }
  return out;
}

const group::saying* group::at(const std::vector<saying>& facts,
                               server_id when) {
  const saying* found = nullptr;
  for (const auto& one : facts)
    if (one.stamp <= when)
      found = &one;
  return found;
}

const group::saying* group::now(std::string_view user) const {
  const auto found = users_.find(std::string{user});
  return found == users_.end() ? nullptr : &found->second.back();
}

bool group::is_member(std::string_view user) const {
  const auto* last = now(user);
  return last != nullptr && last->joined;
}

void group::say(const std::string& user, const saying& what) {
  auto& facts = users_[user];
  const auto before = !facts.empty() && facts.back().joined;
  // Of one stamp leaving comes last, and so wins.
  const auto place = std::find_if(facts.begin(), facts.end(), [&](auto& one) {
    return one.stamp > what.stamp
           || (one.stamp == what.stamp && !one.joined && what.joined);
  });
  facts.insert(place, what);
  const auto after = facts.back().joined;
  count_ += after && !before ? 1 : 0;
  count_ -= before && !after ? 1 : 0;
}

void group::apply(const group_change& change) {
  const auto [known, is_new] = records_.try_emplace(change.stamp);
  if (!is_new)
    return;
  auto& record = known->second;
  record.creates = change.creates;
  if (change.creates && (!created_ || change.stamp > named_)) {
    created_ = true;
    named_ = change.stamp;
    name_ = change.name;
    picture_ = change.picture;
  }
  std::uint32_t place = 0;
  for (const auto& one : change.joined) {
    say(one.user, {change.stamp, place++, true, one.role});
    record.users.push_back(one.user);
  }
  for (const auto& user : change.left) {
    say(user, {change.stamp, place++, false, group_role::user});
    record.users.push_back(user);
  }
}

std::vector<group_member> group::members() const {
  struct sorted {
    const std::string* user;
    const saying* what;
  };
  std::vector<sorted> all;
  all.reserve(count_);
  bool any_admin = false;
  for (const auto& [user, facts] : users_)
    if (const auto& last = facts.back(); last.joined) {
      all.push_back({&user, &last});
      any_admin = any_admin || last.role == group_role::admin;
    }
  std::sort(all.begin(), all.end(), [](const auto& x, const auto& y) {
    return x.what->stamp != y.what->stamp ? x.what->stamp < y.what->stamp
                                          : x.what->place < y.what->place;
  });
  std::vector<group_member> out;
  out.reserve(all.size());
  for (const auto& one : all)
    out.push_back({*one.user, one.what->role});
  if (!any_admin && !out.empty())
    out.front().role = group_role::admin;
  return out;
}

std::vector<std::string> group::members_at(server_id when) const {
  std::vector<std::string> out;
  for (const auto& [user, facts] : users_)
    if (const auto* last = at(facts, when); last != nullptr && last->joined)
      out.push_back(user);
  return out;
}

group::decision group::decide(const group_command& command) const {
  using action = group_command::action;
  decision out;
  auto& change = out.change;
  const auto add = [&](const std::string& user, group_role role) {
    const auto is_twice
      = std::any_of(change.joined.begin(), change.joined.end(),
                    [&user](const auto& one) { return one.user == user; });
    if (!is_twice && !is_member(user))
      change.joined.push_back({user, role});
  };
  if (command.what == action::create) {
    if (created_) {
      out.refused = refusal::id_reused;
      return out;
    }
    change.creates = true;
    change.name = command.name;
    change.picture = command.picture;
    add(command.by, group_role::admin);
  } else if (!exists()) {
    out.refused = refusal::unknown_group;
    return out;
  } else if (!is_member(command.by)) {
    out.refused = refusal::not_a_member;
    return out;
  }
  if (command.what == action::remove) {
    const auto all = members();
    const auto is_admin = std::find(all.begin(), all.end(),
                                    group_member{command.by, group_role::admin})
                          != all.end();
    for (const auto& user : command.users) {
      if (user != command.by && !is_admin) {
        out.refused = refusal::forbidden;
        return out;
      }
      if (is_member(user))
        change.left.push_back(user);
    }
  } else {
    for (const auto& user : command.users)
      add(user, group_role::user);
  }
  if (count_ + change.joined.size() > group_members_max)
    out.refused = refusal::too_large;
  out.nothing = change.joined.empty() && change.left.empty();
  return out;
}

std::vector<server_id> group::obsolete(server_id oldest,
                                       server_id forget) const {
  std::vector<server_id> out;
  for (const auto& [stamp, record] : records_) {
    if (stamp >= oldest)
      break;
    if (stamp == named_)
      continue;
    const auto is_over = [&, stamp = stamp](const std::string& user) {
      const auto found = users_.find(user);
      if (found == users_.end())
        return true;
      const auto* last = at(found->second, oldest);
      return last == nullptr || last->stamp != stamp
             || (!last->joined && stamp < forget);
    };
    if (std::all_of(record.users.begin(), record.users.end(), is_over))
      out.push_back(stamp);
  }
  return out;
}

void group::drop(server_id stamp) {
  const auto found = records_.find(stamp);
  if (found == records_.end())
    return;
  for (const auto& user : found->second.users) {
    const auto facts = users_.find(user);
    if (facts == users_.end())
      continue;
    count_ -= facts->second.back().joined ? 1 : 0;
    std::erase_if(facts->second,
                  [stamp](const auto& one) { return one.stamp == stamp; });
    if (facts->second.empty())
      users_.erase(facts);
    else
      count_ += facts->second.back().joined ? 1 : 0;
  }
  records_.erase(found);
}

} // namespace vartalap::core
