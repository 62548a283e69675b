#include "test/fault/cluster_nemesis.hpp"

#include "test/integration/rig/chat_peer.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace vartalap::fault {

namespace {

using integration::chat_peer;
using integration::ws_options;
using integration::ws_peer;

constexpr milliseconds ready_limit{30'000};
constexpr milliseconds stop_limit{20'000};
constexpr milliseconds members_limit{60'000};
/// How soon a node must have ended in order, whatever its peers do.
constexpr milliseconds stop_beside_limit{5000};
constexpr milliseconds talk_every{200};
constexpr int small_buffer = 4096;
constexpr std::size_t flood_rounds = 40;
constexpr std::size_t flood_bytes = 32'768;

/// Users who read nothing.
class slow_crowd {
public:
  slow_crowd(cluster_rig& rig, std::size_t node, std::size_t count) {
    rig.net().node(node).run([&] {
      const auto port = rig.client_port(node);
      for (std::size_t i = 0; i < count; ++i) {
        names_.push_back("slow" + std::to_string(node) + "-"
                         + std::to_string(i));
        ws_options options;
        options.user = names_.back();
        options.query = "client_ack=true";
        options.receive_buffer = small_buffer;
        users_.push_back(std::make_unique<ws_peer>(port, options));
      }
      flooder_
        = std::make_unique<chat_peer>(port, "flooder" + std::to_string(node));
    });
  }

  /// Sends each of them more than their connection takes.
  void flood() {
    const std::string text(flood_bytes, 'x');
    for (std::size_t round = 0; round < flood_rounds; ++round) {
      for (std::size_t i = 0; i < names_.size(); ++i)
        flooder_->say({.id = std::to_string(round) + "-" + std::to_string(i),
                       .to = names_[i],
                       .text = text});
      for (std::size_t i = 0; i < names_.size(); ++i)
        flooder_->hear(); // Confirmed, or refused by a full mailbox.
    }
  }

  /// Half of them say something, which is answered into the same full pipe.
  void talk() {
    for (std::size_t i = 0; i < users_.size(); i += 2)
      users_[i]->stream().send(integration::make_frame(1, "ping"),
                               milliseconds{0});
  }

  std::size_t still_connected() {
    return static_cast<std::size_t>(
      std::count_if(users_.begin(), users_.end(), [](const auto& one) {
        try {
          one->wait_end(milliseconds{500});
          return false;
        } catch (const std::runtime_error&) {
          return true;
        }
      }));
  }

private:
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<ws_peer>> users_;
  std::unique_ptr<chat_peer> flooder_;
};

milliseconds between(std::mt19937& random, int least, int most) {
  return milliseconds{std::uniform_int_distribution(least, most)(random)};
}

} // namespace

void kill_and_restart(cluster_rig& rig, const std::vector<std::size_t>& nodes,
                      milliseconds down) {
  for (const auto i : nodes)
    rig.kill(i);
  rig.wait(down);
  for (const auto i : nodes)
    rig.start(i);
  for (const auto i : nodes)
    rig.wait_ready(i, ready_limit);
}

milliseconds kill_loop(cluster_rig& rig, std::size_t node, int kills,
                       std::mt19937& random) {
  for (int i = 0; i < kills; ++i) {
    rig.wait(between(random, 200, 1500));
    rig.kill(node);
    rig.start(node);
  }
  return rig.wait_ready(node, ready_limit);
}

std::size_t freeze(cluster_rig& rig, std::size_t node, milliseconds span) {
  std::vector<std::size_t> before;
  for (std::size_t i = 0; i < rig.size(); ++i)
    before.push_back(rig.memory(i));
  rig.freeze(node);
  rig.wait(span);
  std::size_t growth = 0;
  for (std::size_t i = 0; i < rig.size(); ++i)
    if (i != node)
      growth
        = std::max(growth, rig.memory(i) - std::min(before[i], rig.memory(i)));
  rig.thaw(node);
  rig.wait_ready(node, ready_limit);
  return growth;
}

void partition(cluster_rig& rig, std::size_t node, cut which,
               milliseconds span) {
  rig.net().isolate(node, which);
  rig.wait(span);
  rig.net().heal();
  rig.wait_ready(node, ready_limit);
}

void partial_partition(cluster_rig& rig, std::size_t a, std::size_t b,
                       milliseconds span) {
  rig.net().drop(a, {b}, cut::both);
  rig.wait(span);
  rig.net().heal();
  rig.wait_ready(a, ready_limit);
  rig.wait_ready(b, ready_limit);
}

void flapping(cluster_rig& rig, std::size_t node, milliseconds period,
              milliseconds span) {
  for (milliseconds past{0}; past < span; past += 2 * period) {
    rig.net().isolate(node, cut::both);
    rig.wait(period);
    rig.net().heal();
    rig.wait(period);
  }
  rig.wait_ready(node, ready_limit);
}

std::size_t slow_consumers(cluster_rig& rig, std::size_t each,
                           milliseconds span) {
  std::vector<std::unique_ptr<slow_crowd>> crowds;
  for (std::size_t i = 0; i < rig.size(); ++i)
    crowds.push_back(std::make_unique<slow_crowd>(rig, i, each));
  for (const auto& one : crowds)
    one->flood();
  for (milliseconds past{0}; past < span; past += talk_every) {
    for (const auto& one : crowds)
      one->talk();
    rig.wait(talk_every);
  }
  std::size_t left = 0;
  for (const auto& one : crowds)
    left += one->still_connected();
  return left;
}

void restore_old_copy(cluster_rig& rig, std::size_t node, milliseconds age) {
  const auto data = rig.data(node);
  const auto old = data + "-old";
  rig.stop(node, stop_limit);
  std::filesystem::remove_all(old);
  std::filesystem::copy(data, old, std::filesystem::copy_options::recursive);
  rig.start(node);
  rig.wait_ready(node, ready_limit);
  rig.wait(age);
  rig.kill(node);
  std::filesystem::remove_all(data);
  std::filesystem::rename(old, data);
  rig.start(node);
  rig.wait_ready(node, ready_limit);
}

milliseconds stop_and_restart(cluster_rig& rig, std::size_t node,
                              milliseconds limit) {
  const auto took = rig.stop(node, limit);
  rig.start(node);
  rig.wait_ready(node, ready_limit);
  return took;
}

void rolling_restart(cluster_rig& rig) {
  for (std::size_t i = 0; i < rig.size(); ++i) {
    stop_and_restart(rig, i, stop_limit);
    rig.wait(milliseconds{2000});
  }
}

milliseconds add_node(cluster_rig& rig, std::size_t node) {
  const auto others = rig.members();
  auto all = others;
  all.push_back(node);
  rig.set_members(all);
  rig.start(node);
  for (const auto i : others)
    rig.reload(i);
  return rig.wait_calm(members_limit);
}

milliseconds remove_node(cluster_rig& rig, std::size_t node) {
  const auto took = rig.drain(node, members_limit);
  auto others = rig.members();
  std::erase(others, node);
  rig.set_members(others);
  for (const auto i : others)
    rig.reload(i);
  return took + rig.wait_calm(members_limit);
}

void add_node_by_restarts(cluster_rig& rig, std::size_t node) {
  const auto others = rig.members();
  auto all = others;
  all.push_back(node);
  rig.set_members(all);
  for (const auto i : others) {
    stop_and_restart(rig, i, stop_limit);
    rig.wait(milliseconds{2000});
    const auto seen = rig.picture(i);
    const auto nodes = integration::json_list(seen, "/nodes").size();
    const auto next = integration::json_list(seen, "/next").size();
    if (i != others.back()
        && (nodes != others.size() || next != others.size() + 1))
      throw std::runtime_error("another list than the old one is in force: "
                               + seen);
  }
  rig.start(node);
  rig.wait_calm(members_limit);
}

milliseconds stop_beside(cluster_rig& rig, std::size_t stopped,
                         std::size_t troubled, trouble what) {
  constexpr milliseconds before{4000}; // The others have noticed it.
  if (what == trouble::killed)
    rig.kill(troubled);
  else if (what == trouble::frozen)
    rig.freeze(troubled);
  else
    rig.net().isolate(troubled, cut::both);
  rig.wait(before);
  const auto took = rig.stop(stopped, stop_beside_limit);
  rig.start(stopped);
  if (what == trouble::killed)
    rig.start(troubled);
  else if (what == trouble::frozen)
    rig.thaw(troubled);
  else
    rig.net().heal();
  rig.wait_ready(stopped, ready_limit);
  rig.wait_ready(troubled, ready_limit);
  return took;
}

std::string random_nemesis(cluster_rig& rig, std::mt19937& random) {
  const auto any = [&] { return random() % rig.size(); };
  const auto node = any();
  const auto other = (node + 1 + random() % (rig.size() - 1)) % rig.size();
  switch (random() % 9) {
    case 0:
      kill_and_restart(rig, {node}, between(random, 0, 5000));
      return "kill one";
    case 1:
      kill_and_restart(rig, {node, other}, between(random, 0, 5000));
      return "kill two";
    case 2:
      kill_loop(rig, node, 5, random);
      return "kill loop";
    case 3:
      freeze(rig, node, between(random, 500, 8000));
      return "freeze";
    case 4:
      partition(rig, node, cut::both, between(random, 500, 10'000));
      return "partition";
    case 5:
      partition(rig, node, random() % 2 == 0 ? cut::from_it : cut::to_it,
                between(random, 500, 10'000));
      return "one-way partition";
    case 6:
      partial_partition(rig, node, other, between(random, 500, 10'000));
      return "partial partition";
    case 7:
      flapping(rig, node, between(random, 200, 800), milliseconds{6000});
      return "flapping";
    default:
      stop_and_restart(rig, node, stop_limit);
      return "stop";
  }
}

} // namespace vartalap::fault
