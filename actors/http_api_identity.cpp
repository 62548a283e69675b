// The calls about who is who: login, access keys, contact book, blocks.

#include "actors/access_keys.hpp"
#include "actors/http_api.hpp"
#include "net/api_identity_json.hpp"
#include "net/api_json.hpp"
#include "net/push_target_json.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace vartalap::actors {

namespace {

/// Blocked senders of one user: a mailbox that is open keeps them in memory.
constexpr std::size_t blocks_max = 1000;

/// Where names are believed, what is handed out proves nothing: 128 random
/// bits as 32 hex digits; empty where the system has none.
std::string make_token_of_none() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0)
      != static_cast<ssize_t>(bytes.size()))
    return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

void refuse_rate(http_call& call, core::microseconds wait,
                 std::string_view why) {
  auto refused = net::http_error(429, "rate_limited", why);
  const auto seconds = (wait.count() + 999'999) / 1'000'000;
  refused.headers.emplace_back("Retry-After", std::to_string(seconds));
  call.answer(std::move(refused));
}

/// For a page: no script can read it, and no other site's page can have it
/// sent.
std::string cookie_of(const http_call& call, const std::string& key,
                      std::int64_t max_age) {
  return "accesskey=" + key + "; Path=/; HttpOnly; SameSite=Strict; Max-Age="
         + std::to_string(max_age) + (call.request().secure ? "; Secure" : "");
}

void count(identity_services& in, login_verdict how) {
  in.decided.at(static_cast<std::size_t>(how))
    .fetch_add(1, std::memory_order_relaxed);
}

/// The last part of a path: /keys/{id}.
std::string name_below(const http_call& call, std::string_view folder) {
  const auto& path = call.request().path;
  return path.size() > folder.size() ? path.substr(folder.size())
                                     : std::string();
}

void answer_done(http_call& call, bool done) {
  if (done)
    call.answer(200, "{\"status\":true}");
  else
    call.refuse(503, "unavailable", "it cannot be stored now: try it again");
}

} // namespace

void http_api::login(const http_call_ptr& call) {
  auto parsed = net::api::parse_login(call->request().body);
  if (const auto* bad = std::get_if<net::api::refused>(&parsed))
    return call->refuse(bad->status, core::to_string(bad->code), bad->why);
  auto& body = std::get<net::api::login_request>(parsed);
  auto target
    = net::api::parse_notification_token(body.notification_token.value_or(""));
  if (const auto* bad = std::get_if<net::api::refused>(&target))
    return call->refuse(bad->status, core::to_string(bad->code), bad->why);
  if (body.auth_token.empty())
    body.auth_token = call->request().header("token");
  call->user = body.username;
  change_device change{call->user, body.device_id};
  change.push = std::move(std::get<0>(target));
  if (who_.mode() == core::auth_mode::none)
    return finish_login(call, std::move(change), {});
  // Before anybody is asked: guessing is what this is to slow down. Names in a
  // space of their own, so that none looks like an address.
  auto& rates = node_.identity.logins;
  const auto now = call->home().now();
  auto wait = rates.try_spend(call->request().remote, 1, now);
  if (wait <= core::microseconds::zero())
    wait = rates.try_spend("user " + call->user, 1, now);
  if (wait > core::microseconds::zero())
    return refuse_rate(*call, wait, "too many logins: try again later");
  if (who_.mode() == core::auth_mode::jwt)
    return login_with_token(call, std::move(body), std::move(change));
  if (node_.identity.login == nullptr)
    return call->refuse(501, "unavailable",
                        "no login provider is configured (auth.login)");
  call->wait();
  login_question ask{body.username, std::move(body.auth_token)};
  node_.identity.login->ask(
    std::move(ask),
    [this, call, change = std::move(change)](login_verdict verdict) {
      call->home().post([this, call, change, verdict] {
        count(node_.identity, verdict);
        if (verdict == login_verdict::no)
          return call->answer(401, "{}");
        if (verdict == login_verdict::unavailable)
          return call->refuse(503, "unavailable",
                              "nobody can check this login now: try it again");
        finish_login(call, change, {});
      });
    });
}

void http_api::login_with_token(const http_call_ptr& call,
                                net::api::login_request body,
                                change_device change) {
  net::credentials shown;
  shown.bearer = body.auth_token;
  shown.user = body.username;
  who_.check(shown, call->home(),
             [this, call, change = std::move(change),
              token = body.auth_token](net::proof who) {
               count(node_.identity,
                     who ? login_verdict::yes : login_verdict::no);
               if (!who)
                 return call->answer(401, "{}");
               finish_login(call, change, {token, who->expires});
             });
}

void http_api::finish_login(const http_call_ptr& call, change_device change,
                            login_token token) {
  call->wait();
  auto& shard = node_.shard_of(call->user);
  // One after the other to the same actor: what it was before, the device,
  // and whether there was room for it.
  const auto is_new = std::make_shared<bool>(false);
  inspect_user before{call->user, {}};
  before.answer = [is_new](const core::mailbox::inspection& found) {
    *is_new = found.devices.empty() && found.pending == 0;
  };
  tell(shard.router, std::move(before));
  auto device = change.device;
  tell(shard.router, std::move(change));
  inspect_user ask{call->user, {}};
  ask.answer = [this, call, is_new, device = std::move(device),
                token = std::move(token),
                limit = node_.options.limits.devices_per_user](
                 const core::mailbox::inspection& found) {
    call->home().post([this, call, device, token, is_new = *is_new,
                       known = found.knows(device),
                       full = is_full(found, limit)] {
      if (!known && full)
        return refuse_device(*call);
      if (!known)
        return call->refuse(
          503, "unavailable",
          "the device could not be registered now: try again");
      hand_out_key(call, device, token, is_new);
    });
  };
  tell(shard.router, std::move(ask));
}

void http_api::hand_out_key(const http_call_ptr& call,
                            const std::string& device, const login_token& token,
                            bool is_new) {
  const auto done = [call, is_new](const std::string& key, std::int64_t age) {
    net::http_response out;
    out.body = net::api::login_body(call->user, key, is_new);
    if (age > 0)
      out.headers.emplace_back("Set-Cookie", cookie_of(*call, key, age));
    // A proxy or browser that keeps it would hand out the key.
    out.headers.emplace_back("Cache-Control", "no-store");
    call->answer(std::move(out));
  };
  if (who_.mode() == core::auth_mode::accesskey) {
    // "For ever" as long as browsers keep anything.
    constexpr std::int64_t ever = 400LL * 24 * 3600;
    const auto ttl = node_.options.auth.accesskey_ttl.count() / 1000;
    return node_.identity.keys->issue(
      call->user, device, call->home(),
      [call, done, age = ttl > 0 ? ttl : ever](std::optional<std::string> key) {
        if (key)
          done(*key, age);
        else
          call->refuse(503, "unavailable",
                       "no access key can be stored now: try it again");
      });
  }
  if (who_.mode() == core::auth_mode::jwt) {
    const auto now = node_.shards[call->home().index()]->now().wall;
    const auto left = token.expires > now ? (token.expires - now) / 1000 : 0;
    return done(token.text, static_cast<std::int64_t>(left));
  }
  const auto key = make_token_of_none();
  if (key.empty())
    return call->refuse(503, "unavailable", "no random bits: try again");
  done(key, 0);
}

void http_api::list_keys(const http_call_ptr& call) {
  if (node_.identity.keys == nullptr)
    return call->refuse(404, "bad_frame",
                        "there are no access keys: auth.mode is another");
  call->wait();
  node_.identity.keys->list(call->user, call->home(), [call](auto found) {
    if (!found)
      return call->refuse(503, "unavailable", "cannot be read now");
    std::vector<net::api::key_line> lines;
    for (const auto& one : *found)
      lines.push_back({net::id_of_access_key(one.hash), one.what.device,
                       one.what.issued, one.what.expires,
                       one.hash == call->key});
    call->answer(200, net::api::keys_body(lines));
  });
}

void http_api::revoke_keys(const http_call_ptr& call) {
  auto* keys = node_.identity.keys;
  if (keys == nullptr)
    return call->refuse(404, "bad_frame",
                        "there are no access keys: auth.mode is another");
  const auto id = name_below(*call, "/keys/");
  call->wait();
  keys->list(call->user, call->home(), [keys, call, id](auto found) {
    if (!found)
      return call->refuse(503, "unavailable", "cannot be read now");
    std::vector<std::string> ending;
    bool is_current = false;
    for (const auto& one : *found) {
      const bool current = one.hash == call->key;
      if (!id.empty() && id != net::id_of_access_key(one.hash)
          && !(id == "current" && current))
        continue;
      is_current = is_current || current;
      ending.push_back(one.hash);
    }
    if (!id.empty() && ending.empty())
      return call->refuse(404, "bad_frame", "you have no such key");
    keys->revoke(
      call->user, ending, call->home(), [call, is_current](bool done) {
        net::http_response out;
        out.body = "{\"status\":true}";
        if (is_current)
          out.headers.emplace_back("Set-Cookie", cookie_of(*call, "", 0));
        if (done)
          call->answer(std::move(out));
        else
          answer_done(*call, false);
      });
  });
}

void http_api::sync_contacts(const http_call_ptr& call) {
  auto parsed = net::api::parse_contacts(call->request().body);
  if (const auto* bad = std::get_if<net::api::refused>(&parsed))
    return call->refuse(bad->status, core::to_string(bad->code), bad->why);
  auto& names = std::get<std::vector<std::string>>(parsed);
  if (names.empty())
    return call->answer(200, "{}");
  // By name, not by call: what it is to slow down is trying names.
  const auto wait = node_.identity.contacts.try_spend(
    call->user, static_cast<double>(names.size()), call->home().now());
  if (wait > core::microseconds::zero())
    return refuse_rate(*call, wait,
                       "too many names asked for: try again later");
  struct progress {
    std::size_t open;
    std::vector<std::string> known;
  };
  const auto left = std::make_shared<progress>(progress{names.size(), {}});
  call->wait();
  for (auto& name : names) {
    inspect_user ask{name, {}};
    ask.answer = [call, left, name](const core::mailbox::inspection& found) {
      call->home().post([call, left, name, known = !found.devices.empty()] {
        if (known)
          left->known.push_back(name);
        if (--left->open == 0)
          call->answer(200, net::api::contacts_body(left->known));
      });
    };
    tell(node_.shard_of(name).router, std::move(ask));
  }
}

bool http_api::refuse_in_cluster(http_call& call) const {
  if (!node_.cluster)
    return false;
  // The node that has the mailbox would not hear of it: rather none than one
  // that does not block.
  call.refuse(501, "unavailable",
              "blocks are not in this version where there are several nodes");
  return true;
}

void http_api::list_blocks(const http_call_ptr& call) {
  if (refuse_in_cluster(*call))
    return;
  call->wait();
  node_.workers.post([&store = node_.store, call] {
    std::vector<std::string> names;
    bool failed = false;
    try {
      for (auto& one : store.rows(call->user, storage::row_kind::block))
        names.push_back(std::move(one.name));
    } catch (const std::exception&) {
      failed = true;
    }
    call->home().post([call, failed, names = std::move(names)] {
      if (failed)
        call->refuse(503, "unavailable", "cannot be read now: try it again");
      else
        call->answer(200, net::api::names_body(names));
    });
  });
}

void http_api::change_block(const http_call_ptr& call) {
  if (refuse_in_cluster(*call))
    return;
  auto sender = name_below(*call, "/blocks/");
  if (!core::is_valid_user(sender) || sender == call->user)
    return call->refuse(400, "bad_frame",
                        "/blocks/{user} names another user: 1 to 128 bytes of "
                        "UTF-8 without control characters");
  const bool remove = call->request().method == "DELETE";
  call->wait();
  node_.workers.post([this, call, remove, sender = std::move(sender)] {
    bool full = false;
    try {
      const auto known = node_.store.rows(call->user, storage::row_kind::block);
      full = !remove && known.size() >= blocks_max
             && std::none_of(known.begin(), known.end(), [&](const auto& one) {
                  return one.name == sender;
                });
    } catch (const std::exception&) {
      // Then storing it fails too.
    }
    auto& shard = node_.shard_of(call->user);
    if (full)
      return call->home().post([call] {
        call->refuse(403, "forbidden", "you block 1000 users already");
      });
    shard.home.post([&shard, call, remove, sender] {
      storage::operation what;
      if (remove)
        what = storage::op::erase_row{call->user, storage::row_kind::block,
                                      sender};
      else
        what = storage::op::put_row{call->user, storage::row_kind::block,
                                    sender, ""};
      shard.change_row(
        std::move(what), [&shard, call, remove, sender](bool done) {
          if (done)
            tell(shard.router, set_block{call->user, sender, !remove});
          call->home().post([call, done] { answer_done(*call, done); });
        });
    });
  });
}

} // namespace vartalap::actors
