// What a delivery does so that its user is woken.

#include "actors/delivery_actor.hpp"

#include <utility>

namespace vartalap::actors {

void delivery_actor::raise_event(const core::effect::notify_offline& what) {
  auto& node = context_.node;
  core::push_record record;
  if (node.options.push.is_used()) {
    // Above every number of this node so far, across restarts.
    const auto now = context_.now().wall;
    record.episode = context_.ids.next(now).high;
    record.raised = now;
    // Concerns this disk alone; other nodes have the event, not its progress.
    context_.store_here(
      0, storage::op::note_push{mailbox_.user(), record, true, what.stored});
  }
  tell(node.notifier,
       user_offline{mailbox_.user(), what.pending, record.episode});
}

void delivery_actor::on_push(look_for_push& what) {
  what.answer(true, mailbox_.look_for_push(what.all));
  rearm();
}

void delivery_actor::on_push(const drop_push_target& what) {
  mailbox_.drop_push_target(what.device, what.token, context_.now(),
                            context_.effects);
  carry_out();
}

void delivery_actor::on_change(change_device& what) {
  const auto now = context_.now();
  auto& out = context_.effects;
  if (what.remove)
    mailbox_.remove_device(what.device, now, out);
  else if (what.push)
    mailbox_.set_push_target(what.device, what.push->platform,
                             std::move(what.push->token), now, out);
  else
    mailbox_.add_device(what.device, now, out);
  carry_out();
}

} // namespace vartalap::actors
