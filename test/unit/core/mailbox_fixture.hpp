#pragma once

#include "core/mailbox.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vartalap::test {

using namespace std::chrono_literals;

/// A mailbox of the user bob with a clock that is moved by hand. Every event
/// replaces `out`, the effects that it had.
struct mailbox_fixture {
  core::delivery_options delivery;
  core::limit_options limits;
  core::mailbox_counters counters;
  core::dedupe_window dedupe{core::milliseconds{600'000}, 1000};
  core::server_id_clock ids{1, 1};
  core::mailbox_context context{
    delivery, limits, core::durability::disk, core::GiB, dedupe, ids, counters};
  core::instant now{core::mono_time{1h}, 1'700'000'000'000};
  core::mailbox_effects out;
  std::unique_ptr<core::mailbox> box;

  mailbox_fixture() {
    open({});
  }

  void open(core::mailbox_snapshot snapshot) {
    box.reset();
    box = std::make_unique<core::mailbox>("bob", context);
    box->open(std::move(snapshot), now);
  }

  static std::shared_ptr<core::envelope>
  message(const std::string& id, const std::string& from = "alice") {
    auto made = std::make_shared<core::envelope>();
    made->id = id;
    made->from = from;
    made->to = "bob";
    made->content = "hello";
    return made;
  }

  static core::origin_ref origin() {
    return std::make_shared<const int>(0);
  }

  core::server_id receive(std::shared_ptr<core::envelope> what,
                          core::origin_ref from = origin(),
                          const std::string& own_device = {}) {
    out.clear();
    box->receive(what, std::move(from), now, out, own_device);
    return what->serverid;
  }

  core::server_id receive(const std::string& id,
                          const std::string& from = "alice") {
    return receive(message(id, from));
  }

  void attach(const std::string& device, core::attachment_id id) {
    out.clear();
    box->attach(device, id, now, out);
  }

  void detach(core::attachment_id id) {
    out.clear();
    box->detach(id, now, out);
  }

  bool ack(const std::string& device, core::server_id serverid) {
    out.clear();
    return box->ack(device, serverid, now, out);
  }

  void committed(core::server_id serverid) {
    out.clear();
    box->committed(serverid, now, out);
  }

  /// Answers every operation other than a store that `out` asks for.
  void finish_operations() {
    for (std::size_t i = count<core::effect::remove>()
                         + count<core::effect::ack_stored>()
                         + count<core::effect::put_device>()
                         + count<core::effect::erase_device>();
         i > 0; --i) {
      box->op_done();
    }
  }

  /// Lets time pass and the timer run whenever the mailbox wants it; `out`
  /// is everything that happened.
  void pass(core::microseconds span) {
    out.clear();
    const auto until = now.mono + span;
    const auto begin = now;
    while (box->next_deadline() <= until) {
      now.mono = std::max(now.mono, box->next_deadline());
      box->timer(now, out);
    }
    now.mono = until;
    now.wall = begin.wall + static_cast<core::wall_ms>(span / 1ms);
  }

  template <class Effect>
  std::vector<Effect> all() const {
    std::vector<Effect> found;
    for (const auto& x : out) {
      if (const auto* one = std::get_if<Effect>(&x)) {
        found.push_back(*one);
      }
    }
    return found;
  }

  template <class Effect>
  std::size_t count() const {
    return all<Effect>().size();
  }

  /// Ids of what `out` delivers to this connection, e.g. "1 2 3".
  std::string delivered(core::attachment_id to) const {
    std::string text;
    for (const auto& x : all<core::effect::deliver>()) {
      if (x.to == to) {
        text += (text.empty() ? "" : " ") + x.message->id;
      }
    }
    return text;
  }
};

} // namespace vartalap::test
