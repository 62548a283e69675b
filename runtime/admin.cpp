#include "runtime/admin.hpp"

#include "actors/push_messages.hpp"
#include "core/ids.hpp"
#include "net/access_key.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string_view>
#include <utility>

namespace vartalap::runtime {

namespace {

using json_writer = rapidjson::Writer<rapidjson::StringBuffer>;

void text(json_writer& json, std::string_view value) {
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

std::string to_json(const std::string& user,
                    const core::mailbox::inspection& seen) {
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  json.Key("user");
  text(json, user);
  json.Key("pending");
  json.Uint64(seen.pending);
  json.Key("pendingBytes");
  json.Uint64(seen.pending_bytes);
  json.Key("inMemory");
  json.Uint64(seen.in_memory);
  json.Key("oldest"); // ms since the epoch, 0 for none
  json.Uint64(seen.oldest);
  std::uint64_t connections = 0;
  json.Key("devices");
  json.StartArray();
  for (const auto& device : seen.devices) {
    connections += device.connected ? 1U : 0U;
    json.StartObject();
    json.Key("device");
    text(json, device.name);
    json.Key("connected");
    json.Bool(device.connected);
    json.Key("lastSeen");
    json.Uint64(device.last_seen);
    json.Key("owes");
    json.Uint64(device.owes);
    json.Key("inFlight");
    json.Uint64(device.in_flight);
    json.Key("stuck");
    json.Uint64(device.stuck);
    json.EndObject();
  }
  json.EndArray();
  json.Key("connections");
  json.Uint64(connections);
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string to_json(const std::string& user,
                    const std::vector<actors::push_test_line>& lines) {
  rapidjson::StringBuffer buffer;
  json_writer json(buffer);
  json.StartObject();
  json.Key("user");
  text(json, user);
  json.Key("targets");
  json.StartArray();
  for (const auto& line : lines) {
    json.StartObject();
    json.Key("device");
    text(json, line.device);
    json.Key("provider");
    text(json, core::to_string(line.platform));
    json.Key("outcome");
    text(json, core::to_string(line.how.what));
    json.Key("why");
    text(json, line.how.why);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

net::http_response plain(unsigned status, std::string body) {
  net::http_response out;
  out.status = status;
  out.content_type = "text/plain; charset=utf-8";
  out.body = std::move(body);
  return out;
}

net::http_response no_token() {
  return net::http_error(401, "forbidden",
                         "send the token of auth.admin_token_file as "
                         "Authorization: Bearer TOKEN");
}

} // namespace

admin_gateway::admin_gateway(actors::node_context& node,
                             process_metrics& metrics, std::string token,
                             admin_hooks hooks, bool is_local)
  : node_(node), metrics_(metrics), token_(std::move(token)),
    hooks_(std::move(hooks)), is_local_(is_local) {
}

void admin_gateway::websocket_opened(const std::shared_ptr<net::session>&,
                                     net::client_info) {
  // Sessions of this port refuse upgrades.
}

void admin_gateway::http(std::shared_ptr<net::http_request> request,
                         net::shard& home, net::http_reply reply) {
  constexpr std::string_view users = "/users/";
  const auto& path = request->path;
  if (path == "/expiry/resume" || path == "/drain" || path == "/cluster/reload")
    return reply(change(*request));
  if (path == "/push/test")
    return test_push(*request, home, std::move(reply));
  if (request->method != "GET" && request->method != "HEAD")
    return reply(net::http_error(405, "bad_frame", "only GET here"));
  if (path == "/healthz")
    return reply(plain(200, "ok\n"));
  if (path == "/readyz")
    return reply(readiness());
  if (path == "/cluster")
    return reply(cluster());
  if (path == "/metrics") {
    auto out = plain(200, metrics_.render());
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return reply(std::move(out));
  }
  if (path.size() > users.size() && path.starts_with(users) && !is_local_
      && !shows_token(*request))
    return reply(no_token());
  if (path.size() > users.size() && path.starts_with(users))
    return inspect(path.substr(users.size()), home, std::move(reply));
  reply(net::http_error(404, "bad_frame",
                        "here are /metrics, /healthz, /readyz, /cluster, "
                        "/users/{id}"));
}

net::http_response admin_gateway::readiness() const {
  const auto why = hooks_.ready();
  return why.empty() ? plain(200, "ready\n") : plain(503, why + "\n");
}

void admin_gateway::inspect(const std::string& user, net::shard& home,
                            net::http_reply reply) {
  if (!core::is_valid_user(user))
    return reply(net::http_error(400, "bad_frame", "not a user's name"));
  actors::inspect_user ask;
  ask.user = user;
  ask.answer = [&home, user, reply = std::move(reply)](
                 const core::mailbox::inspection& seen) {
    net::http_response out;
    out.body = to_json(user, seen);
    home.post([reply, out = std::move(out)] { reply(out); });
  };
  actors::tell(node_.shard_of(user).router, std::move(ask));
}

net::http_response admin_gateway::cluster() const {
  if (!hooks_.cluster)
    return net::http_error(404, "bad_frame",
                           "this node is all of its cluster: cluster.toml has "
                           "one [[node]]");
  net::http_response out;
  out.body = hooks_.cluster();
  return out;
}

bool admin_gateway::shows_token(const net::http_request& request) const {
  const auto shown = net::find_credentials(request, core::auth_mode::jwt);
  return net::equal_in_constant_time(shown.bearer, token_);
}

std::optional<net::http_response>
admin_gateway::refuse(const net::http_request& request) const {
  if (request.method != "POST")
    return net::http_error(405, "bad_frame", "POST it");
  if (!shows_token(request))
    return no_token();
  return std::nullopt;
}

net::http_response admin_gateway::change(const net::http_request& request) {
  if (auto refused = refuse(request))
    return std::move(*refused);
  net::http_response out;
  out.body = "{}";
  if (request.path == "/cluster/reload") {
    if (!hooks_.reload)
      return cluster();
    try {
      out = plain(202, hooks_.reload() + "\n");
    } catch (const std::exception& problem) {
      return net::http_error(409, "bad_frame", problem.what());
    }
  } else if (request.path == "/drain") {
    out.status = 202;
    hooks_.drain();
  } else {
    node_.store.resume_expiry();
  }
  return out;
}

void admin_gateway::test_push(const net::http_request& request,
                              net::shard& home, net::http_reply reply) {
  if (auto refused = refuse(request))
    return reply(std::move(*refused));
  actors::push_test ask;
  ask.user = request.param("user");
  if (!core::is_valid_user(ask.user))
    return reply(
      net::http_error(400, "bad_frame", "name a user: /push/test?user=NAME"));
  ask.answer = [&home, user = ask.user, reply = std::move(reply)](
                 bool is_home, const std::vector<actors::push_test_line>& all) {
    auto out = is_home ? net::http_response{}
                       : net::http_error(409, "unavailable",
                                         "another node is this user's home: "
                                         "ask that one");
    if (is_home)
      out.body = to_json(user, all);
    home.post([reply, out = std::move(out)] { reply(out); });
  };
  actors::tell(node_.notifier, std::move(ask));
}

} // namespace vartalap::runtime
