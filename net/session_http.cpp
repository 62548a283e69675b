#include "net/listener.hpp"
#include "net/session_http_phase.hpp"

#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace vartalap::net {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

namespace {

/// All header fields together; larger ones get 431.
constexpr std::uint32_t header_bytes_max = 8 * 1024;

/// 16 bytes in base64.
constexpr std::size_t key_chars = 24;

/// A body may carry many messages: POST /messages takes batches.
constexpr std::uint64_t body_bytes_max = 4 * core::MiB;

std::string lower(beast::string_view text) {
  std::string out(text.data(), text.size());
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return out;
}

/// What makes a request ambiguous between us and a proxy in front; empty if
/// nothing does. Beast 1.74 lacks later fixes against request smuggling, so
/// these are refused, and a connection carries one request only.
std::string_view ambiguity(const http::fields& fields) {
  if (fields.count(http::field::host) != 1)
    return "exactly one Host header is needed";
  if (fields.count(http::field::content_length) > 1)
    return "more than one Content-Length";
  if (fields.count(http::field::content_length) != 0
      && fields.count(http::field::transfer_encoding) != 0)
    return "Content-Length and Transfer-Encoding exclude each other";
  return {};
}

http_response body_too_large() {
  return http_error(413, "too_large",
                    "the request's body is over 4 MiB: send fewer messages at "
                    "once");
}

/// Why a request to upgrade is none of RFC 6455; nothing where it is one.
/// What is checked here would otherwise be answered by Beast, as plain text.
std::optional<http_response> malformed_upgrade(const http::fields& fields) {
  if (fields.count(http::field::transfer_encoding) != 0
      || (fields.count(http::field::content_length) != 0
          && fields[http::field::content_length] != "0"))
    return http_error(400, "bad_frame", "an upgrade has no body");
  if (fields.count(http::field::sec_websocket_key) != 1
      || fields[http::field::sec_websocket_key].size() != key_chars)
    return http_error(400, "bad_frame",
                      "an upgrade has one Sec-WebSocket-Key of 16 bytes in "
                      "base64");
  if (fields[http::field::sec_websocket_version] == "13")
    return std::nullopt;
  auto refused
    = http_error(426, "bad_frame", "Sec-WebSocket-Version must be 13");
  refused.headers.emplace_back("Sec-WebSocket-Version", "13");
  return refused;
}

} // namespace

void session::start() {
  auto& stream = ws_.next_layer();
  if (!stream.is_open())
    return finish(0);
  http_ = std::make_unique<http_phase>();
  http_->parser.header_limit(header_bytes_max);
  http_->parser.body_limit(body_bytes_max);
  last_input_ = last_progress_ = home_.now();
  if (from_.limits().handshake_timeout.count() > 0)
    home_.timers().arm(*this, home_.now() + from_.limits().handshake_timeout);
  http::async_read_header(
    stream, http_->buffer, http_->parser,
    [self = shared_from_this()](beast::error_code ec, std::size_t) {
      self->on_header(ec);
    });
}

std::shared_ptr<http_request> session::take_request() {
  auto& message = http_->parser.get();
  auto out = std::make_shared<http_request>();
  const auto method = message.method_string();
  out->method.assign(method.data(), method.size());
  for (const auto& field : message.base()) {
    const auto value = field.value();
    out->headers[lower(field.name_string())].assign(value.data(), value.size());
  }
  out->remote
    = from_.proxies().client_of(remote_, out->header("x-forwarded-for"));
  out->secure = ws_.next_layer().is_secure()
                || (from_.is_trusted_proxy(remote_)
                    && out->header("x-forwarded-proto") == "https");
  parse_cookies(out->header("cookie"), *out);
  return out;
}

void session::on_header(beast::error_code ec) {
  if (state_ != state::request)
    return;
  if (ec) {
    if (ec == http::error::header_limit)
      return answer(
        http_error(431, "too_large", "the request's headers are over 8 KiB"));
    if (ec == http::error::body_limit)
      return answer(body_too_large());
    if (ec == http::error::end_of_stream
        || ec.category() != make_error_code(http::error::bad_method).category())
      return finish(0);
    return answer(
      http_error(400, "bad_frame", "not an HTTP request: " + ec.message()));
  }
  http_->request = take_request();
  const auto& message = http_->parser.get();
  const auto target = message.target();
  if (!parse_target({target.data(), target.size()}, *http_->request))
    return answer(http_error(400, "bad_frame",
                             "the request's path has a "
                             "broken escape"));
  if (const auto why = ambiguity(message); !why.empty())
    return answer(http_error(400, "bad_frame", why));
  if (http_->request->remote != remote_ && !from_.admit(http_->request->remote))
    return answer(http_error(429, "rate_limited",
                             "too many connections from your address"));
  if (http_->request->remote != remote_) {
    // Counted under the client's address from here on, not the proxy's.
    from_.released(remote_);
    remote_ = http_->request->remote;
  }
  if (websocket::is_upgrade(message))
    return upgrade();
  http::async_read(
    ws_.next_layer(), http_->buffer, http_->parser,
    [self = shared_from_this()](beast::error_code error, std::size_t) {
      self->on_body(error);
    });
}

void session::upgrade() {
  auto& request = *http_->request;
  if (!from_.to().serves_websockets()
      || (request.path != "/wss/" && request.path != "/wss"))
    return answer(http_error(404, "bad_frame", "WebSockets are at /v1.0/wss/"));
  if (auto refused = malformed_upgrade(http_->parser.get()))
    return answer(std::move(*refused));
  if (http_->buffer.size() != 0)
    return answer(http_error(400, "bad_frame",
                             "bytes after the upgrade request: wait for the "
                             "answer first"));
  if (!origin_allowed(request, from_.auth().allowed_origins, from_.auth().mode))
    return answer(http_error(403, "forbidden",
                             "this page's origin may not connect: add it to "
                             "auth.allowed_origins"));
  std::string subprotocol;
  std::string problem;
  auto client = parse_upgrade(request, subprotocol, problem);
  if (!client)
    return answer(http_error(400, "bad_frame", problem));
  client->remote = request.remote;
  state_ = state::answering;
  from_.who().check(find_credentials(request, from_.who().mode()), home_,
                    [self = shared_from_this(), info = std::move(*client),
                     subprotocol](proof who) mutable {
                      if (self->state_ != state::answering)
                        return;
                      if (!who)
                        return self->answer(http_error(
                          401, "forbidden",
                          "no valid credential: see \"Credentials\" in "
                          "docs/protocol.md"));
                      info.user = std::move(who->user);
                      info.expires = who->expires;
                      info.key = std::move(who->key);
                      auto& to = self->from_.to().home_of(info, self->home_);
                      if (&to == &self->home_)
                        self->accept_upgrade(std::move(info), subprotocol);
                      else
                        self->move_to(to, std::move(info), subprotocol);
                    });
}

/// What goes from one shard's session to the other's.
struct session::handover {
  int fd;
  tls_ptr tls;
  std::string remote;
  std::unique_ptr<http_phase> http;
  client_info client;
  std::string subprotocol;
};

void session::move_to(shard& to, client_info client,
                      const std::string& subprotocol) {
  home_.timers().cancel(*this);
  state_ = state::closed;
  moved_ = true;
  tls_ptr tls;
  const auto fd = ws_.next_layer().release(tls);
  auto socket = std::make_shared<handover>(
    handover{fd, std::move(tls), remote_, std::move(http_), std::move(client),
             subprotocol});
  to.post([&to, &from = from_, socket = std::move(socket)] {
    std::make_shared<session>(to, from, socket->fd, socket->remote,
                              std::move(socket->tls))
      ->take_over(*socket);
  });
}

void session::take_over(handover& from) {
  if (!ws_.next_layer().is_open())
    return finish(0);
  state_ = state::answering;
  http_ = std::move(from.http);
  if (from_.limits().handshake_timeout.count() > 0)
    home_.timers().arm(*this, home_.now() + from_.limits().handshake_timeout);
  accept_upgrade(std::move(from.client), from.subprotocol);
}

void session::accept_upgrade(client_info client,
                             const std::string& subprotocol) {
  ws_.set_option(websocket::stream_base::decorator(
    [subprotocol](websocket::response_type& response) {
      response.set(http::field::server, "vartalap");
      if (!subprotocol.empty())
        response.set(http::field::sec_websocket_protocol, subprotocol);
    }));
  ws_.async_accept(http_->parser.get(),
                   [self = shared_from_this(),
                    info = std::move(client)](beast::error_code ec) mutable {
                     self->on_accepted(ec, std::move(info));
                   });
}

void session::on_body(beast::error_code ec) {
  if (state_ != state::request)
    return;
  if (ec == http::error::body_limit)
    return answer(body_too_large());
  if (ec)
    return finish(0);
  serve_http();
}

void session::serve_http() {
  state_ = state::answering;
  home_.timers().cancel(*this); // The answer takes what it takes.
  http_->request->body = std::move(http_->parser.get().body());
  from_.counters().http_requests.fetch_add(1, std::memory_order_relaxed);
  from_.to().http(http_->request, home_,
                  [self = shared_from_this()](http_response response) {
                    self->answer(std::move(response));
                  });
}

void session::answer(http_response response) {
  if (state_ == state::closed || state_ == state::closing || !http_)
    return;
  state_ = state::closing;
  http::response<http::string_body> out;
  out.version(11);
  out.result(response.status);
  out.reason(beast::string_view(status_text(response.status).data(),
                                status_text(response.status).size()));
  out.set(http::field::server, "vartalap");
  out.set(http::field::content_type, response.content_type);
  out.set(http::field::connection, "close");
  out.set("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : response.headers)
    out.set(name, value);
  const bool head = http_->request && http_->request->method == "HEAD";
  out.body() = std::move(response.body);
  out.prepare_payload();
  std::ostringstream text;
  if (head) {
    http::response_serializer<http::string_body> serializer(out);
    text << out.base();
  } else {
    text << out;
  }
  ws_.next_layer().append(text.str());
  ws_.next_layer().shutdown_when_sent();
  // The peer reads the answer and closes; what it still sends is dropped.
  closing_by_ = home_.now() + from_.limits().write_timeout
                + core::milliseconds{2000};
  home_.timers().arm(*this, closing_by_);
  auto drop = std::make_shared<std::function<void()>>();
  *drop = [self = shared_from_this(), weak = std::weak_ptr(drop)] {
    self->ws_.next_layer().async_read_some(
      boost::asio::buffer(self->home_.payload_scratch(), shard::scratch_size),
      [self, again = weak.lock()](beast::error_code ec, std::size_t) {
        if (ec)
          self->finish(0);
        else
          (*again)();
      });
  };
  (*drop)();
}

} // namespace vartalap::net
