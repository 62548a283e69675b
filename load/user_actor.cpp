#include "load/user_actor.hpp"

#include "load/messages.hpp"
#include "load/pacer.hpp"

#include <algorithm>
#include <cmath>

namespace vartalap::load {

namespace {

constexpr core::milliseconds outbox_look{1000};

/// How long a crash waits for a delivery that it may leave unacknowledged.
constexpr core::milliseconds crash_wait{1000};

constexpr core::milliseconds away_mean{500};
constexpr core::milliseconds pause_mean{2000};
constexpr core::milliseconds pause_max{4000};
constexpr core::milliseconds reading_mean{2000};

/// Waits between attempts where a restart is expected: find it back soon.
constexpr core::milliseconds restart_backoff_max{1000};
constexpr core::milliseconds backoff_max{30'000};

/// Connections leave from 127.0.0.2 upwards: 127.0.0.1 stays for others.
std::string source_address(std::uint64_t n) {
  const auto host = n + 2;
  return "127.0." + std::to_string(host / 250 % 250) + "."
         + std::to_string(host % 250 + 1);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.");
}

} // namespace

user_actor::user_actor(caf::actor_config& config, net::shard& home,
                       user_environment& environment, std::uint32_t user,
                       std::uint32_t device)
  : pinned_actor(config, home), environment_(environment),
    core_(environment.client, user, device),
    reconnect_(environment.options.expect_restarts ? restart_backoff_max
                                                   : backoff_max),
    random_(static_cast<std::minstd_rand::result_type>(
      (environment.seed ^ (user * 2654435761U + device)) % 2147483646U + 1)),
    reconnect_alarm_(*this, &user_actor::connect),
    outbox_alarm_(*this, &user_actor::look_at_outbox),
    misbehave_alarm_(*this, &user_actor::misbehave_now),
    move_alarm_(*this, &user_actor::move_on),
    node_((std::size_t{user} + device) % environment.options.urls.size()) {
  if (environment.plan.pauses(user))
    core_.mark_slow();
}

caf::behavior user_actor::make_behavior() {
  return {
    [this](go_online) {
      wanted_ = true;
      if (state_ == state::away || state_ == state::waiting) {
        down_since_ = home().now();
        connect();
      }
    },
    [this](go_offline) {
      wanted_ = false;
      unserved_since_us_ = 0;
      leave_politely();
    },
    [this](const message_due& due) {
      const auto to
        = environment_.plan.recipient(core_.user(), core_.submitted());
      core_.submit(to, due.scheduled_us, clock_us(), *this);
      watch_outbox();
    },
    [this](const keep_inflight& wish) {
      inflight_ = wish.inflight;
      quota_ = wish.quota;
      refill();
    },
    [this](const misbehave& wish) { set_misbehaving(wish.on); },
    [this](crash_now) {
      if (crashing_)
        vanish(random_() % 2 == 0);
    },
  };
}

void user_actor::on_exit() {
  if (unserved_since_us_ != 0)
    environment_.client.stats.unserved.record(clock_us() - unserved_since_us_);
  if (socket_)
    socket_->abort(false);
  socket_.reset();
  for (auto* which :
       {&reconnect_alarm_, &outbox_alarm_, &misbehave_alarm_, &move_alarm_})
    home().timers().cancel(*which);
}

void user_actor::write(std::string_view frame) {
  if (socket_)
    socket_->send(frame, false);
}

void user_actor::arm(alarm& which, core::milliseconds after) {
  home().timers().arm(which, home().now() + after);
}

core::milliseconds user_actor::about(core::milliseconds mean) {
  // Exponential: events of many users do not march in step.
  const auto x = (static_cast<double>(random_()) + 1.0) / 2147483649.0;
  const auto ms = -std::log(x) * static_cast<double>(mean.count());
  return core::milliseconds{static_cast<core::milliseconds::rep>(ms)};
}

void user_actor::connect() {
  if (!wanted_ || state_ == state::online || state_ == state::connecting)
    return;
  home().timers().cancel(reconnect_alarm_);
  const auto& options = environment_.options;
  const auto number = std::uint64_t{core_.user()} * options.devices
                      + core_.device();
  target_url url;
  parse_url(options.urls[node_], url);
  net::ws_client_options to;
  to.address = url.host;
  to.port = url.port;
  if (options.source_addresses > 0 && is_loopback(url.host))
    to.source = source_address(number % options.source_addresses);
  to.target = (url.path.size() > 1 ? url.path : "/v1.0/wss/")
              + "?user=" + payload_maker::user_name(core_.user()) + "&device=d"
              + std::to_string(core_.device())
              + (options.ack ? "&ack=true" : "&ack=false");
  to.subprotocol = "vartalap.msgpack";
  state_ = state::connecting;
  std::string problem;
  socket_ = net::ws_client::connect(home(), to, *this, problem);
  if (!socket_)
    on_failed(0, problem);
}

void user_actor::on_open() {
  state_ = state::online;
  auto& stats = environment_.client.stats;
  count(stats.online);
  if (opened_before_)
    ++stats.reconnects;
  opened_before_ = true;
  reconnect_.opened();
  core_.on_open(clock_us(), *this);
  note_service();
  refill();
  watch_outbox();
  if (misbehaving_)
    set_misbehaving(true);
}

void user_actor::on_frame(std::string_view payload, bool) {
  core_.on_frame(payload, clock_us());
}

void user_actor::on_run_end() {
  if (crashing_ && core_.withheld() > 0) {
    send(this, crash_now{});
    return;
  }
  note_service();
  core_.write_acks(*this);
  refill();
}

void user_actor::note_service() {
  if (unserved_since_us_ == 0 || !core_.is_served())
    return;
  environment_.client.stats.unserved.record(clock_us() - unserved_since_us_);
  unserved_since_us_ = 0;
}

void user_actor::refill() {
  if (inflight_ == 0)
    return;
  while (core_.unconfirmed() < inflight_
         && (quota_ == 0 || core_.submitted() < quota_)) {
    const auto now = clock_us();
    core_.submit(environment_.plan.recipient(core_.user(), core_.submitted()),
                 now, now, *this);
  }
  watch_outbox();
}

void user_actor::watch_outbox() {
  if (core_.unconfirmed() > 0 && !outbox_alarm_.armed())
    arm(outbox_alarm_, outbox_look);
}

void user_actor::look_at_outbox() {
  core_.resend_due(clock_us(), *this);
  watch_outbox();
}

void user_actor::dropped() {
  if (state_ == state::online) {
    auto& online = environment_.client.stats.online;
    online.store(online.load(std::memory_order_relaxed) - 1,
                 std::memory_order_relaxed);
    core_.on_closed();
    down_since_ = home().now();
  }
  socket_.reset();
  paused_ = false;
  crashing_ = false;
  moving_ = false;
  state_ = state::away;
}

void user_actor::choose_next_node() {
  node_ = (node_ + 1) % environment_.options.urls.size();
}

void user_actor::choose_other_node() {
  const auto nodes = environment_.options.urls.size();
  if (nodes > 1)
    node_ = (node_ + 1 + random_() % (nodes - 1)) % nodes;
}

void user_actor::on_closed(unsigned code, std::string_view reason) {
  auto& stats = environment_.client.stats;
  ++stats.closes[code];
  std::optional<core::milliseconds> wait;
  if (moving_ && (code == 0 || code == 1000)) {
    choose_other_node();
    wait = core::milliseconds{0};
  } else if (code == 1000) {
    wait = misbehaving_ ? about(away_mean) : core::milliseconds{0};
  } else {
    // Another node can have the user at once; the only one is down.
    const bool elsewhere = code == 0 && environment_.options.urls.size() > 1;
    wait = elsewhere ? core::milliseconds{0}
                     : reconnect_.after_close(code, reason, random_());
    choose_next_node();
    if (unserved_since_us_ == 0)
      unserved_since_us_ = clock_us();
  }
  dropped();
  if (wanted_)
    come_back(wait);
}

void user_actor::on_failed(unsigned http_status, std::string_view text) {
  auto& stats = environment_.client.stats;
  count(stats.connect_failures);
  ++stats.failures[std::string(text)];
  const auto wait = reconnect_.after_failure(http_status, random_());
  choose_next_node();
  if (opened_before_ && unserved_since_us_ == 0)
    unserved_since_us_ = clock_us();
  dropped();
  if (wanted_)
    come_back(wait);
}

void user_actor::come_back(std::optional<core::milliseconds> wait) {
  const auto down = home().now() - down_since_;
  if (!wait || down > environment_.options.give_up) {
    count(environment_.client.stats.gave_up);
    wanted_ = false;
    return;
  }
  state_ = state::waiting;
  arm(reconnect_alarm_, *wait);
}

void user_actor::leave_politely() {
  home().timers().cancel(reconnect_alarm_);
  if (state_ == state::online) {
    if (paused_)
      socket_->resume_reading();
    core_.write_acks(*this);
    socket_->close(1000, {});
  } else {
    vanish(false);
  }
}

void user_actor::vanish(bool reset) {
  if (socket_)
    socket_->abort(reset);
  dropped();
  if (wanted_)
    come_back(about(away_mean));
}

void user_actor::set_misbehaving(bool on) {
  const auto& plan = environment_.plan;
  misbehaving_ = on;
  home().timers().cancel(misbehave_alarm_);
  if (!on)
    home().timers().cancel(move_alarm_);
  else if (!move_alarm_.armed())
    arm_move();
  if (on && plan.churns(core_.user())) {
    arm(misbehave_alarm_, about(environment_.options.churn_every));
  } else if (on && plan.pauses(core_.user())) {
    arm(misbehave_alarm_, about(reading_mean));
  } else if (!on) {
    if (crashing_)
      vanish(false);
    if (paused_ && socket_)
      socket_->resume_reading();
    paused_ = false;
  }
}

void user_actor::misbehave_now() {
  if (state_ != state::online)
    return; // Goes on when it is back.
  if (environment_.plan.churns(core_.user()))
    return churn_once();
  if (paused_) {
    paused_ = false;
    socket_->resume_reading();
    arm(misbehave_alarm_, about(reading_mean));
  } else {
    paused_ = true;
    core_.write_acks(*this);
    socket_->pause_reading();
    arm(misbehave_alarm_, std::min(about(pause_mean), pause_max));
  }
}

void user_actor::arm_move() {
  const auto& range = environment_.options.move;
  if (range.most.count() == 0)
    return;
  const auto span
    = static_cast<std::uint64_t>((range.most - range.least).count());
  arm(move_alarm_, range.least
                     + core::milliseconds{static_cast<core::milliseconds::rep>(
                       random_() % (span + 1))});
}

void user_actor::move_on() {
  arm_move();
  if (state_ != state::online || crashing_ || moving_)
    return;
  ++environment_.client.stats.moves;
  unserved_since_us_ = clock_us();
  // A phone may say good-bye to its old network or just lose it.
  if (random_() % 2 == 0) {
    moving_ = true;
    return leave_politely();
  }
  socket_->abort(false);
  dropped();
  choose_other_node();
  come_back(core::milliseconds{0});
}

void user_actor::churn_once() {
  if (crashing_)
    return vanish(true); // Nothing came that it could leave unacknowledged.
  switch (random_() % 5) {
    case 0:
    case 1:
      return leave_politely();
    case 2:
      return vanish(true);
    case 3:
      return vanish(false);
    default:
      crashing_ = true;
      core_.die_before_ack(random_() % 2 == 0);
      arm(misbehave_alarm_, crash_wait);
  }
}

} // namespace vartalap::load
