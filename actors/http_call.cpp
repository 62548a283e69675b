#include "actors/http_call.hpp"

#include <utility>

namespace vartalap::actors {

namespace {

/// What is not decided by then is told so: the client resends it.
constexpr core::milliseconds patience{30'000};

} // namespace

http_call::http_call(std::shared_ptr<const net::http_request> request,
                     net::shard& home, net::http_reply reply)
  : request_(std::move(request)), home_(home), reply_(std::move(reply)) {
}

void http_call::wait(std::function<void()> otherwise) {
  otherwise_ = std::move(otherwise);
  keep_ = shared_from_this();
  home_.timers().arm(*this, home_.now() + patience);
}

void http_call::on_timer(core::mono_time) {
  const auto self = shared_from_this();
  if (otherwise_)
    otherwise_();
  else
    refuse(503, "unavailable", "it could not be done in time: try it again");
}

void http_call::answer(net::http_response response) {
  const auto self = std::exchange(keep_, nullptr);
  home_.timers().cancel(*this);
  otherwise_ = nullptr;
  if (auto reply = std::exchange(reply_, nullptr))
    reply(std::move(response));
}

void http_call::answer(unsigned status, std::string body) {
  net::http_response response;
  response.status = status;
  response.body = std::move(body);
  answer(std::move(response));
}

void http_call::refuse(unsigned status, std::string_view code,
                       std::string_view why) {
  answer(net::http_error(status, code, why));
}

} // namespace vartalap::actors
