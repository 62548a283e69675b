#include "actors/http_api.hpp"

#include "actors/refusals.hpp"
#include "net/address.hpp"
#include "net/api_json.hpp"
#include "net/push_target_json.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

namespace vartalap::actors {

/// One path, or all below one, and who serves its methods.
struct http_api::route {
  using handler = void (http_api::*)(const http_call_ptr&);

  std::string_view path;
  bool and_below;           ///< /path/… too
  std::string_view methods; ///< allowed, as in an Allow header; empty: all
  handler serve;            ///< of GET, or of the only method
  handler serve_post = nullptr;
  handler serve_delete = nullptr;
};

namespace {

bool is_below(std::string_view path, std::string_view folder) noexcept {
  return path.size() > folder.size() && path.substr(0, folder.size()) == folder
         && path[folder.size()] == '/';
}

std::string_view without_slash(std::string_view path) noexcept {
  if (path.size() > 1 && path.back() == '/')
    path.remove_suffix(1);
  return path;
}

/// True if `method` is one of `allowed`, a comma-separated list.
bool is_allowed(std::string_view method, std::string_view allowed) {
  while (!allowed.empty()) {
    const auto comma = allowed.find(", ");
    if (allowed.substr(0, comma) == method)
      return true;
    allowed = comma == std::string_view::npos ? std::string_view{}
                                              : allowed.substr(comma + 2);
  }
  return false;
}

/// True for a loopback address with a port: "127.0.0.1:8081".
bool names_loopback(std::string_view text) {
  const auto address = net::parse_address(text);
  return address && address->is_loopback() && address->port() != 0;
}

/// The platform that the device is to have afterwards; nothing: any.
std::optional<core::push_platform> platform_of(const change_device& change) {
  if (!change.push)
    return std::nullopt;
  return change.push->platform;
}

/// True where the device is reached over that platform.
bool has_push(const core::mailbox::inspection& found, std::string_view device,
              core::push_platform platform) {
  return std::any_of(found.devices.begin(), found.devices.end(),
                     [&](const auto& each) {
                       return each.name == device && each.push == platform;
                     });
}

} // namespace

bool is_full(const core::mailbox::inspection& found, std::size_t limit) {
  return found.devices.size() >= (limit == 0
                                    ? core::devices_max
                                    : std::min(limit, core::devices_max));
}

bool read_device(http_call& call, std::string& device) {
  device = call.request().param("device", "default");
  if (device.empty())
    device = "default";
  if (core::is_valid_device(device))
    return true;
  call.refuse(400, "bad_frame",
              "the query parameter device must be 1 to 64 of "
              "[A-Za-z0-9._-]");
  return false;
}

http_api::http_api(node_context& node, net::authenticator& who)
  : node_(node), who_(who) {
}

const http_api::route* http_api::find_route(std::string_view path) {
  using api = http_api;
  static constexpr auto later = &api::not_in_this_version;
  static const std::array<route, 21> routes{{
    {"/messages", false, "GET, POST", &api::list_messages, &api::post_messages},
    {"/messages/ack", false, "POST", &api::acknowledge_messages},
    {"/sync", false, "POST", &api::sync},
    {"/auth", false, {}, nullptr},
    {"/login", false, "POST", &api::login},
    {"/nodes", false, "GET", &api::list_nodes},
    {"/profile", false, "GET", &api::profile},
    {"/profile/get", false, "GET", &api::profile},
    {"/profile/user/sync", false, "POST", &api::sync_contacts},
    {"/contactbook/sync", false, "POST", &api::sync_contacts},
    {"/contactbook", true, {}, later},
    {"/keys", false, "GET, DELETE", &api::list_keys, nullptr,
     &api::revoke_keys},
    {"/keys", true, "DELETE", &api::revoke_keys},
    {"/devices", false, "GET", &api::list_devices},
    {"/devices", true, "PUT, DELETE", &api::change_one_device},
    {"/groups", true, "GET, POST, DELETE", &api::groups},
    {"/group", true, "GET, POST", &api::groups},
    {"/blocks", false, "GET", &api::list_blocks},
    {"/blocks", true, "PUT, DELETE", &api::change_block},
    {"/assets", true, {}, later},
    {"/file", true, {}, later},
  }};
  path = without_slash(path);
  const auto found
    = std::find_if(routes.begin(), routes.end(), [path](const auto& one) {
        return path == one.path || (one.and_below && is_below(path, one.path));
      });
  return found == routes.end() ? nullptr : &*found;
}

bool http_api::owns(const std::string& path) {
  return find_route(path) != nullptr;
}

void http_api::handle(std::shared_ptr<net::http_request> request,
                      net::shard& home, net::http_reply reply) {
  const auto call
    = std::make_shared<http_call>(std::move(request), home, std::move(reply));
  const auto* where = find_route(call->request().path);
  if (where == nullptr)
    return call->refuse(404, "bad_frame", "there is no such call");
  const auto& method = call->request().method;
  if (!where->methods.empty() && !is_allowed(method, where->methods)) {
    auto refused = net::http_error(
      405, "bad_frame", "this call takes " + std::string(where->methods));
    refused.headers.emplace_back("Allow", where->methods);
    return call->answer(std::move(refused));
  }
  // A proxy's question changes nothing and may carry its client's Origin;
  // for the rest a foreign page must not use what the browser keeps for us.
  if (where->serve != nullptr
      && !net::origin_allowed(call->request(),
                              node_.options.auth.allowed_origins,
                              node_.options.auth.mode))
    return call->refuse(403, "forbidden",
                        "this page's origin may not call: add it to "
                        "auth.allowed_origins");
  if (where->serve == &http_api::login || where->serve == &http_api::list_nodes)
    return (this->*where->serve)(call);
  authenticate(call, *where);
}

void http_api::authenticate(const http_call_ptr& call, const route& where) {
  who_.check(net::find_credentials(call->request(), who_.mode()), call->home(),
             [this, call, &where](net::proof who) {
               if (where.serve == nullptr)
                 return call->answer(who ? 200 : 401, "{}");
               if (!who)
                 return call->refuse(
                   401, "forbidden",
                   "no valid credential: see \"Credentials\" in "
                   "docs/protocol.md");
               call->user = std::move(who->user);
               call->key = std::move(who->key);
               const auto& method = call->request().method;
               auto serve = where.serve;
               if (method == "POST" && where.serve_post != nullptr)
                 serve = where.serve_post;
               if (method == "DELETE" && where.serve_delete != nullptr)
                 serve = where.serve_delete;
               (this->*serve)(call);
             });
}

void http_api::list_nodes(const http_call_ptr& call) {
  // Whoever asks needs no credentials, so a stranger must not learn internal
  // addresses from the answer: it is given only where all of them are loopback
  // (a development cluster) and to who is on this machine, not behind a proxy.
  std::vector<net::api::node_line> lines;
  for (const auto& one : node_.options.nodes)
    if (names_loopback(one.client))
      lines.push_back(
        {one.name, (one.tls.wanted() ? "wss://" : "ws://") + one.client});
  const auto& asked = call->request();
  const bool proxied = !asked.header("x-forwarded-for").empty()
                       || !asked.header("forwarded").empty();
  if (lines.size() != node_.options.nodes.size() || proxied
      || !names_loopback(asked.header("host")))
    return call->refuse(404, "forbidden",
                        "addresses of nodes are told on loopback only: give "
                        "clients the address of the cluster's proxy");
  call->answer(200, net::api::nodes_body(lines, node_.name));
}

void http_api::refuse_device(http_call& call) {
  call.refuse(403, "forbidden",
              "this user has as many devices as allowed: remove one");
}

void http_api::profile(const http_call_ptr& call) {
  call->answer(200, net::api::profile_body(call->user));
}

void http_api::list_devices(const http_call_ptr& call) {
  call->wait();
  inspect_user ask{call->user, {}};
  ask.answer = [call](const core::mailbox::inspection& found) {
    std::vector<net::api::device_line> lines;
    for (const auto& one : found.devices)
      lines.push_back({one.name, one.connected, one.last_seen,
                       one.push == core::push_platform::none
                         ? std::string_view{}
                         : core::to_string(one.push)});
    call->home().post([call, lines = std::move(lines)] {
      call->answer(200, net::api::devices_body(lines));
    });
  };
  tell(node_.shard_of(call->user).router, std::move(ask));
}

void http_api::change_one_device(const http_call_ptr& call) {
  const auto path = without_slash(call->request().path);
  std::string device(path.substr(path.rfind('/') + 1));
  if (!core::is_valid_device(device)
      || path.size() != std::string_view("/devices/").size() + device.size())
    return call->refuse(400, "bad_frame",
                        "a device's name is 1 to 64 of [A-Za-z0-9._-]");
  const bool remove = call->request().method == "DELETE";
  change_device change{call->user, device, remove};
  if (!remove) {
    auto target = net::api::parse_push_target(call->request().body);
    if (const auto* bad = std::get_if<net::api::refused>(&target))
      return call->refuse(bad->status, core::to_string(bad->code), bad->why);
    change.push = std::move(std::get<0>(target));
  }
  call->wait();
  auto& shard = node_.shard_of(call->user);
  inspect_user ask{call->user, {}};
  ask.answer = [call, device, remove, wanted = platform_of(change),
                limit = node_.options.limits.devices_per_user](
                 const core::mailbox::inspection& found) {
    const bool is_kept = !wanted || has_push(found, device, *wanted);
    const bool done = found.knows(device) != remove;
    const bool full = !remove && is_full(found, limit);
    call->home().post([call, done, full, is_kept] {
      if (!done && full)
        refuse_device(*call);
      else if (!done || !is_kept)
        call->refuse(503, "unavailable",
                     "the device could not be changed now: try again");
      else
        call->answer(200, "{\"status\":true}");
    });
  };
  tell(shard.router, std::move(change));
  tell(shard.router, std::move(ask));
}

void http_api::not_in_this_version(const http_call_ptr& call) {
  call->refuse(501, "unavailable", "this call is not in this version");
}

} // namespace vartalap::actors
