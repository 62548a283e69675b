#include "actors/access_keys.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace vartalap::actors {

namespace {

core::wall_ms wall_now() {
  return static_cast<core::wall_ms>(
    std::chrono::duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
}

bool is_over(const net::access_key_record& record, core::wall_ms now) {
  return record.expires != 0 && record.expires <= now;
}

/// @throws std::runtime_error where the disk fails.
std::vector<access_keys::line> read_all(storage::store& from,
                                        const std::string& user) {
  std::vector<access_keys::line> out;
  for (auto& row : from.rows(user, storage::row_kind::access_key))
    if (auto record = net::decode_access_key(row.value))
      out.push_back({std::move(row.name), std::move(*record)});
  return out;
}

net::proof look_up(storage::store& in, const std::string& user,
                   const std::string& hash) {
  net::proof out;
  const auto now = wall_now();
  for (const auto& one : read_all(in, user))
    if (net::equal_in_constant_time(one.hash, hash) && !is_over(one.what, now))
      out = net::proven{user, one.what.expires, hash};
  return out;
}

} // namespace

void access_keys::check(const net::credentials& shown, net::shard& home,
                        std::function<void(net::proof)> answer) {
  const auto& key = shown.secret();
  auto user = net::user_of_access_key(key);
  if (!user || (!shown.user.empty() && shown.user != *user))
    return answer(std::nullopt);
  node_.workers.post([&store = node_.store, &log = node_.log, &home,
                      user = std::move(*user),
                      hash = net::hash_of_access_key(key),
                      answer = std::move(answer)]() mutable {
    net::proof found;
    try {
      found = look_up(store, user, hash);
    } catch (const std::exception& problem) {
      log.write(core::log_level::error, "auth",
                std::string("cannot read access keys: ") + problem.what());
    }
    home.post([found = std::move(found), answer = std::move(answer)] {
      answer(found);
    });
  });
}

void access_keys::list(
  const std::string& user, net::shard& home,
  std::function<void(std::optional<std::vector<line>>)> answer) {
  node_.workers.post(
    [&store = node_.store, &home, user, answer = std::move(answer)]() mutable {
      std::optional<std::vector<line>> found;
      try {
        found = read_all(store, user);
        std::erase_if(*found, [now = wall_now()](const auto& one) {
          return is_over(one.what, now);
        });
      } catch (const std::exception&) {
        found.reset();
      }
      home.post([found = std::move(found), answer = std::move(answer)] {
        answer(found);
      });
    });
}

void access_keys::erase(const std::string& user, const std::string& hash) {
  auto& shard = node_.shard_of(user);
  shard.home.post([this, &shard, user, hash] {
    shard.change_row(
      storage::op::erase_row{user, storage::row_kind::access_key, hash},
      [this, hash](bool) { node_.identity.in_use.close(hash); });
  });
}

void access_keys::issue(
  const std::string& user, const std::string& device, net::shard& home,
  std::function<void(std::optional<std::string>)> answer) {
  const auto key = net::make_access_key(user);
  if (!key)
    return answer(std::nullopt);
  const auto now = wall_now();
  const auto ttl = node_.options.auth.accesskey_ttl.count();
  net::access_key_record record{now, 0, device};
  if (ttl > 0)
    record.expires = now + static_cast<core::wall_ms>(ttl);
  storage::op::put_row put{user, storage::row_kind::access_key,
                           net::hash_of_access_key(*key),
                           net::encode_access_key(record)};
  const auto kept = node_.options.auth.accesskeys_per_user;
  node_.workers.post([this, &home, user, now, kept, key = *key,
                      put = std::move(put),
                      answer = std::move(answer)]() mutable {
    try {
      auto known = read_all(node_.store, user);
      std::sort(known.begin(), known.end(),
                [now](const auto& a, const auto& b) {
                  return std::pair(is_over(a.what, now), b.what.issued)
                         < std::pair(is_over(b.what, now), a.what.issued);
                });
      for (std::size_t i = 0; i < known.size(); ++i)
        if (is_over(known[i].what, now) || i + 1 >= kept)
          erase(user, known[i].hash);
    } catch (const std::exception& problem) {
      node_.log.write(core::log_level::error, "auth",
                      std::string("cannot read access keys: ")
                        + problem.what());
    }
    auto& shard = node_.shard_of(user);
    shard.home.post([&shard, &home, key, put = std::move(put),
                     answer = std::move(answer)]() mutable {
      shard.change_row(std::move(put),
                       [&home, key, answer = std::move(answer)](bool done) {
                         home.post([key, done, answer] {
                           answer(done ? std::optional(key) : std::nullopt);
                         });
                       });
    });
  });
}

void access_keys::revoke(const std::string& user,
                         const std::vector<std::string>& hashes,
                         net::shard& home, std::function<void(bool)> answer) {
  struct progress {
    std::size_t open;
    bool done = true;
  };
  if (hashes.empty())
    return answer(true);
  auto& shard = node_.shard_of(user);
  shard.home.post([this, &shard, &home, user, hashes,
                   left = std::make_shared<progress>(progress{hashes.size()}),
                   answer = std::move(answer)] {
    for (const auto& hash : hashes)
      shard.change_row(
        storage::op::erase_row{user, storage::row_kind::access_key, hash},
        [this, &home, hash, left, answer](bool done) {
          if (done)
            node_.identity.in_use.close(hash);
          left->done = left->done && done;
          if (--left->open == 0)
            home.post([done = left->done, answer] { answer(done); });
        });
  });
}

} // namespace vartalap::actors
