#pragma once

#include "core/cluster_core.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vartalap::core {

inline std::shared_ptr<const placement>
cluster_of(const std::vector<std::string>& names) {
  return std::make_shared<placement>(names, 16);
}

/// One node: its cluster_core and a store of listings that answers at once,
/// but not from within the question.
class cluster_node final : public cluster_port {
public:
  using send_fn = std::function<void(node_index, node_index, cluster_message)>;

  cluster_node(std::shared_ptr<const placement> where, node_index me,
               const cluster_rules& rules,
               std::deque<std::function<void()>>& to, const instant& clock,
               send_fn send)
    : me_(me), todo_(&to), clock_(&clock), send_(std::move(send)) {
    core = std::make_unique<cluster_core>(std::move(where), me, rules, *this,
                                          clock);
  }

  int agreements = 0; ///< calls of `agreed`
  std::unique_ptr<cluster_core> core;
  cluster_view_ptr view;
  std::map<bucket_id, say::listing> store;
  std::vector<bucket_id> released;
  bool refuses_copies = false;

  void send(node_index peer, cluster_message message) override {
    send_(me_, peer, std::move(message));
  }
  void publish(cluster_view_ptr now) override {
    view = std::move(now);
  }
  void release(const std::vector<bucket_id>& buckets) override {
    released.insert(released.end(), buckets.begin(), buckets.end());
    later([=, this] { core->released(buckets, *clock_); });
  }
  void read_sums(std::uint64_t request, bucket_id first,
                 std::uint32_t count) override {
    later([=, this] {
      std::vector<say::bucket_sum> sums;
      std::vector<bucket_id> graves;
      for (const auto& [bucket, list] : store) {
        if (bucket < first || bucket >= first + count)
          continue;
        std::uint64_t sum = list.devices.size();
        for (const auto& each : list.messages)
          sum += each.serverid.high * 31 + each.acks;
        const auto entries = list.messages.size() + list.devices.size();
        if (entries != 0)
          sums.push_back({bucket, static_cast<std::uint32_t>(entries), sum});
        if (!list.removals.empty())
          graves.push_back(bucket);
      }
      core->sums_read(request, sums, graves, *clock_);
    });
  }
  void read_bucket(std::uint64_t request, bucket_id bucket) override {
    later([=, this] { core->bucket_read(request, store[bucket], *clock_); });
  }
  void copy(std::uint64_t request, node_index peer, bucket_id bucket,
            const std::vector<say::message_mark>& messages) override {
    later([=, this] {
      const bool ok = take_copies(peer, bucket, messages);
      core->copied(request, ok, *clock_);
    });
  }
  void apply(std::uint64_t request, const std::vector<say::removal>& removals,
             const std::vector<say::device_of>& devices) override {
    later([=, this] {
      for (const auto& each : removals)
        remove(each);
      for (const auto& each : devices)
        store[bucket_of_user(each.user)].devices.push_back(each);
      core->applied(request, *clock_);
    });
  }
  void drop(const std::vector<say::message_mark>& messages) override {
    for (const auto& each : messages)
      erase(each.serverid);
  }
  void drop_devices(const std::vector<say::device_of>& devices) override {
    for (const auto& device : devices)
      std::erase_if(
        store[bucket_of_user(device.user)].devices,
        [&](const auto& each) { return each.record == device.record; });
  }
  void agreed() override {
    ++agreements;
  }

  void forget(const std::vector<say::removal>& removals) override {
    for (auto& [bucket, list] : store)
      std::erase_if(list.removals, [&](const auto& each) {
        for (const auto& gone : removals)
          if (gone.serverid == each.serverid)
            return true;
        return false;
      });
  }

  /// Users are named by their bucket.
  static bucket_id bucket_of_user(const std::string& user) {
    return static_cast<bucket_id>(std::stoi(user));
  }

  void put(bucket_id bucket, std::uint64_t number) {
    store[bucket].messages.push_back({std::to_string(bucket), {number, 1}, 0});
  }

  /// As a mailbox does: with a tombstone.
  void acknowledge(bucket_id bucket, std::uint64_t number) {
    remove({std::to_string(bucket), {number, 1}, {}, 0});
  }

  std::function<bool(node_index, bucket_id,
                     const std::vector<say::message_mark>&)>
    take_copies;

private:
  void later(std::function<void()> what) {
    todo_->push_back(std::move(what));
  }
  std::size_t erase(server_id serverid) {
    std::size_t count = 0;
    for (auto& [bucket, list] : store)
      count += std::erase_if(list.messages, [&](const auto& each) {
        return each.serverid == serverid;
      });
    return count;
  }
  void remove(const say::removal& what) {
    if (erase(what.serverid) != 0)
      store[bucket_of_user(what.user)].removals.push_back(what);
  }

  node_index me_;
  std::deque<std::function<void()>>* todo_;
  const instant* clock_;
  send_fn send_;
};

/// Some nodes with links that lose nothing until they are cut.
class cluster_fixture {
public:
  explicit cluster_fixture(std::size_t count, unsigned replicas = 1) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i)
      names.push_back("n" + std::to_string(i));
    where = cluster_of(names);
    rules.replicas = replicas;
    rules.slice = 5;
    rules.release_at_once = 3;
    now = {mono_time{std::chrono::hours{1}}, 1'000'000};
    linked.assign(count, std::vector<bool>(count));
    for (std::size_t i = 0; i < count; ++i)
      start(static_cast<node_index>(i));
  }

  std::shared_ptr<const placement> where;
  cluster_rules rules;
  instant now;
  std::deque<std::function<void()>> todo;
  std::vector<std::vector<bool>> linked;
  std::vector<std::unique_ptr<cluster_node>> nodes;
  std::vector<cluster_message> log; ///< everything that was sent

  cluster_node& at(node_index node) {
    return *nodes[node];
  }

  void start(node_index me) {
    if (nodes.size() <= me)
      nodes.resize(me + 1U);
    nodes[me] = std::make_unique<cluster_node>(
      where, me, rules, todo, now,
      [this](node_index from, node_index to, cluster_message message) {
        log.push_back(message);
        todo.push_back([=, this] {
          if (linked[from][to])
            at(to).core->received(from, message, now);
        });
      });
    at(me).take_copies = [this](node_index to, bucket_id bucket,
                                const std::vector<say::message_mark>& all) {
      if (at(to).refuses_copies)
        return false;
      auto& held = at(to).store[bucket].messages;
      for (const auto& each : all) {
        std::erase_if(
          held, [&](const auto& old) { return old.serverid == each.serverid; });
        held.push_back(each);
      }
      return true;
    };
  }

  void link(node_index a, node_index b, bool trusted_b = true) {
    linked[a][b] = linked[b][a] = true;
    at(a).core->link_up(b, trusted_b, now);
    at(b).core->link_up(a, true, now);
    run();
  }

  void cut(node_index a, node_index b) {
    linked[a][b] = linked[b][a] = false;
    at(a).core->link_down(b, now);
    at(b).core->link_down(a, now);
    run();
  }

  void link_all() {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        link(static_cast<node_index>(i), static_cast<node_index>(j));
    pass(std::chrono::seconds{10});
  }

  void run() {
    while (!todo.empty()) {
      const auto next = std::move(todo.front());
      todo.pop_front();
      next();
    }
  }

  /// Lets time pass, in ticks.
  void pass(milliseconds time) {
    constexpr milliseconds step{100};
    for (; time.count() > 0; time -= step) {
      now.mono += step;
      now.wall += 100;
      for (auto& each : nodes)
        each->core->tick(now);
      run();
    }
  }

  node_index home(bucket_id bucket) const {
    return where->line(bucket)[0];
  }
  node_index second(bucket_id bucket) const {
    return where->line(bucket)[1];
  }
  node_index third(bucket_id bucket) const {
    return where->line(bucket)[2];
  }

  bool all_home() const {
    for (const auto& each : nodes)
      for (std::size_t b = 0; b < where->buckets(); ++b)
        if (const auto bucket = static_cast<bucket_id>(b);
            each->view->owner(bucket) != home(bucket))
          return false;
    return true;
  }

  bool all_calm() const {
    for (const auto& each : nodes)
      if (!each->view->calm)
        return false;
    return true;
  }
};

} // namespace vartalap::core
