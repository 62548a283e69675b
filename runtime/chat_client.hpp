#pragma once

#include "runtime/chat_store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::runtime {

/// What a terminal client does, without terminal and without socket: the
/// duties of protocol.md, section 2, and the commands of a person. Frames go
/// out through one function, lines to show through another; time comes in as
/// Unix time in ms.
class chat_client {
public:
  using sink = std::function<void(const std::string&)>;

  /// On a live connection nothing is sent again sooner than this.
  static constexpr std::uint64_t resend_after_ms = 10'000;

  /// Receipts of one frame.
  static constexpr std::size_t receipt_ids_max = 100;

  /// @param store Open; must outlive the client.
  chat_client(std::string user, chat_store& store, sink frames, sink lines);

  /// A line that the person entered.
  /// @returns False where they want to leave.
  bool enter(const std::string& line, std::uint64_t now_ms);

  /// Chooses to whom lines go.
  /// @returns False (and says why) for a name that nobody can have.
  bool choose(const std::string& partner);

  void on_open(std::uint64_t now_ms);
  void on_closed();
  void on_frame(std::string_view frame, std::uint64_t now_ms);

  /// The frames of one read have been handled: keeps what came, then
  /// acknowledges it, then sends receipts for it.
  void on_run_end(std::uint64_t now_ms);

  /// Sends again what has waited too long for its confirmation.
  void on_tick(std::uint64_t now_ms);

  std::size_t unconfirmed() const noexcept {
    return store_.memory().outbox.size();
  }

private:
  struct sent {
    std::string id;
    std::uint64_t due_ms = 0;
  };

  void say(const std::string& text, std::uint64_t now_ms);
  void send(const chat_outgoing& what, std::uint64_t now_ms);
  void take(const chat_delivery& what, std::uint64_t now_ms);
  void take(const chat_answer& what, std::uint64_t now_ms);
  void show(const chat_entry& entry);
  void show_own(const std::string& id);
  void show_who();
  void show_history(const std::string& argument);
  void queue_receipts(std::uint64_t now_ms);

  std::string user_;
  chat_store& store_;
  sink frames_;
  sink lines_;
  std::string partner_;
  std::vector<sent> in_flight_; ///< on this connection
  std::vector<std::string> to_acknowledge_;
  std::vector<chat_delivery> to_receipt_; ///< only ids and senders are used
  bool online_ = false;
};

/// 128 random bits as 32 hex digits: an id that no other message has.
std::string random_message_id();

} // namespace vartalap::runtime
