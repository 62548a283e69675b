#pragma once

#include "net/shard.hpp"

#include <caf/event_based_actor.hpp>

namespace vartalap::actors {

class shard_unit;

/// An actor that always runs on one shard's thread, so that it may touch what
/// belongs to that thread: sockets, timers, the shard's tables.
///
/// The scheduler knows it by `subtype()`: nothing else that CAF hands to a
/// scheduler says `unspecified` (blocking actors have threads of their own),
/// and it must not say `io_actor`, or the middleman's multiplexer would run
/// it.
class pinned_actor : public caf::event_based_actor {
public:
  pinned_actor(caf::actor_config& config, net::shard& home);

  caf::resumable::subtype_t subtype() const final {
    return caf::resumable::unspecified;
  }

  net::shard& home() const noexcept {
    return home_;
  }

private:
  net::shard& home_;
};

/// Makes an actor survive what CAF's defaults kill it for: a message that a
/// receiver did not like is counted, not answered, and ends nobody.
void harden(caf::scheduled_actor& self);

} // namespace vartalap::actors
