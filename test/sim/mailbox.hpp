#pragma once

#include "core/mailbox_effects.hpp"
#include "test/sim/disk.hpp"
#include "test/sim/world.hpp"

#include <map>
#include <set>
#include <vector>

namespace vartalap::sim {

/// A client's connection to a node.
struct session {
  user_index user = 0;
  std::uint32_t device = 0;
  node_index at = core::no_node;
  std::uint64_t number = 0;
};

/// What comes to a user's home.
struct request {
  enum class kind : std::uint8_t { message, attach, acknowledge, leave };
  kind what = kind::message;
  user_index to = 0;
  session from; ///< of message: the sender; else the device
  message_number number = 0;
  server_id serverid;
  int tries = 0;
};

/// What a mailbox wants done.
class mailbox_port {
public:
  virtual ~mailbox_port() = default;

  /// Stores here and elsewhere. @returns False: refused.
  virtual bool
  replicate(user_index user, const stored& what, std::uint64_t& ticket)
    = 0;
  /// Removes everywhere. `ticket` (0: none) is settled by that.
  virtual void remove(user_index user, server_id serverid, std::uint64_t ticket)
    = 0;
  virtual void
  acknowledge(user_index user, server_id serverid, std::uint32_t device)
    = 0;
  virtual core::device_record put_device(user_index user, std::uint32_t device)
    = 0;
  virtual void remove_device(user_index user, std::uint32_t device) = 0;
  virtual void deliver(const session& to, const stored& what) = 0;
  virtual void answer(const request& what, bool ok) = 0;
  virtual void confirmed(const stored& what, bool acknowledged) = 0;
  virtual void reattach(const session& who) = 0;
  virtual server_id next_id() = 0;
  /// False: others may owe, messages stay although all known devices have
  /// them.
  virtual bool knows_devices(user_index user) const = 0;
};

/// A user's mailbox at his home: a model of core::mailbox that keeps to what
/// replication needs of it.
class mailbox {
public:
  mailbox(user_index user, mailbox_port& port) : user_(user), port_(&port) {
  }

  /// What was read behind everything that was in storage's queue.
  void open(const std::vector<stored>& messages,
            const std::vector<core::device_record>& devices);

  void handle(const request& what);

  /// A put of this mailbox's has enough copies, or never will.
  void settled(server_id serverid, bool ok);

  // Copies and what they know, from elsewhere.
  void merge(const stored& what);
  void erase(server_id serverid);
  void merge_device(const core::device_record& record);
  void erase_device(const std::string& name);

  /// Who owes what is in it.
  std::vector<core::device_record> devices() const;

  /// Sessions by way of this node have ended.
  void lose(node_index peer);

  /// Removes what no device owes any more.
  void finish_acknowledged();

  /// Comes every second: delivers again what was not acknowledged for long.
  void deliver_again();

  /// Nobody waits for a confirmation.
  bool is_settled() const;

  /// Ends: tells whoever is connected. @returns Tickets that were outstanding.
  std::vector<std::uint64_t> end();

private:
  struct entry {
    stored message;
    bool confirmed = false;    ///< by this mailbox
    bool stored_once = false;  ///< it was on its way to a disk
    std::uint64_t ticket = 0;  ///< of the put under way, 0: none
    int age = 0;               ///< seconds since it was delivered
    std::vector<request> wait; ///< to be answered
    /// Ids that this one replaces: they go once it is safe.
    std::vector<server_id> replaces;
  };

  void receive(const request& what);
  void attach(const session& who);
  void acknowledge(server_id serverid, std::uint32_t device);
  void leave(std::uint32_t device);
  bool meet_twin(stored& late);
  void adopt(const stored& what);
  void remove(server_id serverid);
  void remove_replaced(entry& each);
  void deliver(const session& who, const stored& what);
  bool finish_if_acknowledged(server_id serverid);
  void replicate(entry& each);

  user_index user_;
  mailbox_port* port_;
  bool is_open_ = false;
  std::vector<request> waiting_;
  std::map<server_id, entry> entries_;
  std::map<message_number, server_id> pending_;
  std::map<message_number, server_id> finished_;  ///< dedupe: confirmed ones
  std::map<user_index, std::uint64_t> delivered_; ///< by sender: the newest
  std::set<server_id> removing_; ///< on the way out of the disk
  std::uint32_t devices_ = 0;    ///< known ones, as bits
  std::map<std::uint32_t, core::device_record> records_;
  std::map<std::uint32_t, session> sessions_;
};

} // namespace vartalap::sim
