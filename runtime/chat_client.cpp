#include "runtime/chat_client.hpp"

#include "core/ids.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <map>
#include <random>
#include <variant>

namespace vartalap::runtime {

namespace {

constexpr std::size_t history_shown = 20;

/// A message that was refused for now is tried again after this.
constexpr std::uint64_t retry_refused_ms = 1'000;

/// The server's own limit on a content, less its JSON around the text.
constexpr std::size_t text_bytes_max = 60'000;

constexpr std::string_view help
  = "/to NAME  choose to whom your lines go\n"
    "/who      with whom you have talked\n"
    "/history [N]  the last messages\n"
    "/quit     leave; what is queued is sent next time";

std::string clock_text(std::uint64_t at_ms) {
  const auto seconds = static_cast<std::time_t>(at_ms / 1000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 16> text{};
  const auto n = std::strftime(text.data(), text.size(), "%H:%M:%S", &local);
  return {text.data(), n};
}

const char* mark(chat_state state) {
  switch (state) {
    case chat_state::queued:
      return "…";
    case chat_state::stored:
      return "✓";
    case chat_state::delivered:
      return "✓✓";
    case chat_state::read:
      return "✓✓ read";
    case chat_state::refused:
      return "✗";
  }
  return "";
}

/// What others write must not move the cursor or end a line.
std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xc2 && i + 1 < text.size()
                    && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1)
      ++i;
    if (c < 0x20 || c == 0x7f || c1)
      out += c == '\n' ? "⏎" : "?";
    else
      out += text[i];
  }
  return out;
}

} // namespace

std::string random_message_id() {
  thread_local std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> digits{};
    std::snprintf(digits.data(), digits.size(), "%08x",
                  static_cast<unsigned>(device()));
    id += digits.data();
  }
  return id;
}

chat_client::chat_client(std::string user, chat_store& store, sink frames,
                         sink lines)
  : user_(std::move(user)), store_(store), frames_(std::move(frames)),
    lines_(std::move(lines)) {
}

bool chat_client::choose(const std::string& partner) {
  if (!core::is_valid_user(partner)) {
    lines_("! a name has 1 to 128 bytes and no control characters");
    return false;
  }
  partner_ = partner;
  lines_("* you write to " + partner);
  return true;
}

bool chat_client::enter(const std::string& line, std::uint64_t now_ms) {
  if (line.empty())
    return true;
  if (line.front() != '/') {
    say(line, now_ms);
    return true;
  }
  const auto blank = line.find(' ');
  const auto command = line.substr(0, blank);
  const auto argument = blank == std::string::npos ? std::string()
                                                   : line.substr(blank + 1);
  if (command == "/quit")
    return false;
  if (command == "/to")
    choose(argument);
  else if (command == "/who")
    show_who();
  else if (command == "/history")
    show_history(argument);
  else if (command == "/help")
    lines_(std::string(help));
  else
    lines_("! there is no " + command + "; /help lists what there is");
  return true;
}

void chat_client::say(const std::string& text, std::uint64_t now_ms) {
  if (partner_.empty())
    return lines_("! to whom? /to NAME");
  if (!core::is_utf8(text))
    return lines_("! that is not UTF-8");
  if (text.size() > text_bytes_max)
    return lines_("! too long for one message");
  chat_outgoing what;
  what.id = random_message_id();
  what.to = partner_;
  what.text = text;
  what.at_ms = now_ms;
  store_.queue(what, user_);
  if (!store_.sync())
    lines_("! the state file cannot be written: this may be lost");
  show_own(what.id);
  if (online_)
    send(what, now_ms);
}

void chat_client::send(const chat_outgoing& what, std::uint64_t now_ms) {
  frames_(to_frame(what, user_));
  std::erase_if(in_flight_, [&](const sent& s) { return s.id == what.id; });
  in_flight_.push_back({what.id, now_ms + resend_after_ms});
}

void chat_client::on_open(std::uint64_t now_ms) {
  online_ = true;
  lines_("* connected");
  for (const auto& what : store_.memory().outbox)
    send(what, now_ms);
}

void chat_client::on_closed() {
  online_ = false;
  in_flight_.clear();
  // They come again, and are known then.
  to_acknowledge_.clear();
}

void chat_client::on_frame(std::string_view frame, std::uint64_t now_ms) {
  const auto what = read_frame(frame);
  if (const auto* arrived = std::get_if<chat_delivery>(&what))
    take(*arrived, now_ms);
  else if (const auto* answer = std::get_if<chat_answer>(&what))
    take(*answer, now_ms);
}

void chat_client::take(const chat_delivery& what, std::uint64_t now_ms) {
  to_acknowledge_.push_back(what.server_id);
  if (!store_.see(what))
    return;
  if (what.action == "state") {
    const auto state = what.state == "read"        ? chat_state::read
                       : what.state == "delivered" ? chat_state::delivered
                                                   : chat_state::queued;
    for (const auto& id : what.ids)
      if (store_.raise(id, what.from, state))
        show_own(id);
    return;
  }
  if (!what.is_message)
    return;
  auto kept = what;
  if (kept.at_ms == 0)
    kept.at_ms = now_ms;
  store_.keep(kept);
  show(store_.memory().history.back());
  if (what.group.empty() && what.from != user_)
    to_receipt_.push_back(std::move(kept));
}

void chat_client::take(const chat_answer& what, std::uint64_t now_ms) {
  const auto& outbox = store_.memory().outbox;
  const auto found
    = std::find_if(outbox.begin(), outbox.end(),
                   [&](const chat_outgoing& o) { return o.id == what.id; });
  if (found == outbox.end())
    return;
  const bool receipt = found->is_receipt();
  const std::string to = found->to; // settled, the entry is gone
  if (what.refused
      && (what.status == "unavailable" || what.status == "mailbox_full")) {
    for (auto& s : in_flight_)
      if (s.id == what.id)
        s.due_ms = now_ms + retry_refused_ms;
    return;
  }
  store_.settle(what.id);
  std::erase_if(in_flight_, [&](const sent& s) { return s.id == what.id; });
  if (receipt)
    return;
  if (what.refused)
    lines_("! refused: " + harmless(what.status + " " + what.text));
  const auto state = what.refused                 ? chat_state::refused
                     : what.status == "delivered" ? chat_state::delivered
                                                  : chat_state::stored;
  if (store_.raise(what.id, to, state))
    show_own(what.id);
}

void chat_client::on_run_end(std::uint64_t now_ms) {
  queue_receipts(now_ms);
  if (!store_.sync()) {
    // Unacknowledged, it comes again.
    lines_("! the state file cannot be written: nothing is acknowledged");
    to_acknowledge_.clear();
    return;
  }
  if (!to_acknowledge_.empty() && online_)
    frames_(ack_frame(to_acknowledge_));
  to_acknowledge_.clear();
}

void chat_client::queue_receipts(std::uint64_t now_ms) {
  std::map<std::string, std::vector<std::string>> by_sender;
  for (const auto& what : to_receipt_)
    by_sender[what.from].push_back(what.id);
  to_receipt_.clear();
  for (auto& [sender, ids] : by_sender) {
    for (std::size_t at = 0; at < ids.size(); at += receipt_ids_max) {
      chat_outgoing receipt;
      receipt.id = random_message_id();
      receipt.to = sender;
      receipt.at_ms = now_ms;
      const auto end = std::min(at + receipt_ids_max, ids.size());
      receipt.ids = {ids.begin() + static_cast<std::ptrdiff_t>(at),
                     ids.begin() + static_cast<std::ptrdiff_t>(end)};
      store_.queue(receipt, user_);
      if (online_)
        send(receipt, now_ms);
    }
  }
}

void chat_client::on_tick(std::uint64_t now_ms) {
  if (!online_)
    return;
  std::vector<chat_outgoing> due;
  for (const auto& what : store_.memory().outbox)
    for (const auto& s : in_flight_)
      if (s.id == what.id && s.due_ms <= now_ms)
        due.push_back(what);
  for (const auto& what : due)
    send(what, now_ms);
}

void chat_client::show(const chat_entry& entry) {
  const auto time = "[" + clock_text(entry.at_ms) + "] ";
  if (entry.from == user_)
    lines_(time + "→ " + harmless(entry.to) + ": " + harmless(entry.text) + "  "
           + mark(entry.state));
  else
    lines_(time + harmless(entry.from)
           + (entry.to == user_ ? "" : " (" + harmless(entry.to) + ")") + ": "
           + harmless(entry.text));
}

void chat_client::show_own(const std::string& id) {
  const auto& history = store_.memory().history;
  const auto found
    = std::find_if(history.rbegin(), history.rend(),
                   [&](const chat_entry& e) { return e.id == id; });
  if (found != history.rend())
    show(*found);
}

void chat_client::show_who() {
  std::map<std::string, std::size_t> messages;
  for (const auto& entry : store_.memory().history)
    ++messages[entry.from == user_ ? entry.to : entry.from];
  lines_("* you are " + user_ + ", " + (online_ ? "online" : "offline")
         + (partner_.empty() ? "" : ", writing to " + partner_) + ", "
         + std::to_string(unconfirmed()) + " not confirmed");
  for (const auto& [name, n] : messages)
    lines_("  " + harmless(name) + " (" + std::to_string(n) + ")");
}

void chat_client::show_history(const std::string& argument) {
  auto count = history_shown;
  if (!argument.empty())
    std::from_chars(argument.data(), argument.data() + argument.size(), count);
  const auto& history = store_.memory().history;
  for (auto i = history.size() - std::min(count, history.size());
       i < history.size(); ++i)
    show(history[i]);
}

} // namespace vartalap::runtime
