// The calls that send, fetch and acknowledge messages.

#include "actors/http_api.hpp"
#include "actors/rate_limits.hpp"
#include "actors/refusals.hpp"
#include "core/group.hpp"
#include "net/api_json.hpp"
#include "net/codec.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vartalap::actors {

namespace {

using net::encoding;

/// The frames of one POST /messages and what has become of them. Only the
/// call's home touches it once it is under way.
class frame_batch : public std::enable_shared_from_this<frame_batch> {
public:
  frame_batch(http_call_ptr call, encoding how, std::size_t size,
              bool wants_acks)
    : call_(std::move(call)), answers_(size), ids_(size), open_(size),
      how_(how), wants_acks_(wants_acks) {
  }

  http_call& call() noexcept {
    return *call_;
  }

  void set_id(std::size_t i, std::string id) {
    ids_[i] = std::move(id);
  }

  void refuse(std::size_t i, core::refusal code, std::string_view why) {
    std::string text;
    net::encode_error(how_, ids_[i], call_->user, code, why, text);
    decided(i, std::move(text));
  }

  void confirm(std::size_t i, const core::effect::confirm& how) {
    net::server_ack ack;
    ack.id = ids_[i];
    ack.to = call_->user;
    ack.serverid = how.serverid;
    ack.server_timestamp = how.server_timestamp;
    ack.status = how.status;
    ack.durability = how.durability;
    std::string text;
    net::encode_server_ack(how_, ack, text);
    decided(i, std::move(text));
  }

  /// An acknowledgement has reached the mailbox.
  void acknowledged(std::size_t i, core::wall_ms now) {
    core::effect::confirm how;
    how.server_timestamp = now;
    how.status = core::ack_status::relayed;
    confirm(i, how);
  }

  void give_up() {
    for (std::size_t i = 0; i < answers_.size(); ++i)
      if (answers_[i].empty())
        refuse(i, core::refusal::unavailable,
               explain(core::refusal::unavailable));
  }

  /// Where the answers of message `i` go; they come on any thread.
  std::shared_ptr<submission_origin> origin(std::size_t i) {
    auto out = std::make_shared<submission_origin>();
    out->device = call_->request().param("device");
    out->confirmed
      = [self = shared_from_this(), i](const core::effect::confirm& how) {
          self->call_->home().post([self, i, how] { self->confirm(i, how); });
        };
    out->refused = [self = shared_from_this(),
                    i](const core::effect::refuse& how) {
      self->call_->home().post(
        [self, i, code = how.code] { self->refuse(i, code, explain(code)); });
    };
    return out;
  }

private:
  void decided(std::size_t i, std::string frame) {
    if (!answers_[i].empty())
      return;
    answers_[i] = net::is_text(how_) ? std::move(frame)
                                     : net::api::to_base64(frame);
    if (--open_ == 0)
      call_->answer(201, wants_acks_ ? net::api::acks_body(answers_) : "{}");
  }

  http_call_ptr call_;
  std::vector<std::string> answers_; ///< empty: not decided
  std::vector<std::string> ids_;
  std::size_t open_;
  encoding how_;
  bool wants_acks_;
};

/// A frame of the batch as the format has it.
net::client_frame read_frame(encoding how, const std::string& text,
                             const net::codec_limits& limits,
                             core::wall_ms now) {
  if (net::is_text(how))
    return net::decode_json(text, limits, now);
  if (const auto bytes = net::api::from_base64(text))
    return net::decode_protobuf(*bytes, limits, now);
  net::frame::bad bad;
  bad.why = "with format=binary each frame is the base64 of a protobuf frame";
  return bad;
}

bool is_message(const net::client_frame& frame) noexcept {
  return std::holds_alternative<net::frame::message>(frame);
}

bool read_bool(http_call& call, const std::string& name, bool& value) {
  const auto text = call.request().param(name);
  value = text == "true";
  if (text.empty() || value || text == "false")
    return true;
  call.refuse(400, "bad_frame",
              "the query parameter " + name + " must be true or false");
  return false;
}

/// The request that a body came to; refuses the call and gives nothing where
/// it cannot be served.
template <class Request>
std::optional<Request>
accepted(http_call& call, net::api::parsed<Request> body) {
  if (auto* bad = std::get_if<net::api::refused>(&body)) {
    call.refuse(bad->status, core::to_string(bad->code), bad->why);
    return std::nullopt;
  }
  return std::move(std::get<Request>(body));
}

/// Tells the user's mailbox what has arrived, and then the batch.
void send_acks(node_context& node, const std::shared_ptr<frame_batch>& batch,
               acknowledge acks, std::vector<std::size_t> answers) {
  if (acks.serverids.empty() && acks.named.empty())
    return;
  auto& call = batch->call();
  auto& shard = node.shard_of(call.user);
  acks.user = call.user;
  acks.answer = [batch, answers = std::move(answers), &shard](std::uint64_t) {
    // Runs on that shard's thread.
    batch->call().home().post([batch, answers, now = shard.now().wall] {
      for (const auto i : answers)
        batch->acknowledged(i, now);
    });
  };
  tell(shard.router, std::move(acks));
}

} // namespace

bool spend_rate(http_call& call, rate_limits& rates, std::size_t messages) {
  const auto now = call.home().now();
  const auto rate = rates.of(call.user, now);
  if (!rate || messages == 0)
    return true;
  const auto wait = rate->try_spend(static_cast<double>(messages), now);
  if (wait <= core::microseconds::zero())
    return true;
  auto refused = net::http_error(429, "rate_limited",
                                 "too many messages: none was taken; send "
                                 "them again later");
  const auto seconds = (wait.count() + 999'999) / 1'000'000;
  refused.headers.emplace_back("Retry-After", std::to_string(seconds));
  call.answer(std::move(refused));
  return false;
}

void http_api::post_messages(const http_call_ptr& call) {
  bool wants_acks = false;
  acknowledge acks;
  if (!read_bool(*call, "ack", wants_acks) || !read_device(*call, acks.device))
    return;
  const auto format = call->request().param("format");
  const auto how = format == "binary" ? encoding::protobuf : encoding::json_v2;
  const auto texts
    = accepted(*call, net::api::parse_messages(call->request().body, format));
  if (!texts)
    return;
  if (texts->empty())
    return call->answer(201, wants_acks ? net::api::acks_body({}) : "{}");
  const auto limits = limits_of(node_.options.limits);
  const auto now = node_.shards[call->home().index()]->now().wall;
  std::vector<net::client_frame> frames;
  frames.reserve(texts->size());
  for (const auto& text : *texts)
    frames.push_back(read_frame(how, text, limits, now));
  const auto messages = std::count_if(frames.begin(), frames.end(), is_message);
  if (!spend_rate(*call, node_.rates, static_cast<std::size_t>(messages)))
    return;

  const auto batch
    = std::make_shared<frame_batch>(call, how, frames.size(), wants_acks);
  call->wait([batch] { batch->give_up(); });
  std::vector<submit> by_shard(node_.shards.size());
  std::vector<std::size_t> ack_frames;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (auto* bad = std::get_if<net::frame::bad>(&frames[i])) {
      batch->set_id(i, std::move(bad->id));
      batch->refuse(i, bad->code, bad->why);
    } else if (auto* ack = std::get_if<net::frame::ack>(&frames[i])) {
      batch->set_id(i, std::move(ack->id));
      if (ack->serverids.empty()) {
        batch->refuse(i, core::refusal::bad_frame,
                      "over HTTP an acknowledgement names its serverIds");
        continue;
      }
      acks.serverids.insert(acks.serverids.end(), ack->serverids.begin(),
                            ack->serverids.end());
      ack_frames.push_back(i);
    } else if (auto* in = std::get_if<net::frame::message>(&frames[i])) {
      auto& what = *in->what;
      what.from = call->user;
      batch->set_id(i, what.id);
      for (auto& id : in->state_ids)
        acks.named.push_back({what.to, std::move(id)});
      if (!core::is_valid_user(what.to)) {
        batch->refuse(i, core::refusal::bad_frame,
                      "nobody can have this name: `to` must be a user");
        continue;
      }
      if (what.channel == core::channel::group) {
        if (!core::is_group_id(what.to)) {
          batch->refuse(i, core::refusal::unknown_group,
                        explain(core::refusal::unknown_group));
          continue;
        }
        what.to = core::group_mailbox(what.to);
      }
      const auto shard = core::stable_hash(what.to) % by_shard.size();
      by_shard[shard].items.push_back({std::move(in->what), batch->origin(i)});
    } else {
      batch->refuse(i, core::refusal::bad_frame, "ping is for WebSockets");
    }
  }
  send_acks(node_, batch, std::move(acks), std::move(ack_frames));
  for (std::size_t i = 0; i < by_shard.size(); ++i)
    if (!by_shard[i].items.empty())
      tell(node_.shards[i]->router, std::move(by_shard[i]));
}

void http_api::answer_pending(const http_call_ptr& call, std::string device,
                              std::size_t limit, std::size_t bytes_max) {
  list_pending ask;
  ask.user = call->user;
  ask.device = std::move(device);
  ask.limit = limit;
  ask.bytes_max = bytes_max;
  ask.answer = [call](const pending_page& page) {
    if (page.too_many_devices)
      return call->home().post([call] { refuse_device(*call); });
    std::vector<std::string> frames;
    frames.reserve(page.messages.size());
    for (const auto& message : page.messages)
      net::encode_delivery(encoding::json_v2, *message, frames.emplace_back());
    auto body = net::api::page_body(frames, page.more);
    call->home().post([call, failed = page.failed, body = std::move(body)] {
      if (failed)
        call->refuse(503, "unavailable",
                     "the messages cannot be read now: try it again");
      else
        call->answer(200, body);
    });
  };
  tell(node_.shard_of(call->user).router, std::move(ask));
}

void http_api::list_messages(const http_call_ptr& call) {
  std::string device;
  if (!read_device(*call, device))
    return;
  const auto limit
    = accepted(*call, net::api::parse_limit(call->request().param("limit")));
  if (!limit)
    return;
  call->wait();
  answer_pending(call, std::move(device), *limit, net::api::page_bytes_default);
}

void http_api::acknowledge_messages(const http_call_ptr& call) {
  acknowledge acks;
  if (!read_device(*call, acks.device))
    return;
  auto ids = accepted(*call, net::api::parse_serverids(call->request().body));
  if (!ids)
    return;
  call->wait();
  acks.user = call->user;
  acks.serverids = std::move(*ids);
  acks.answer = [call](std::uint64_t n) {
    call->home().post(
      [call, n] { call->answer(200, net::api::acknowledged_body(n)); });
  };
  tell(node_.shard_of(call->user).router, std::move(acks));
}

void http_api::sync(const http_call_ptr& call) {
  std::string device;
  if (!read_device(*call, device))
    return;
  auto body = accepted(*call, net::api::parse_sync(call->request().body));
  if (!body)
    return;
  call->wait();
  // The same actor gets both, in this order.
  if (!body->acks.empty()) {
    acknowledge acks;
    acks.user = call->user;
    acks.device = device;
    acks.serverids = std::move(body->acks);
    tell(node_.shard_of(call->user).router, std::move(acks));
  }
  answer_pending(call, std::move(device), body->limit, body->max_bytes);
}

} // namespace vartalap::actors
