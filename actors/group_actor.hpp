#pragma once

#include "actors/records_actor.hpp"
#include "core/fan_out.hpp"
#include "core/group.hpp"
#include "core/ids.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::actors {

/// One group at its home: a shell around core::group, which decides who may do
/// what, and core::fan_out, which knows how far messages are.
///
/// A message, and a change with its event, is one record in storage. Once that
/// is durable its sender is confirmed and it goes to the members as they were
/// when it got its serverId; when all of them have it the record of a message
/// is removed, that of a change marked as sent. So a crash at any time leaves
/// what is still to be sent, and the next start goes on with it.
class group_actor final : public records_actor {
public:
  static constexpr const char* kind = "group";

  using records_actor::records_actor;

  const char* name() const override {
    return kind;
  }

protected:
  void opened(std::vector<storage::stored_message> found) override;
  void take(submission item) override;
  void answer(list_pending& what) override;
  void merged(const storage::operation& what) override;
  void expired(const std::vector<core::server_id>& serverids) override;
  void go_on() override;
  core::mono_time next_due() const override;
  bool is_busy() const override {
    return !outbox_.empty() || !out_.empty();
  }
  void sent(const core::envelope& what, core::refusal code) override;

private:
  /// A record that is not yet with everybody.
  struct outgoing {
    core::envelope_ptr record;
    core::fan_out::roster to;
    std::vector<core::origin_ref> origins; ///< who waits for an answer
    core::durability reached = core::durability::disk;
    std::size_t notes = 0;  ///< lists of groups that are to hear of it first
    std::uint64_t done = 0; ///< slices
    bool storing = false;
    bool durable = false;
    bool started = false; ///< `out_` has it
  };

  std::string_view id() const noexcept {
    return core::group_of(stored_under());
  }

  void take_command(submission& item, const core::group_command& command);
  void take_message(submission& item);
  void relay(submission& item);
  bool answer_resend(submission& item, const core::dedupe_key& key,
                     std::uint64_t content_hash);
  bool make_room(std::size_t bytes);
  outgoing& keep(core::envelope_ptr record);
  void let_go(std::map<core::server_id, outgoing>::iterator at);
  void expire_oldest();
  void store(core::server_id serverid);
  void on_stored(core::server_id serverid, bool ok, unsigned copies);
  void take_in(const storage::stored_message& found);
  void confirm_all(core::server_id serverid, outgoing& what);
  void start_what_is_stored();
  void finish(core::server_id serverid, bool all_have_it);
  void forget_obsolete();
  core::fan_out::roster members_now();
  core::fan_out::roster recipients(const core::envelope& record) const;
  std::shared_ptr<core::envelope> copy_for(const core::envelope& record,
                                           std::string_view to) const;
  core::dedupe_key key_of(const core::envelope& message) const;

  core::group group_;
  core::fan_out out_;
  std::map<core::server_id, outgoing> outbox_;
  std::deque<core::server_id> unstarted_; ///< ascending
  std::size_t bytes_ = 0;                 ///< of what `outbox_` holds
  core::fan_out::roster members_;         ///< null: has changed
};

} // namespace vartalap::actors
