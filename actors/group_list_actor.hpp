#pragma once

#include "actors/records_actor.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::actors {

/// The groups that a user is in, for GET /groups/: told by the groups, one
/// record each. Only a hint: who is a member the group alone decides.
class group_list_actor final : public records_actor {
public:
  static constexpr const char* kind = "groups";

  using records_actor::records_actor;

  const char* name() const override {
    return kind;
  }

  /// What a group tells: `user` has joined it or left it by the change that
  /// has this stamp.
  static std::shared_ptr<core::envelope>
  note(std::string_view user, std::string_view group, core::server_id stamp,
       bool joined);

protected:
  void opened(std::vector<storage::stored_message> found) override;
  void take(submission item) override;
  void answer(list_pending& what) override;
  void merged(const storage::operation& what) override;
  void expired(const std::vector<core::server_id>& serverids) override;
  void go_on() override {
  }
  core::mono_time next_due() const override {
    return core::mono_time::max();
  }
  bool is_busy() const override {
    return false;
  }
  void sent(const core::envelope&, core::refusal) override {
  }

private:
  struct record {
    std::string user;
    std::string group;
    core::server_id stamp; ///< of the group's change
  };
  void add(const core::envelope& kept);

  std::map<core::server_id, record> records_;
};

} // namespace vartalap::actors
