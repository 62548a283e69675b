#include "load/swarm_actor.hpp"

#include "load/messages.hpp"

#include <algorithm>
#include <cmath>

namespace vartalap::load {

swarm_actor::swarm_actor(caf::actor_config& config, net::shard& home,
                         user_environment& environment, std::uint32_t shards)
  : pinned_actor(config, home), environment_(environment), shards_(shards),
    connecting_(home), sending_(home) {
}

caf::behavior swarm_actor::make_behavior() {
  const auto& options = environment_.options;
  const auto devices = std::uint64_t{options.users} * options.devices;
  for (std::uint64_t i = home().index(); i < devices; i += shards_) {
    member one;
    one.user = static_cast<std::uint32_t>(i / options.devices);
    const auto device = static_cast<std::uint32_t>(i % options.devices);
    one.sends = device == 0 && environment_.plan.sends(one.user);
    one.device = spawn<user_actor>(home(), environment_, one.user, device);
    if (one.sends)
      senders_.push_back(members_.size());
    members_.push_back(std::move(one));
  }
  return {
    [this](load::connect_everybody) { connect_everybody(); },
    [this](load::send_away) { send_away(); },
    [this](const load::start_traffic& order) { start_traffic(order.begin_us); },
    [this](load::stop_traffic) { stop_traffic(); },
  };
}

void swarm_actor::on_exit() {
  connecting_.stop();
  sending_.stop();
  for (auto& one : members_)
    caf::anon_send_exit(one.device, caf::exit_reason::user_shutdown);
  members_.clear();
}

double swarm_actor::share(double total) const noexcept {
  const auto all = environment_.plan.senders();
  return total * static_cast<double>(senders_.size())
         / static_cast<double>(std::max(all, 1U));
}

void swarm_actor::connect_everybody() {
  if (members_.empty())
    return;
  connecting_.start(clock_us(), environment_.options.connect_rate / shards_,
                    members_.size(), [this](std::uint64_t n, std::uint64_t) {
                      caf::anon_send(members_[n].device, go_online{});
                    });
}

void swarm_actor::send_away() {
  for (auto& one : members_)
    if (environment_.plan.is_away(one.user))
      caf::anon_send(one.device, go_offline{});
}

void swarm_actor::start_traffic(std::uint64_t begin_us) {
  const auto& options = environment_.options;
  for (auto& one : members_)
    caf::anon_send(one.device, misbehave{true});
  if (senders_.empty())
    return;
  const auto total = static_cast<double>(options.messages);
  if (options.rate > 0) {
    // Each user has a turn in each round, so a user's messages are spread as
    // evenly as all.
    sending_.start(
      begin_us, share(options.rate),
      static_cast<std::uint64_t>(std::ceil(share(total))),
      [this](std::uint64_t n, std::uint64_t at) {
        const auto now = clock_us();
        environment_.client.stats.lateness.record(now > at ? now - at : 0);
        caf::anon_send(members_[senders_[n % senders_.size()]].device,
                       message_due{at});
      });
    return;
  }
  const keep_inflight wish{std::max(options.inflight, 1U),
                           options.messages == 0
                             ? 0
                             : static_cast<std::uint64_t>(
                               std::ceil(total / environment_.plan.senders()))};
  for (const auto i : senders_)
    caf::anon_send(members_[i].device, wish);
}

void swarm_actor::stop_traffic() {
  sending_.stop();
  for (auto& one : members_) {
    if (one.sends)
      caf::anon_send(one.device, keep_inflight{});
    caf::anon_send(one.device, misbehave{false});
  }
}

} // namespace vartalap::load
