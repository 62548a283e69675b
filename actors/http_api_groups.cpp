// The calls about groups, in both spellings.

#include "actors/http_api.hpp"
#include "actors/refusals.hpp"
#include "core/group.hpp"
#include "net/api_groups.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vartalap::actors {

namespace {

constexpr std::string_view status_true = R"({"status":true})";
constexpr std::string_view status_false = R"({"status":false})";

std::array<unsigned char, 16> random_bytes(bool& ok) {
  std::array<unsigned char, 16> out{};
  ok = ::getrandom(out.data(), out.size(), 0)
       == static_cast<ssize_t>(out.size());
  return out;
}

/// A UUID of version 4; empty where the system has no random bits.
std::string make_group_id() {
  bool ok = false;
  auto bytes = random_bytes(ok);
  if (!ok)
    return {};
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3fU) | 0x80U);
  auto hex = core::server_id::from_bytes(bytes.data()).to_hex();
  for (const std::size_t at : {8U, 13U, 18U, 23U})
    hex.insert(at, 1, '-');
  return hex;
}

/// What a call's path asks for, in either spelling.
struct asked {
  enum class what {
    nothing,
    list,
    create,
    info,
    add,
    remove
  } call
    = what::nothing;
  std::string id{};
  bool is_method_wrong = false;
};

asked read_path(const net::http_request& request) {
  std::string_view path = request.path;
  if (path.ends_with('/'))
    path.remove_suffix(1);
  std::vector<std::string_view> parts;
  for (path.remove_prefix(1); !path.empty();) {
    const auto slash = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  const auto& method = request.method;
  const auto is_old = parts[0] == "group";
  const auto is_get = method == "GET";
  using what = asked::what;
  const auto when = [](bool right, what call, std::string_view id = {}) {
    return asked{right ? call : what::nothing, std::string(id), !right};
  };
  if (parts.size() == 1 && !is_old)
    return when(is_get || method == "POST", is_get ? what::list : what::create);
  if (parts.size() == 2 && is_old && parts[1] == "get")
    return when(is_get, what::list);
  if (parts.size() == 2 && is_old && parts[1] == "create")
    return when(method == "POST", what::create);
  if (parts.size() == 2)
    return when(is_get, what::info, parts[1]);
  if (parts.size() != 3)
    return {};
  if (parts[2] == "members" && !is_old)
    return when(method == "POST" || method == "DELETE",
                method == "POST" ? what::add : what::remove, parts[1]);
  if (is_old && (parts[2] == "add" || parts[2] == "remove"))
    return when(method == "POST", parts[2] == "add" ? what::add : what::remove,
                parts[1]);
  return {};
}

/// Has a group change; `answer` hears, on the call's home, `none` once that is
/// durable, or why not.
void command(node_context& node, const http_call_ptr& call,
             const std::string& group, const core::group_command& what,
             std::function<void(core::refusal)> answer) {
  auto message = std::make_shared<core::envelope>();
  core::write_command(what, *message);
  message->to = core::group_mailbox(group);
  auto origin = std::make_shared<submission_origin>();
  origin->confirmed = [call, answer](const core::effect::confirm&) {
    call->home().post([answer] { answer(core::refusal::none); });
  };
  origin->refused = [call, answer](const core::effect::refuse& why) {
    call->home().post([answer, code = why.code] { answer(code); });
  };
  auto& shard = node.shard_of(message->to);
  tell(shard.router, submit{{{std::move(message), std::move(origin)}}});
}

/// What the group says of itself to its members, empty for others; on any
/// thread.
void ask_group(node_context& node, const std::string& user,
               const std::string& group,
               std::function<void(std::string, bool failed)> answer) {
  list_pending ask;
  ask.user = core::group_mailbox(group);
  ask.device = user;
  ask.answer = [answer = std::move(answer)](const pending_page& page) {
    answer(page.messages.empty() ? std::string()
                                 : page.messages.front()->content,
           page.failed);
  };
  auto& shard = node.shard_of(ask.user);
  tell(shard.router, std::move(ask));
}

void refuse_for_now(http_call& call) {
  call.refuse(503, "unavailable", "the group cannot be reached now: try again");
}

/// The groups of one answer, as they come.
struct group_bodies {
  std::vector<std::string> all;
  std::size_t open = 0;
  bool failed = false;

  std::string body() const {
    std::string out = "[";
    for (const auto& one : all) {
      if (one.empty()) // left meanwhile
        continue;
      if (out.size() > 1)
        out += ',';
      out += one;
    }
    return out + ']';
  }
};

/// As the original answers a change.
void answer_change(http_call& call, core::refusal code) {
  switch (code) {
    case core::refusal::none:
      return call.answer(200, std::string(status_true));
    case core::refusal::forbidden:
      return call.answer(200, std::string(status_false));
    case core::refusal::unknown_group:
    case core::refusal::not_a_member:
      return call.answer(404, std::string(status_false));
    case core::refusal::too_large:
      return call.refuse(413, "too_large",
                         "a group has at most "
                           + std::to_string(core::group_members_max)
                           + " members");
    default:
      return refuse_for_now(call);
  }
}

template <class Request>
Request* accepted(http_call& call, net::api::parsed<Request>& body) {
  if (auto* bad = std::get_if<net::api::refused>(&body))
    call.refuse(bad->status, core::to_string(bad->code), bad->why);
  return std::get_if<Request>(&body);
}

} // namespace

void http_api::groups(const http_call_ptr& call) {
  using what = asked::what;
  const auto asks = read_path(call->request());
  if (asks.is_method_wrong)
    return call->refuse(405, "bad_frame", "this call takes another method");
  if (asks.call == what::nothing)
    return call->refuse(404, "bad_frame", "there is no such call");
  if (asks.call == what::list)
    return list_groups(call);
  // A change goes to all members, as a message does.
  if (asks.call != what::info && !spend_rate(*call, node_.rates, 1))
    return;
  if (asks.call == what::create)
    return create_group(call);
  if (!core::is_group_id(asks.id))
    return call->answer(404, std::string(status_false));
  if (asks.call == what::info)
    return show_group(call, asks.id);
  change_group(call, asks.id, asks.call == what::add);
}

void http_api::create_group(const http_call_ptr& call) {
  auto parsed = net::api::parse_create_group(call->request().body);
  auto* body = accepted(*call, parsed);
  if (body == nullptr)
    return;
  const auto group = make_group_id();
  if (group.empty())
    return call->refuse(503, "unavailable", "no random bits: try again");
  call->wait();
  command(node_, call, group,
          {core::group_command::action::create, call->user,
           std::move(body->members), std::move(body->name),
           std::move(body->picture)},
          [call, group](core::refusal code) {
            if (code == core::refusal::none)
              call->answer(200, net::api::group_created_body(group));
            else
              answer_change(*call, code);
          });
}

void http_api::change_group(const http_call_ptr& call, const std::string& group,
                            bool add) {
  core::group_command what{core::group_command::action::add, call->user, {}};
  if (add) {
    auto parsed = net::api::parse_add_members(call->request().body);
    auto* users = accepted(*call, parsed);
    if (users == nullptr)
      return;
    what.users = std::move(*users);
  } else {
    auto parsed = net::api::parse_remove_member(call->request().body);
    auto* user = accepted(*call, parsed);
    if (user == nullptr)
      return;
    what.what = core::group_command::action::remove;
    what.users.push_back(std::move(*user));
  }
  call->wait();
  command(node_, call, group, what,
          [call](core::refusal code) { answer_change(*call, code); });
}

void http_api::show_group(const http_call_ptr& call, const std::string& group) {
  call->wait();
  ask_group(node_, call->user, group, [call](std::string body, bool failed) {
    call->home().post([call, body = std::move(body), failed] {
      if (failed)
        refuse_for_now(*call);
      else if (body.empty())
        call->answer(404, std::string(status_false));
      else
        call->answer(200, body);
    });
  });
}

void http_api::list_groups(const http_call_ptr& call) {
  call->wait();
  list_pending ask;
  ask.user = core::groups_of_user(call->user);
  ask.device = call->user;
  ask.answer = [this, call](const pending_page& page) {
    std::vector<std::string> ids;
    for (const auto& one : page.messages)
      ids.push_back(one->content);
    call->home().post([this, call, ids = std::move(ids), failed = page.failed] {
      if (failed)
        return refuse_for_now(*call);
      if (ids.empty())
        return call->answer(200, "[]");
      const auto gathered = std::make_shared<group_bodies>();
      gathered->all.resize(ids.size());
      gathered->open = ids.size();
      for (std::size_t i = 0; i < ids.size(); ++i)
        ask_group(node_, call->user, ids[i],
                  [call, gathered, i](std::string body, bool missing) {
                    call->home().post([call, gathered, i, missing,
                                       body = std::move(body)]() mutable {
                      gathered->all[i] = std::move(body);
                      gathered->failed = gathered->failed || missing;
                      if (--gathered->open != 0)
                        return;
                      if (gathered->failed)
                        refuse_for_now(*call);
                      else
                        call->answer(200, gathered->body());
                    });
                  });
    });
  };
  auto& shard = node_.shard_of(ask.user);
  tell(shard.router, std::move(ask));
}

} // namespace vartalap::actors
