#pragma once

#include <caf/meta/type_name.hpp>

#include <cstdint>

namespace vartalap::load {

// All of them stay within the process; none has a wire form of its own.

/// swarm → user: connect, and stay connected.
struct go_online {};

/// swarm → user: disconnect politely, and stay away.
struct go_offline {};

/// swarm → user: one message is due (open loop). µs of the monotonic clock.
struct message_due {
  std::uint64_t scheduled_us = 0;
};

/// swarm → user: keep so many messages unconfirmed (closed loop), at most
/// `quota` in all; 0 unconfirmed stops.
struct keep_inflight {
  std::uint32_t inflight = 0;
  std::uint64_t quota = 0;
};

/// swarm → user: begin or end to misbehave as the plan says.
struct misbehave {
  bool on = false;
};

/// user → itself: the connection dies, as soon as its handlers have returned.
struct crash_now {};

/// conductor → swarm: bring everybody online, at the connect rate.
struct connect_everybody {};

/// conductor → swarm: those who are away in this scenario leave.
struct send_away {};

/// conductor → swarm: begin to send. µs of the monotonic clock.
struct start_traffic {
  std::uint64_t begin_us = 0;
};

/// conductor → swarm: send nothing new; who misbehaves stops that, who is
/// away comes back.
struct stop_traffic {};

/// main → conductor: begin.
struct begin_run {};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, go_online&) {
  return f(caf::meta::type_name("go_online"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, go_offline&) {
  return f(caf::meta::type_name("go_offline"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, message_due& x) {
  return f(caf::meta::type_name("message_due"), x.scheduled_us);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, keep_inflight& x) {
  return f(caf::meta::type_name("keep_inflight"), x.inflight, x.quota);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, misbehave& x) {
  return f(caf::meta::type_name("misbehave"), x.on);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, crash_now&) {
  return f(caf::meta::type_name("crash_now"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, connect_everybody&) {
  return f(caf::meta::type_name("connect_everybody"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, send_away&) {
  return f(caf::meta::type_name("send_away"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, start_traffic& x) {
  return f(caf::meta::type_name("start_traffic"), x.begin_us);
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, stop_traffic&) {
  return f(caf::meta::type_name("stop_traffic"));
}
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, begin_run&) {
  return f(caf::meta::type_name("begin_run"));
}

} // namespace vartalap::load
