#include "net/client_info.hpp"

#include "core/ids.hpp"

#include <algorithm>
#include <cctype>

namespace vartalap::net {

namespace {

std::string_view cookie(const http_request& request, const std::string& name) {
  const auto i = request.cookies.find(name);
  return i == request.cookies.end() ? std::string_view{} : i->second;
}

bool parse_bool(const http_request& request, const std::string& name,
                bool& value, std::string& problem) {
  const auto text = request.param(name);
  if (text.empty())
    return true;
  if (text != "true" && text != "false") {
    problem = "the query parameter " + name + " must be true or false";
    return false;
  }
  value = text == "true";
  return true;
}

/// The first offered subprotocol that we speak.
std::string pick_subprotocol(std::string_view offered) {
  while (!offered.empty()) {
    const auto comma = offered.find(',');
    auto one = offered.substr(0, comma);
    offered = comma == std::string_view::npos ? std::string_view{}
                                              : offered.substr(comma + 1);
    while (!one.empty() && one.front() == ' ')
      one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ')
      one.remove_suffix(1);
    if (one == "vartalap.msgpack" || one == "vartalap.json")
      return std::string(one);
  }
  return {};
}

} // namespace

credentials find_credentials(const http_request& request,
                             core::auth_mode mode) {
  credentials out;
  const auto authorization = request.header("authorization");
  constexpr std::string_view bearer = "Bearer ";
  if (authorization.size() > bearer.size()
      && std::equal(bearer.begin(), bearer.end(), authorization.begin(),
                    [](char a, char b) {
                      return std::tolower(static_cast<unsigned char>(a))
                             == std::tolower(static_cast<unsigned char>(b));
                    }))
    out.bearer = authorization.substr(bearer.size());
  out.user = request.header("user");
  out.accesskey = request.header("accesskey");
  // Where names are believed, a key alone says nothing.
  const auto shows = [&out, mode] {
    return !out.bearer.empty() || !out.user.empty()
           || (mode != core::auth_mode::none && !out.accesskey.empty());
  };
  if (!shows())
    out.bearer = request.param("access_token");
  if (out.user.empty() && mode == core::auth_mode::none)
    out.user = request.param("user");
  if (!shows()) {
    out.user = cookie(request, "user");
    out.accesskey = cookie(request, "accesskey");
  }
  return out;
}

void trusting_authenticator::check(const credentials& shown, shard&,
                                   std::function<void(proof)> answer) {
  if (core::is_valid_user(shown.user))
    answer(proven{shown.user});
  else
    answer(std::nullopt);
}

std::optional<client_info> parse_upgrade(const http_request& request,
                                         std::string& subprotocol,
                                         std::string& problem) {
  client_info out;
  subprotocol = pick_subprotocol(request.header("sec-websocket-protocol"));
  const auto format = request.param("format", "text");
  if (format != "text" && format != "binary") {
    problem = "the query parameter format must be text or binary";
    return std::nullopt;
  }
  if (subprotocol == "vartalap.msgpack") {
    out.encoding = encoding::msgpack;
    out.wants_ack = true;
  } else if (subprotocol == "vartalap.json") {
    out.encoding = encoding::json;
  } else if (format == "binary") {
    out.encoding = encoding::protobuf;
  }
  if (const auto device = request.param("device"); !device.empty()) {
    if (!core::is_valid_device(device)) {
      problem = "the query parameter device must be 1 to 64 of [A-Za-z0-9._-]";
      return std::nullopt;
    }
    out.device = device;
  }
  if (!parse_bool(request, "ack", out.wants_ack, problem))
    return std::nullopt;
  const auto client_ack = request.param("client_ack");
  // The old app sends neither parameter and never acknowledges by frame.
  if (client_ack == "state"
      || (client_ack.empty() && request.param("ack").empty()
          && subprotocol.empty() && is_text(out.encoding)))
    out.client_ack = client_ack_mode::state;
  else if (client_ack == "false")
    out.client_ack = client_ack_mode::written;
  else if (!client_ack.empty() && client_ack != "true") {
    problem = "the query parameter client_ack must be true, state or false";
    return std::nullopt;
  }
  return out;
}

namespace {

/// True for a numeric address or localhost, with or without a port.
bool names_this_machine(std::string_view host) {
  if (host.starts_with('['))
    return true; // A name has no brackets.
  const auto name = host.substr(0, host.find(':'));
  return name == "localhost" || name.ends_with(".localhost")
         || name.find_first_not_of("0123456789.") == std::string_view::npos;
}

} // namespace

bool origin_allowed(const http_request& request,
                    const std::vector<std::string>& allowed,
                    core::auth_mode mode) {
  const auto origin = request.header("origin");
  if (origin.empty())
    return true;
  if (std::find(allowed.begin(), allowed.end(), origin) != allowed.end())
    return true;
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos
      || origin.substr(scheme + 3) != request.header("host"))
    return false;
  return mode != core::auth_mode::none
         || names_this_machine(origin.substr(scheme + 3));
}

} // namespace vartalap::net
