#include "actors/link_actor.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace vartalap::actors {

namespace {

/// Between attempts to dial; doubled up to the second, with jitter. Short:
/// where a node that returns has a link to one peer only, it waits for the
/// other.
constexpr core::milliseconds backoff_min{100};
constexpr core::milliseconds backoff_max{500};

/// For the whole of dialing and greeting.
constexpr core::milliseconds greeting_within{12'000};

/// How often written deliveries are reported where nothing else tells.
constexpr core::milliseconds tick_every{250};

/// Tokens of questions and of messages differ in this bit.
constexpr std::uint64_t question_bit = std::uint64_t{1} << 63;

std::mt19937_64& random_source() {
  static thread_local std::mt19937_64 source{std::random_device{}()};
  return source;
}

} // namespace

link_actor::link_actor(caf::actor_config& config, shard_context& context,
                       peer_transport& transport, link_settings settings)
  : pinned_actor(config, context.home), context_(context),
    transport_(transport), settings_(std::move(settings)),
    channel_(core::link_rules{}), problem_("not connected yet"),
    run_submits_(context.node.shards.size()),
    run_copies_(context.node.shards.size()),
    run_back_(context.node.shards.size()) {
  // Not from 1: an answer that an earlier process of this node waited for must
  // fit nothing that this one waits for.
  first_asked_ = random_source()() >> 2 | 1;
  last_question_ = question_bit | random_source()() >> 2;
}

link_actor::~link_actor() {
  context_.home.forget_output(*this);
}

caf::actor link_actor::me() {
  return caf::actor_cast<caf::actor>(this);
}

caf::actor link_actor::router_of(std::string_view user) const {
  return context_.node.shard_of(user).router;
}

void link_actor::log(core::log_level level, std::string_view text) {
  context_.node.log.write(level, "link",
                          settings_.name + ": " + std::string(text));
}

caf::behavior link_actor::make_behavior() {
  set_down_handler([this](caf::down_msg& down) {
    if (remote_ && down.source == remote_->address())
      lose("the peer has gone");
  });
  act_at_ = context_.home.now();
  early_until_ = act_at_ + links_within;
  rearm();
  auto session = caf::message_handler{
    [this](const std::vector<char>& blob) { on_blob(blob); },
    [this](const peer_dialed& what) { on_dialed(what); },
    [this](const peer_greets& what) { on_greeting(what); },
    [this](const tunnel_ended& what) {
      if (state_ == state::up || state_ == state::greeting)
        lose(what.why);
    },
    [this](timer_due) { on_tick(); },
    [this](const peer_moved& what) { settings_.address = what.address; },
    [this](open_link) {
      may_open_ = true;
      on_tick();
    },
    [this](const look_at_link& what) { what.answer(figures()); },
    [this](const end_cluster& what) { end(what); },
  };
  return session.or_else(asking_behavior()).or_else(serving_behavior());
}

void link_actor::dial() {
  state_ = state::dialing;
  act_at_ = context_.home.now() + greeting_within;
  transport_.connect(
    settings_.name, settings_.address,
    [self = me()](caf::strong_actor_ptr gate, std::string problem) {
      caf::anon_send(self, peer_dialed{std::move(gate), std::move(problem)});
    });
}

void link_actor::on_dialed(const peer_dialed& what) {
  if (state_ != state::dialing || ending_)
    return;
  if (!what.gate)
    return lose(what.problem);
  state_ = state::greeting;
  do
    session_ = random_source()();
  while (session_ == 0);
  send_hello(what.gate, session_, {});
}

void link_actor::send_hello(const caf::strong_actor_ptr& to,
                            std::uint64_t session, std::string refusal) {
  auto hello = settings_.hello;
  hello.session = session;
  hello.clock = context_.node.clock.read(context_.now().wall);
  hello.commits = context_.node.store.who().commits;
  hello.refusal = std::move(refusal);
  post(to, net::encode_hello(hello));
}

std::string link_actor::objection(const net::peer::hello& other) const {
  const auto& own = settings_.hello;
  if (other.version_min > own.version_max
      || other.version_max < own.version_min)
    return "another version of the links' protocol: run the same release on "
           "all nodes, or the two neighbouring ones";
  if (other.cluster != own.cluster)
    return "another cluster, named \"" + other.cluster + "\": see cluster.name";
  if (other.name != settings_.name)
    return "it calls itself " + other.name;
  if (other.node_uuid == own.node_uuid)
    return "the same node uuid: its data folder is a copy of ours; empty one "
           "of them";
  if (other.members_hash != own.members_hash)
    return "another member list: give all nodes the same cluster.toml";
  if (other.rules_hash != own.rules_hash)
    return "another [replication]: give all nodes the same cluster.toml";
  return {};
}

void link_actor::on_greeting(const peer_greets& what) {
  if (!what.from)
    return;
  // An answer, so that the peer tries again soon.
  if (ending_ || !may_open_)
    return send_hello(what.from, what.hello.session,
                      "it is just leaving or taking another member list");
  auto why = objection(what.hello);
  if (why.empty() && settings_.dials)
    why = "it is ours to dial";
  if (!why.empty()) {
    if (problem_ != why)
      log(core::log_level::error, "refused: " + why);
    problem_ = why;
    return send_hello(what.from, what.hello.session, why);
  }
  if (state_ == state::up)
    lose("the peer has started anew");
  send_hello(what.from, what.hello.session, {});
  open(what.hello, what.from);
}

void link_actor::on_hello(const net::peer::hello& answer,
                          caf::strong_actor_ptr from) {
  if (state_ != state::greeting || answer.session != session_)
    return;
  if (!answer.refusal.empty()) {
    const auto why = "the peer refuses: " + answer.refusal;
    if (problem_ != why)
      log(core::log_level::error, why);
    return lose(why);
  }
  if (const auto why = objection(answer); !why.empty()) {
    log(core::log_level::error, why);
    return lose(why);
  }
  open(answer, std::move(from));
}

void link_actor::open(const net::peer::hello& other,
                      caf::strong_actor_ptr from) {
  state_ = state::up;
  session_ = other.session;
  remote_ = std::move(from);
  monitor(caf::actor_cast<caf::actor_addr>(remote_));
  channel_.open(session_, context_.home.now());
  clock_is_wrong_ = false;
  hear_clock(other.clock);
  // Tickets are the peer's of this session: after a restart it numbers anew.
  copies_done_ = std::make_shared<const std::function<void(
    std::vector<std::uint64_t>, std::vector<std::uint64_t>)>>(
    [self = me(), session = session_](std::vector<std::uint64_t> stored,
                                      std::vector<std::uint64_t> failed) {
      tell(self,
           tell_peer{net::peer::stored{std::move(stored), std::move(failed)},
                     session});
    });
  backoff_ = {};
  problem_.clear();
  ++sessions_;
  log(core::log_level::info, "link up");
  tell(context_.node.cluster, link_is_up{settings_.peer, other, session_});
  send_early();
  flush_soon();
  rearm();
}

void link_actor::on_blob(const std::vector<char>& blob) {
  if (const auto hello = net::decode_hello({blob.data(), blob.size()}))
    return on_hello(*hello, current_sender());
  if (state_ != state::up || current_sender() != remote_)
    return;
  std::vector<std::string_view> items;
  switch (channel_.receive(blob, context_.home.now(), items)) {
    case core::link_channel::verdict::ok:
      hear_clock(channel_.peer_clock());
      break;
    case core::link_channel::verdict::stale:
      return;
    case core::link_channel::verdict::broken:
      return lose("a damaged or missing blob");
  }
  for (const auto item : items) {
    auto message = net::decode_peer(item);
    if (!message)
      return lose("something that this version does not understand");
    std::visit([this](auto& one) { heard(one); }, *message);
  }
  hand_over_run();
  flush_soon();
}

void link_actor::hear_clock(std::uint64_t time) {
  const auto wall = context_.now().wall;
  if (context_.node.clock.hear(time, wall))
    return;
  if (!std::exchange(clock_is_wrong_, true))
    log(core::log_level::error,
        "its clock is " + std::to_string(((time >> 16) - wall) / 1000)
          + " s ahead of ours and is not followed: set the wrong one of the "
            "two right");
}

bool link_actor::say(const net::peer_message& what) {
  if (state_ != state::up)
    return false;
  net::encode_peer(what, encoded_);
  if (!channel_.add(encoded_)) {
    lose("the peer does not keep up");
    return false;
  }
  flush_soon();
  return true;
}

void link_actor::post(const caf::strong_actor_ptr& to, std::vector<char> blob) {
  to->enqueue(caf::strong_actor_ptr{ctrl()}, caf::make_message_id(),
              caf::make_message(std::move(blob)), shard_unit::current());
}

void link_actor::flush_soon() {
  if (!std::exchange(flush_due_, true))
    home().flush_at_end(*this);
}

void link_actor::flush() {
  flush_due_ = false;
  pump();
}

void link_actor::pump() {
  if (state_ != state::up)
    return;
  const auto now = net::shard::clock();
  if (channel_.is_dead(now))
    return lose("silent for too long");
  const auto clock = context_.node.clock.read(context_.now().wall);
  std::vector<char> blob;
  while (channel_.next(now, clock, blob))
    post(remote_, std::exchange(blob, {}));
  context_.home.flush_by(*this, channel_.next_deadline());
}

void link_actor::lose(std::string_view why) {
  const auto was_up = state_ == state::up;
  if (was_up)
    log(core::log_level::warning, "link down: " + std::string(why));
  problem_ = why;
  state_ = state::down;
  channel_.close();
  if (remote_)
    demonitor(caf::actor_cast<caf::actor_addr>(remote_));
  remote_ = nullptr;
  transport_.drop(settings_.name);
  if (was_up) {
    // The routers first: what they get back is older than what they send on
    // once the view has changed.
    give_back_all();
    detach_all();
    tell(context_.node.cluster, link_is_down{settings_.peer});
  }
  backoff_ = std::clamp(backoff_ * 2, backoff_min, backoff_max);
  const auto jitter = static_cast<std::int64_t>(
    random_source()() % static_cast<std::uint64_t>(backoff_.count() + 1));
  act_at_ = context_.home.now() + backoff_ / 2 + core::milliseconds{jitter / 2};
  rearm();
}

void link_actor::end(const end_cluster& what) {
  ending_ = true;
  if (state_ == state::up)
    lose(what.is_replaced ? "the member list has changed"
                          : "this node is ending");
  state_ = state::down;
  context_.home.timers().cancel(*this);
  // Cuts the cycle through the closure.
  copies_done_.reset();
  early_.clear();
  if (!what.is_replaced)
    quit();
  if (what.ended)
    what.ended();
}

void link_actor::rearm() {
  if (ending_)
    return;
  const auto now = context_.home.now();
  auto next = now + tick_every;
  if (state_ != state::up && settings_.dials && may_open_)
    next = std::min(next, act_at_);
  context_.home.timers().arm(*this, std::max(next, now));
}

void link_actor::on_timer(core::mono_time) {
  tell(me(), timer_due{});
}

void link_actor::on_tick() {
  if (ending_)
    return;
  const auto now = context_.home.now();
  if (state_ == state::up) {
    report_written();
  } else if (settings_.dials && may_open_ && now >= act_at_) {
    if (state_ == state::down)
      dial();
    else
      return lose("it took too long to get an answer");
  }
  rearm();
}

look_at_link::figures link_actor::figures() const {
  look_at_link::figures out;
  out.peer = settings_.peer;
  out.up = state_ == state::up;
  out.problem = problem_;
  out.channel = channel_.look();
  out.sessions = sessions_;
  out.given_back = given_back_;
  out.unanswered = asked_.size();
  out.connections_here = here_.size();
  out.connections_there = there_.size();
  return out;
}

} // namespace vartalap::actors
