#pragma once

#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vartalap::core {

/// Most members of a group.
inline constexpr std::size_t group_members_max = 10'000;

/// Under which name a group's records are stored, and messages to it routed.
/// No user can have such a name: it begins with a control character.
/// @pre is_group_id(id)
std::string group_mailbox(std::string_view id);

/// The same of the list of groups that a user is in.
std::string groups_of_user(std::string_view user);

/// Whether `text` may be the id of a group: a UUID in lower case.
bool is_group_id(std::string_view text) noexcept;

/// Whether nobody but a group, or a list of groups, is stored under `name`.
constexpr bool is_internal_name(std::string_view name) noexcept {
  return !name.empty() && name[0] == '\x01';
}
constexpr bool is_group_mailbox(std::string_view name) noexcept {
  return name.size() > 2 && name[0] == '\x01' && name[1] == 'g';
}
/// @pre is_group_mailbox(name)
constexpr std::string_view group_of(std::string_view name) noexcept {
  return name.substr(2);
}

/// In place of a device: what a group has brought to everybody is
/// acknowledged by this name, the slices of `fan_out` by `slice_mark` before.
inline constexpr std::string_view sent_to_all = "all";
std::string slice_mark(unsigned slice);
/// @returns The slices that are done, a bit for each.
std::uint64_t slices_of(const std::vector<std::string>& acked);

enum class group_role : std::uint8_t { user, admin };

struct group_member {
  std::string user;
  group_role role = group_role::user;

  friend bool operator==(const group_member&, const group_member&) = default;
};

/// What a caller wants of a group. Travels as an envelope of type
/// `group_command` whose meta says it.
struct group_command {
  enum class action : std::uint8_t { create, add, remove } what = action::add;
  std::string by;
  std::vector<std::string> users; ///< of `create`, without the caller
  std::string name{};             ///< of `create`
  std::optional<std::string> picture{};
};

void write_command(const group_command& command, envelope& out);

/// @returns Nothing where it is none.
std::optional<group_command> read_command(const envelope& from);

/// One record of a group: who joined and who left by it, in order. `stamp`
/// is the record's serverId: of what two records say of one user the later
/// counts, and of one stamp leaving wins. So a group is a set of records, and
/// two nodes' sets merge by union.
struct group_change {
  server_id stamp;
  std::vector<group_member> joined;
  std::vector<std::string> left;
  bool creates = false;
  std::string name{}; ///< where it creates
  std::optional<std::string> picture{};
};

/// Into and out of the meta of a `group_record`.
void write_change(const group_change& change, envelope& out);
std::optional<group_change> read_change(const envelope& from);

/// Members, roles and rules of one group, made of its records. Pure; belongs
/// to its home's shard.
class group {
public:
  /// Takes a record in; whatever the order, and also twice.
  void apply(const group_change& change);

  /// A record that names it is known, and somebody is in it.
  bool exists() const noexcept {
    return created_ && member_count() != 0;
  }
  std::size_t member_count() const noexcept {
    return count_;
  }
  const std::string& name() const noexcept {
    return name_;
  }
  const std::optional<std::string>& picture() const noexcept {
    return picture_;
  }
  bool is_member(std::string_view user) const;

  /// In the order in which they joined. Where no admin is left the first of
  /// them is one.
  std::vector<group_member> members() const;

  /// Who was a member when this serverId was given out.
  std::vector<std::string> members_at(server_id when) const;

  /// What `command` comes to.
  struct decision {
    refusal refused = refusal::none; ///< nothing is to change
    group_change change;             ///< its stamp is the caller's to set
    bool nothing = false;            ///< allowed, and so already
  };
  decision decide(const group_command& command) const;

  /// Records that say nothing any more for serverIds from `oldest` on: each
  /// thing that they say was said otherwise later. Those stamped before
  /// `forget` lose also what they say about who left.
  std::vector<server_id> obsolete(server_id oldest, server_id forget) const;

  /// Forgets a record that was obsolete.
  void drop(server_id stamp);

private:
  struct saying {
    server_id stamp;
    std::uint32_t place = 0; ///< in its record
    bool joined = false;
    group_role role = group_role::user;
  };
  struct kept_record {
    std::vector<std::string> users;
    bool creates = false;
  };

  const saying* now(std::string_view user) const;
  static const saying* at(const std::vector<saying>& facts, server_id when);
  void say(const std::string& user, const saying& what);

  std::unordered_map<std::string, std::vector<saying>> users_; ///< ascending
  std::map<server_id, kept_record> records_;
  std::string name_;
  std::optional<std::string> picture_;
  server_id named_; ///< the record that `name_` comes from
  bool created_ = false;
  std::size_t count_ = 0;
};

} // namespace vartalap::core
