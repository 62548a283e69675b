#pragma once

#include "actors/messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/shard_context.hpp"
#include "core/units.hpp"
#include "net/timer_wheel.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vartalap::actors {

/// Whoever keeps records under a name that no user has (core/group.hpp): a
/// group, or a user's list of groups. To its router it is what a delivery is:
/// started where it is needed, told to leave where its home moves, retired
/// where nothing happens. Records lie in storage as messages do, so they are
/// copied, merged and handed over as those are.
///
///   opening --records_loaded--> open --idle, then retire--> ended
class records_actor : public pinned_actor, protected net::timer_node {
public:
  records_actor(caf::actor_config& config, shard_context& context,
                std::string name, std::uint64_t owner);
  ~records_actor() override;

protected:
  caf::behavior make_behavior() final;

  /// Everything that is stored, ascending by serverId. Once, before the rest.
  virtual void opened(std::vector<storage::stored_message> found) = 0;
  /// What is sent to this name.
  virtual void take(submission item) = 0;
  /// `what.device` asks.
  virtual void answer(list_pending& what) = 0;
  /// Another node's operation, which storage has carried out.
  virtual void merged(const storage::operation& what) = 0;
  /// Storage's sweep has removed these.
  virtual void expired(const std::vector<core::server_id>& serverids) = 0;
  /// Time has come to `next_due`, or it may go on.
  virtual void go_on() = 0;
  virtual core::mono_time next_due() const = 0;
  /// It has something to do without being asked.
  virtual bool is_busy() const = 0;
  /// What became of what this actor has sent; `none`: it was taken.
  virtual void sent(const core::envelope& what, core::refusal code) = 0;

  const std::string& stored_under() const noexcept {
    return name_;
  }

  using stored = std::function<void(bool ok, unsigned copies)>;
  /// Stores a record; `then` runs once, after this function.
  void put(core::envelope_ptr record, stored then);
  /// Nobody waits for it.
  void change(storage::operation what);

  void confirm(const core::origin_ref& to, const core::envelope_ptr& what,
               core::server_id serverid, core::durability reached);
  void refuse(const submission& item, core::refusal code);

  /// Its home is elsewhere, or the node ends: nothing new is begun.
  bool is_ending() const noexcept {
    return ending_;
  }

  shard_context& context_;

private:
  void begin_loading();
  void load();
  void on_loaded(records_loaded& what);
  void on_storage(const storage_done& finished);
  void after();
  void look_idle();
  bool is_idle() const;
  template <class F>
  void when_open(F&& event);
  void on_timer(core::mono_time now) override;

  std::string name_;
  std::uint64_t owner_;
  std::unique_ptr<std::vector<std::function<void()>>> waiting_;
  std::unordered_map<core::server_id, stored> puts_;
  std::size_t operations_ = 0;
  std::uint64_t handled_ = 0; ///< messages from the router
  core::mono_time idle_since_ = core::mono_time::max();
  bool ending_ = false;
  bool behind_copies_ = false;
};

/// Starts who keeps the records under `name`; called by its router.
/// @pre core::is_internal_name(name)
caf::actor start_records(caf::scheduled_actor& parent, shard_context& context,
                         std::string name);

} // namespace vartalap::actors
