#include "actors/connection_actor.hpp"

#include "actors/refusals.hpp"
#include "core/group.hpp"
#include "net/codec.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace vartalap::actors {

struct connection_actor::outgoing {
  std::vector<submit> by_shard;
  acknowledge acks;
  bool any_submit = false;

  bool any_ack() const {
    return !acks.serverids.empty() || !acks.in_flight.empty()
           || !acks.named.empty();
  }
};

connection_actor::connection_actor(caf::actor_config& config,
                                   shard_context& context,
                                   std::shared_ptr<net::session> session,
                                   net::client_info client)
  : pinned_actor(config, context.home), context_(context),
    session_(std::move(session)), client_(std::move(client)),
    attachment_(std::make_shared<attachment>()),
    rate_(context.node.rates.of(client_.user, context.home.now())) {
  attachment_->id = ++context_.node.last_attachment;
  attachment_->user = client_.user;
  attachment_->device = client_.device;
  attachment_->came_by.opened = context_.ids.next(context_.now().wall).high;
}

connection_actor::~connection_actor() = default;

void connection_actor::opened(const caf::actor& self) {
  self_ = self;
  attachment_->connection = self;
  context_.connections.emplace(attachment_->id, self);
  session_->set_events(this);
  watch_ = credential_watch::begin(context_, session_, client_);
  tell(context_.node.shard_of(client_.user).router, attach_device{attachment_});
}

caf::behavior connection_actor::make_behavior() {
  return {
    [this](deliver_batch& batch) { on_deliveries(batch); },
    [this](confirm_batch& batch) { on_confirms(batch); },
    [this](refuse_batch& batch) { on_refusals(batch); },
    [this](resends_merged what) { answered(what.count); },
    [this](attached& to) { on_attached(to); },
    [this](const deliver_gap& gap) {
      if (!session_)
        return;
      context_.encoded.clear();
      net::encode_gap(client_.encoding, client_.user, gap.count,
                      context_.encoded);
      session_->send(context_.encoded, net::is_text(client_.encoding));
    },
    [this](close_connection how) { on_close(how); },
    [this](going_away how) {
      if (session_)
        session_->close(net::close_code::going_away, "server going away",
                        how.retry_after_ms);
    },
  };
}

void connection_actor::on_attached(attached& to) {
  delivery_ = std::move(to.delivery);
  if (!delivery_ || !attachment_)
    return;
  // Another mailbox counts its deliveries anew, and delivers anew what an
  // earlier one has left here for the socket.
  last_ordinal_ = 0;
  attachment_->written.store(0, std::memory_order_release);
  held_.reset();
  send_acks();
}

std::shared_ptr<const submission_origin> connection_actor::origin() {
  if (!origin_) {
    auto made = std::make_shared<submission_origin>();
    made->connection = self_;
    made->device = client_.device;
    origin_ = std::move(made);
  }
  return origin_;
}

void connection_actor::on_frame(std::string_view payload, bool text) {
  if (!text && client_.encoding == net::encoding::json)
    return session_->close(net::close_code::wrong_kind,
                           "the subprotocol vartalap.json has text frames");
  const auto limits = limits_of(context_.node.options.limits);
  const auto now = context_.now().wall;
  auto frame = text ? net::decode_json(payload, limits, now)
               : client_.encoding == net::encoding::msgpack
                 ? net::decode_msgpack(payload, limits, now)
                 : net::decode_protobuf(payload, limits, now);
  if (auto* message = std::get_if<net::frame::message>(&frame))
    take_message(*message);
  else if (auto* ack = std::get_if<net::frame::ack>(&frame))
    take_ack(*ack);
  else if (auto* bad = std::get_if<net::frame::bad>(&frame))
    refuse_frame(bad->id, bad->code, bad->why);
  else
    session_->send("pong", true);
}

void connection_actor::take_message(net::frame::message& in) {
  auto& what = *in.what;
  what.from = client_.user;
  if (!run_)
    run_ = std::make_unique<outgoing>();
  // Everybody else says so itself, and must not be taken at less.
  if (client_.client_ack == net::client_ack_mode::state)
    for (auto& id : in.state_ids)
      run_->acks.named.push_back({what.to, std::move(id)});
  if (!core::is_valid_user(what.to))
    return refuse_frame(what.id, core::refusal::bad_frame,
                        "nobody can have this name: `to` must be a user");
  if (what.channel == core::channel::group) {
    if (!core::is_group_id(what.to))
      return refuse_frame(what.id, core::refusal::unknown_group,
                          explain(core::refusal::unknown_group));
    what.to = core::group_mailbox(what.to);
  }
  if (rate_)
    spend_rate();
  ++unconfirmed_;
  auto& shards = run_->by_shard;
  if (shards.empty())
    shards.resize(context_.node.shards.size());
  const auto shard = core::stable_hash(what.to) % shards.size();
  shards[shard].items.push_back({std::move(in.what), origin()});
  run_->any_submit = true;
  reconsider_reading();
}

void connection_actor::take_ack(const net::frame::ack& in) {
  if (!run_)
    run_ = std::make_unique<outgoing>();
  auto& acks = run_->acks;
  if (in.serverids.empty())
    acks.in_flight.push_back(in.id);
  else
    acks.serverids.insert(acks.serverids.end(), in.serverids.begin(),
                          in.serverids.end());
}

void connection_actor::on_run_end() {
  if (!run_)
    return;
  if (run_->any_submit) {
    run_->any_submit = false;
    auto& shards = run_->by_shard;
    for (std::size_t i = 0; i < shards.size(); ++i)
      if (!shards[i].items.empty())
        tell(context_.node.shards[i]->router,
             std::exchange(shards[i], submit{}));
  }
  send_acks();
  // Idle connections hold nothing.
  if (!run_->any_ack())
    run_.reset();
}

void connection_actor::send_acks() {
  if (!run_ || !run_->any_ack() || !delivery_)
    return;
  auto acks = std::exchange(run_->acks, acknowledge{});
  acks.device = client_.device;
  acks.connection = attachment_->id;
  tell(delivery_, std::move(acks));
}

void connection_actor::refuse_frame(std::string_view id, core::refusal code,
                                    std::string_view why) {
  ++context_.connection_counts.refused[static_cast<std::size_t>(code)];
  context_.encoded.clear();
  net::encode_error(client_.encoding, id, client_.user, code, why,
                    context_.encoded);
  session_->send(context_.encoded, net::is_text(client_.encoding));
}

void connection_actor::spend_rate() {
  const auto wait = rate_->spend(1, context_.home.now());
  if (wait <= core::microseconds::zero())
    return;
  rate_paused_ = true;
  ++context_.connection_counts.rate_pauses;
  context_.home.timers().arm(*this, context_.home.now() + wait);
}

void connection_actor::on_timer(core::mono_time) {
  rate_paused_ = false;
  reconsider_reading();
}

void connection_actor::reconsider_reading() {
  const auto limit = context_.node.options.limits.unconfirmed;
  if (!session_)
    return;
  const auto is_full = limit != 0 && unconfirmed_ >= limit;
  if (is_full && !window_paused_)
    ++context_.connection_counts.unconfirmed_pauses;
  window_paused_ = is_full;
  if (window_paused_ || rate_paused_)
    session_->pause_reading();
  else
    session_->resume_reading();
}

void connection_actor::answered(std::size_t messages) {
  unconfirmed_ -= std::min(unconfirmed_, messages);
  if (window_paused_)
    reconsider_reading();
}

void connection_actor::on_deliveries(deliver_batch& batch) {
  if (!session_ || batch.from != delivery_)
    return;
  for (auto& item : batch.items) {
    // What is ephemeral has no window that bounds it: it goes out or ends the
    // connection.
    if (item.message->ephemeral || (!held_ && has_output_room())) {
      write(item);
      continue;
    }
    if (!held_)
      held_ = std::make_unique<std::deque<core::effect::deliver>>();
    held_->push_back(std::move(item));
  }
  ping_for_written();
}

bool connection_actor::has_output_room() const {
  return session_->output_size()
         <= context_.node.options.limits.output_bytes / 2;
}

void connection_actor::write(const core::effect::deliver& item) {
  auto& out = context_.encoded;
  out.clear();
  net::encode_delivery(client_.encoding, *item.message, out);
  session_->send(out, net::is_text(client_.encoding));
  last_ordinal_ = std::max(last_ordinal_, item.ordinal);
  if (client_.client_ack != net::client_ack_mode::explicit_only)
    expect_written(item);
}

void connection_actor::write_held() {
  while (!held_->empty() && session_->is_open() && has_output_room()) {
    write(held_->front());
    held_->pop_front();
  }
  if (held_->empty())
    held_.reset();
  ping_for_written();
}

void connection_actor::on_confirms(const confirm_batch& batch) {
  if (!session_)
    return;
  auto& out = context_.encoded;
  for (const auto& item : batch.items) {
    answered();
    if (!client_.wants_ack)
      continue;
    out.clear();
    net::server_ack ack;
    ack.id = item.what->id;
    ack.to = client_.user;
    ack.serverid = item.serverid;
    ack.server_timestamp = item.server_timestamp;
    ack.status = item.status;
    ack.durability = item.durability;
    net::encode_server_ack(client_.encoding, ack, out);
    session_->send(out, net::is_text(client_.encoding));
  }
}

void connection_actor::on_refusals(const refuse_batch& batch) {
  if (!session_)
    return;
  for (const auto& item : batch.items) {
    answered();
    refuse_frame(item.what->id, item.code, explain(item.code));
  }
}

void connection_actor::on_close(close_connection how) {
  if (!session_)
    return;
  switch (how.reason) {
    case core::effect::close_reason::undelivered:
      return session_->close(net::close_code::undelivered,
                             "acknowledgements missing", 1000);
    case core::effect::close_reason::replaced:
      return session_->close(net::close_code::replaced,
                             "replaced by a newer connection of this device");
    case core::effect::close_reason::too_many_devices:
      refuse_frame({}, core::refusal::forbidden,
                   "this user has as many devices as allowed: remove one");
      return session_->close(net::close_code::policy, "too many devices");
    case core::effect::close_reason::superseded:
      return session_->close(net::close_code::going_away,
                             "a newer connection of this device is open on "
                             "another node",
                             1000);
    case core::effect::close_reason::erased:
      return session_->close(net::close_code::token_expired,
                             "this device was removed");
  }
}

void connection_actor::on_output() {
  auto& to = *attachment_;
  if (session_->output_empty()
      && to.written.load(std::memory_order_relaxed) != last_ordinal_) {
    to.written_at.store(context_.home.now().time_since_epoch().count(),
                        std::memory_order_relaxed);
    to.written.store(last_ordinal_, std::memory_order_release);
  }
  if (held_)
    write_held();
}

void connection_actor::expect_written(const core::effect::deliver& item) {
  // The old app acknowledges messages by `state`, and nothing else; and not
  // what it takes for a duplicate, so that a last repeat counts as had.
  const auto last = item.attempt + 1
                    >= std::max(context_.node.options.delivery.max_retries, 1U);
  if (client_.client_ack == net::client_ack_mode::written
      || item.message->type == core::message_type::notification || last)
    written_.push_back(item.message->serverid);
}

void connection_actor::ping_for_written() {
  if (ping_pending_ || written_.empty() || !session_)
    return;
  ping_pending_ = true;
  written_upto_ = written_.size();
  session_->ping("w" + std::to_string(++pings_));
}

void connection_actor::on_pong(std::string_view payload) {
  if (!ping_pending_ || payload != "w" + std::to_string(pings_))
    return;
  ping_pending_ = false;
  if (!run_)
    run_ = std::make_unique<outgoing>();
  const auto end = written_.begin()
                   + static_cast<std::ptrdiff_t>(written_upto_);
  run_->acks.serverids.insert(run_->acks.serverids.end(), written_.begin(),
                              end);
  written_.erase(written_.begin(), end);
  send_acks();
  ping_for_written();
}

void connection_actor::on_closed(unsigned) {
  context_.home.timers().cancel(*this);
  if (run_)
    send_acks();
  watch_.reset();
  session_.reset();
  held_.reset();
  origin_.reset();
  delivery_ = nullptr;
  tell(context_.node.shard_of(client_.user).router, detach_device{attachment_});
  context_.connections.erase(attachment_->id);
  attachment_.reset();
  // Cuts the cycle; a message of its own, since this is no handler of it.
  auto self = std::exchange(self_, nullptr);
  caf::anon_send_exit(self, caf::exit_reason::user_shutdown);
}

} // namespace vartalap::actors
