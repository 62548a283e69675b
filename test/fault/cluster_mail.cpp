#include "test/fault/cluster_mail.hpp"

#include "test/integration/rig/chat_peer.hpp"

#include <poll.h>

#include <stdexcept>

namespace vartalap::fault {

namespace {

constexpr std::size_t recipients = 20;
/// Below what a mailbox takes from one sender.
constexpr std::size_t messages_max = recipients * 900;
/// Over one connection; then comes the next node.
constexpr std::size_t messages_each_time = 20;
constexpr int pause_ms = 25;
constexpr std::chrono::milliseconds answer_limit{5000};

} // namespace

absent_mail::absent_mail(std::vector<entrance> nodes)
  : nodes_(std::move(nodes)), thread_([this] { send_all(); }) {
}

absent_mail::~absent_mail() {
  stop();
}

void absent_mail::stop() {
  over_ = true;
  if (thread_.joinable())
    thread_.join();
}

void absent_mail::send_all() {
  std::size_t at = 0;
  while (!over_ && confirmed_.size() < messages_max) {
    if (!send_some(nodes_[at]))
      ::poll(nullptr, 0, pause_ms); // Nobody there: not in a busy loop.
    at = (at + 1) % nodes_.size();
  }
}

bool absent_mail::send_some(const entrance& where) {
  try {
    where.enter();
    integration::chat_peer postman(where.port, "postman");
    for (std::size_t i = 0; i < messages_each_time && !over_; ++i) {
      // Not confirmed: sent again, with the same id, here or elsewhere.
      const auto number = confirmed_.size();
      const auto id = "mail" + std::to_string(number);
      postman.say(
        {.id = id, .to = "absent" + std::to_string(number % recipients)});
      const auto answer = postman.hear_answer(id, answer_limit);
      if (answer.kind != integration::heard::what::server_ack)
        return false;
      confirmed_.push_back(answer.server_id);
      ::poll(nullptr, 0, pause_ms);
    }
    return true;
  } catch (const std::runtime_error&) {
    return false; // That node is what the test has made of it.
  }
}

} // namespace vartalap::fault
