#pragma once

#include "core/mailbox.hpp"
#include "test/unit/core/model_store.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace vartalap::test {

/// A promise of the mailbox was broken.
struct violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One mailbox among everything that may happen to it: senders, devices with
/// their connections, a disk with a commit queue, time, crashes. Chosen at
/// random from a seed; watches every effect and throws `violation`.
class mailbox_world {
public:
  explicit mailbox_world(std::uint64_t seed);
  ~mailbox_world();

  /// Does `commands` random things.
  void run(int commands);

  /// Lets everybody connect, write, acknowledge (but for poisoned messages)
  /// and commit until nothing happens any more; checks that nothing that was
  /// confirmed is lost and nobody waits for an answer.
  void settle();

  const std::vector<std::string>& log() const noexcept {
    return log_;
  }

  const core::mailbox_counters& counters() const noexcept {
    return counters_;
  }

private:
  using name_and_id = std::pair<std::string, std::string>; // from, id

  struct frame {
    core::envelope_ptr message;
    unsigned attempt = 0;
    std::uint64_t ordinal = 0;
  };
  struct sent {
    core::mono_time at{};
    core::mono_time written{}; // zero: not yet
    unsigned attempt = 0;
    std::uint64_t ordinal = 0;
    std::size_t weight = 0;
  };
  struct client {
    std::string name;
    core::attachment_id connection = 0;
    std::uint64_t ordinal = 0;
    std::uint64_t written = 0;
    std::deque<frame> wire;                    // delivered, not written
    std::map<core::server_id, sent> in_flight; // delivered, not acknowledged
    std::vector<core::envelope_ptr> to_ack;    // arrived
    std::set<core::server_id> acked;           // in this process
    std::set<name_and_id> has;
    std::map<std::string, core::server_id> newest; // arrived, by sender
    std::set<core::server_id> troubled;            // may come out of order
    std::set<name_and_id> poison;                  // never acknowledged
  };
  struct message {
    core::envelope_ptr what;
    bool confirmed = false;
    bool excused = false; // expired or damaged
    std::set<std::string> acked;
    std::set<std::string> must_have;
    core::mono_time received{};
    bool stored = false;
    bool over = false;
  };
  struct waiting {
    name_and_id what;
    bool answered = false;
    bool lost = false; // in a crash
  };

  // commands
  void receive();
  void acknowledge();
  void acknowledge_nonsense();
  void pass_time(core::microseconds span);
  void connect(client& who);
  void disconnect(client& who);
  void write(client& who, std::size_t frames);
  void commit(std::size_t n, bool ok);
  void complete(std::size_t n);
  void answer_fetch(bool ok);
  void expire();
  void crash();
  void close_when_idle();
  void step();

  // effects
  void carry_out();
  void on(const core::effect::deliver& x);
  void on(const core::effect::deliver_gap& x);
  void on(const core::effect::store& x);
  void on(const core::effect::remove& x);
  void on(const core::effect::ack_stored& x);
  void on(const core::effect::put_device& x);
  void on(const core::effect::erase_device& x);
  void on(const core::effect::fetch& x);
  void on(const core::effect::confirm& x);
  void on(const core::effect::refuse& x);
  void on(const core::effect::close& x);
  void on(const core::effect::notify_offline& x);
  void on(const core::effect::clear_offline& x);
  void on(const core::effect::merge& x);

  void on_first_confirm(message& m, const core::effect::confirm& x);
  void finish(core::server_id serverid);
  void arrived(client& who, const frame& f);
  void do_ack(client& who, const core::envelope_ptr& what, unsigned how);
  void hang_up(client& who);
  void open();
  void reread_disk();
  void check();
  void check_client(const client& who);
  void check_outcome();
  void require(bool holds, const std::string& what);
  void say(std::string line);
  std::uint64_t pick(std::uint64_t n);
  bool chance(unsigned percent);
  client& any_client();
  client* with_connection(core::attachment_id id);
  waiting& answer(const core::origin_ref& to);

  std::mt19937_64 random_;
  core::delivery_options delivery_;
  core::limit_options limits_;
  core::mailbox_counters counters_;
  std::unique_ptr<core::dedupe_window> dedupe_;
  std::unique_ptr<core::server_id_clock> ids_;
  std::unique_ptr<core::mailbox_context> context_;
  std::unique_ptr<core::mailbox> mailbox_;
  core::mailbox_effects effects_;
  model_store disk_;
  core::instant now_;

  std::map<std::string, client> clients_;
  std::map<core::server_id, message> messages_;
  std::vector<core::envelope> submitted_;
  std::vector<waiting> origins_;
  std::map<std::string, core::server_id> known_; // device: cancelled up to
  std::optional<std::vector<core::server_id>> fetch_;
  core::attachment_id last_connection_ = 0;
  std::uint32_t incarnation_ = 0;
  unsigned next_id_ = 0;
  bool raised_ = false;
  bool settling_ = false;
  std::vector<std::string> log_;
};

} // namespace vartalap::test
