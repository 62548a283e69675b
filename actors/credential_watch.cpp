#include "actors/credential_watch.hpp"

#include "actors/shard_context.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace vartalap::actors {

namespace {

/// A client that has a new credential may come back at once.
constexpr std::int64_t come_back_after_ms = 0;

constexpr std::size_t ended_max = 256;

void close_soon(net::shard& home, std::weak_ptr<net::session> which) {
  home.post([which = std::move(which)] {
    if (const auto session = which.lock())
      session->close(net::close_code::token_expired, "access key revoked",
                     come_back_after_ms);
  });
}

/// Farther deadlines are as good as never, and must not overflow.
constexpr core::wall_ms longest_wait = 10'000LL * 24 * 3600 * 1000;

} // namespace

std::uint64_t live_keys::add(const std::string& key,
                             const std::shared_ptr<net::session>& session) {
  const std::lock_guard lock(mutex_);
  const auto number = ++last_;
  if (has_ended(key))
    close_soon(session->home(), session);
  open_.emplace(key, open_one{number, &session->home(), session});
  return number;
}

void live_keys::remove(const std::string& key, std::uint64_t which) {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = open_.equal_range(key);
  const auto found = std::find_if(first, last, [which](const auto& one) {
    return one.second.number == which;
  });
  if (found != last)
    open_.erase(found);
}

void live_keys::close(const std::string& key) {
  std::vector<open_one> ending;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = open_.equal_range(key);
    for (auto i = first; i != last; ++i)
      ending.push_back(i->second);
    ended_.push_back(key);
    if (ended_.size() > ended_max)
      ended_.pop_front();
  }
  for (auto& one : ending)
    close_soon(*one.home, std::move(one.session));
}

bool live_keys::has_ended(const std::string& key) const {
  return std::find(ended_.begin(), ended_.end(), key) != ended_.end();
}

std::unique_ptr<credential_watch>
credential_watch::begin(shard_context& context,
                        const std::shared_ptr<net::session>& session,
                        const net::client_info& client) {
  if (client.expires == 0 && client.key.empty())
    return nullptr;
  return std::make_unique<credential_watch>(context, session, client);
}

credential_watch::credential_watch(shard_context& context,
                                   const std::shared_ptr<net::session>& session,
                                   const net::client_info& client)
  : context_(context), session_(session), key_(client.key) {
  if (!key_.empty())
    number_ = context_.node.identity.in_use.add(key_, session);
  if (client.expires == 0)
    return;
  const auto now = context_.now();
  const auto left = client.expires > now.wall ? client.expires - now.wall : 0;
  const core::milliseconds wait{
    static_cast<std::int64_t>(std::min(left, longest_wait))};
  context_.home.timers().arm(*this, now.mono + wait);
}

credential_watch::~credential_watch() {
  context_.home.timers().cancel(*this);
  if (!key_.empty())
    context_.node.identity.in_use.remove(key_, number_);
}

void credential_watch::on_timer(core::mono_time) {
  if (const auto session = session_.lock())
    session->close(net::close_code::token_expired, "token expired",
                   come_back_after_ms);
}

} // namespace vartalap::actors
