// What a group of many members costs: messages to it, most members away, some
// connected and timed. docs/performance.md has the figures.
//
//   groups_bench [members] [connected] [messages]

#include "test/integration/rig/admin_client.hpp"
#include "test/integration/rig/chat_peer.hpp"
#include "test/integration/rig/http_client.hpp"
#include "test/integration/rig/server_process.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace vartalap::integration;

namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using milliseconds_of = duration<double, std::milli>;

std::string member(int i) {
  return "member" + std::to_string(i);
}

std::string call(std::uint16_t port, const std::string& path,
                 const std::string& body) {
  const auto answer = http(
    port, {.method = "POST", .path = path, .user = "alice", .body = body});
  if (answer.status != 200)
    throw std::runtime_error(path + ": " + answer.body);
  return answer.body;
}

std::string list_of(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i)
    out += (out.empty() ? "[\"" : ",\"") + member(i) + '"';
  return out + ']';
}

void wait_for_finished(const server_process& server, int count) {
  if (!comes_true(
        [&] { return metric(server, "group_finished_total") >= count; },
        milliseconds{600'000}))
    throw std::runtime_error("the group does not come to an end");
}

double part(std::vector<double>& sorted, double share) {
  std::sort(sorted.begin(), sorted.end());
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<std::size_t>(share * last)];
}

/// When each message had come to this member, by its number.
using arrivals = std::map<int, clock::time_point>;

/// What listeners have told, to be waited for.
class tally {
public:
  void add() {
    const std::lock_guard lock{mutex_};
    ++count_;
    changed_.notify_one();
  }
  void wait_for(int count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return count_ >= count; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

arrivals listen(std::uint16_t port, int who, int messages, tally& heard_by) {
  chat_peer peer(port, member(who));
  arrivals out;
  // The events of the group's making come first.
  for (bool is_ready = false; static_cast<int>(out.size()) < messages;) {
    const auto got = peer.hear(milliseconds{600'000});
    if (got.kind != heard::what::delivery)
      continue;
    const auto is_first
      = got.id == "ready"
          ? !std::exchange(is_ready, true)
          : got.id.starts_with('m')
              && out.emplace(std::stoi(got.id.substr(1)), clock::now()).second;
    if (is_first)
      heard_by.add();
    peer.acknowledge({got.server_id});
  }
  return out;
}

void run(int members, int connected, int messages) {
  server_process server({{"limits.message_rate", "0"},
                         {"limits.max_connections_per_address", "0"}});
  const auto port = server.port();
  auto start = clock::now();
  const auto group = json_at(call(port, "/groups/",
                                  R"({"name":"large","members":)"
                                    + list_of(0, std::min(members, 100)) + "}"),
                             "/groupId");
  int changes = 1;
  for (int at = 100; at < members; at += 50, ++changes)
    call(port, "/groups/" + group + "/members",
         "{\"members\":" + list_of(at, std::min(at + 50, members)) + "}");
  wait_for_finished(server, changes);
  const auto events = metric(server, "group_copies_total{what=\"sent\"}");
  std::printf("made of %d members by %d calls, %.0f events and notes: %.1f s\n",
              members, changes, events,
              duration<double>(clock::now() - start).count());

  const auto frame = [&group](const std::string& id) {
    return R"({"_v":2.1,"id":")" + id + R"(","head":{"type":"group","to":")"
           + group + R"("},"body":{"text":")" + std::string(200, 'x') + "\"}}";
  };
  tally heard_by;
  std::vector<arrivals> arrived(static_cast<std::size_t>(connected));
  std::vector<std::thread> listeners;
  for (int i = 0; i < connected; ++i)
    listeners.emplace_back([&, i] {
      arrived[static_cast<std::size_t>(i)]
        = listen(port, i * (members / connected), messages, heard_by);
    });
  chat_peer alice(port, "alice");
  alice.ws.send(frame("ready"));
  heard_by.wait_for(connected);
  wait_for_finished(server, changes + 1);

  std::vector<double> confirmed;
  std::vector<clock::time_point> sent;
  const auto cpu = server.cpu_time();
  for (int i = 0; i < messages; ++i) {
    const auto id = "m" + std::to_string(i);
    sent.push_back(clock::now());
    alice.ws.send(frame(id));
    auto got = alice.hear();
    for (; got.id != id; got = alice.hear())
      alice.acknowledge({got.server_id});
    if (got.kind != heard::what::server_ack)
      throw std::runtime_error(id + " was refused");
    confirmed.push_back(milliseconds_of(clock::now() - sent.back()).count());
    // The rest of the members have it by then, or the next waits for them.
    heard_by.wait_for(connected * (i + 2));
  }
  wait_for_finished(server, changes + 1 + messages);
  const auto all_took
    = duration<double, std::micro>(clock::now() - sent.front());
  const auto spent = duration<double, std::micro>(server.cpu_time() - cpu);
  for (auto& one : listeners)
    one.join();
  std::vector<double> delays;
  for (const auto& each : arrived)
    for (const auto& [number, when] : each)
      delays.push_back(
        milliseconds_of(when - sent[static_cast<std::size_t>(number)]).count());
  std::printf("%d messages, one after the other; %d of the members connected\n"
              "server CPU a member and message: %.1f us\n"
              "confirmed after, ms: p50 %.1f, p99 %.1f\n"
              "delivered after, ms: p50 %.1f, p99 %.1f, most %.1f\n"
              "all of it, a member and message: %.1f us\n",
              messages, connected,
              spent.count() / (static_cast<double>(messages) * members),
              part(confirmed, 0.5), part(confirmed, 0.99), part(delays, 0.5),
              part(delays, 0.99), part(delays, 1),
              all_took.count() / (static_cast<double>(messages) * members));
}

} // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, int otherwise) {
    return argc > at ? std::atoi(argv[at]) : otherwise;
  };
  try {
    run(number(1, 9999), number(2, 100), number(3, 50));
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 1;
  }
}
