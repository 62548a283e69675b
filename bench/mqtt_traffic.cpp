#include "bench/mqtt_traffic.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace vartalap::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t packet_ids = 65535; // 1 to 65535, 0 is not allowed
constexpr auto straggler_timeout = 20s;   // without any progress

/// Starts every payload; the rest is filling.
struct stamp {
  std::uint32_t sender = 0;
  std::uint32_t sequence = 0;
};

std::optional<stamp> read_stamp(const mqtt::packet& message) {
  stamp s;
  if (message.payload.size() < sizeof s)
    return std::nullopt;
  std::memcpy(&s, message.payload.data(), sizeof s);
  return s;
}

std::uint16_t packet_id_of(std::uint32_t sequence) {
  return static_cast<std::uint16_t>(sequence % packet_ids + 1);
}

} // namespace

mqtt_traffic::mqtt_traffic(std::uint16_t port, std::size_t users,
                           std::size_t payload_bytes, done_when rule)
  : swarm(port, users, *this), rule_(rule), flows_(users),
    payload_(std::max(payload_bytes, sizeof(stamp)), 'x') {
}

void mqtt_traffic::send(std::size_t sender, std::size_t recipient,
                        steady_time scheduled) {
  auto& f = flows_[sender];
  if (f.open.size() == packet_ids)
    throw std::runtime_error("the server cannot keep up with this rate: "
                             + std::to_string(packet_ids)
                             + " messages of one user are unconfirmed");
  const auto sequence
    = static_cast<std::uint32_t>(f.first_open + f.open.size());
  const stamp s{static_cast<std::uint32_t>(sender), sequence};
  std::memcpy(payload_.data(), &s, sizeof s);
  f.recipient = recipient;
  f.open.push_back({scheduled, false, false, false});
  ++open_;
  swarm.publish(sender, recipient, packet_id_of(sequence), payload_);
}

void mqtt_traffic::refill(std::size_t sender, std::uint64_t quota) {
  flows_[sender].quota = quota;
  refilling_ = true;
}

void mqtt_traffic::stop_refilling() {
  refilling_ = false;
}

void mqtt_traffic::measure(steady_time begin, steady_time end) {
  measured_from_ = begin;
  measured_until_ = end;
}

void mqtt_traffic::finish() {
  auto deadline = clock::now() + straggler_timeout;
  while (open_ > 0 && clock::now() < deadline) {
    const std::uint64_t before = open_;
    swarm.poll(deadline);
    if (open_ != before)
      deadline = clock::now() + straggler_timeout;
  }
  result.lost = open_;
}

void mqtt_traffic::on_puback(std::size_t user, std::uint16_t packet_id) {
  auto& f = flows_[user];
  const std::size_t first = f.first_open % packet_ids;
  const std::size_t index = (packet_id - 1U + packet_ids - first) % packet_ids;
  if (packet_id == 0 || index >= f.open.size() || f.open[index].confirmed)
    throw std::runtime_error("PUBACK for a message that is not open");
  const auto now = clock::now();
  f.open[index].confirmed = true;
  record(result.confirm, f.open[index].scheduled, now);
  settle(user, index, now);
}

void mqtt_traffic::on_publish(std::size_t user, const mqtt::packet& message) {
  const auto s = read_stamp(message);
  if (!s || s->sender >= flows_.size() || flows_[s->sender].recipient != user) {
    ++result.unexpected;
    return;
  }
  auto& f = flows_[s->sender];
  const std::uint64_t index = std::uint64_t{s->sequence} - f.first_open;
  if (s->sequence < f.first_open
      || (index < f.open.size() && f.open[index].received)) {
    ++result.duplicated;
    return;
  }
  if (index >= f.open.size()) {
    ++result.unexpected;
    return;
  }
  if (s->sequence < f.next_received)
    ++result.reordered;
  f.next_received = std::max(f.next_received, s->sequence + 1);
  const auto now = clock::now();
  f.open[index].received = true;
  record(result.e2e, f.open[index].scheduled, now);
  settle(s->sender, index, now);
}

void mqtt_traffic::record(latency_histogram& latencies, steady_time scheduled,
                          steady_time now) const {
  if (scheduled < measured_from_ || scheduled >= measured_until_)
    return;
  const auto us
    = std::chrono::duration_cast<std::chrono::microseconds>(now - scheduled);
  latencies.record(
    static_cast<std::uint64_t>(std::max<std::int64_t>(us.count(), 0)));
}

void mqtt_traffic::settle(std::size_t sender, std::size_t index,
                          steady_time now) {
  auto& f = flows_[sender];
  auto& message = f.open[index];
  if (!message.confirmed
      || (rule_ == done_when::confirmed_and_received && !message.received))
    return;
  message.done = true;
  if (now >= measured_from_ && now < measured_until_)
    ++result.messages;
  --open_;
  while (!f.open.empty() && f.open.front().done) {
    f.open.pop_front();
    ++f.first_open;
  }
  if (refilling_ && f.quota > 0) {
    --f.quota;
    send(sender, f.recipient, now);
  }
}

mqtt_homecoming::mqtt_homecoming(std::uint16_t port, std::size_t users,
                                 std::size_t share)
  : swarm(port, users, *this), recipients_(users / 2),
    received_(recipients_, std::vector<bool>(share)), next_(recipients_) {
}

void mqtt_homecoming::on_puback(std::size_t, std::uint16_t) {
  throw std::runtime_error("PUBACK without a publish");
}

void mqtt_homecoming::on_publish(std::size_t user,
                                 const mqtt::packet& message) {
  const auto s = read_stamp(message);
  if (!s || s->sender != user + recipients_
      || s->sequence >= received_[user].size()) {
    ++unexpected;
    return;
  }
  if (received_[user][s->sequence]) {
    ++duplicated;
    return;
  }
  received_[user][s->sequence] = true;
  if (s->sequence < next_[user])
    ++reordered;
  next_[user] = std::max(next_[user], s->sequence + 1);
  ++messages;
}

} // namespace vartalap::bench
