#include "runtime/chat.hpp"

#include "core/ids.hpp"
#include "net/address.hpp"
#include "net/reconnect_policy.hpp"
#include "net/shard.hpp"
#include "net/ws_client.hpp"
#include "runtime/chat_client.hpp"

#include <CLI/CLI.hpp>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <random>

namespace vartalap::runtime {

namespace {

constexpr int left_unconfirmed = 1;
constexpr int bad_options = 2;
constexpr int could_not = 3;

constexpr core::milliseconds tick_every{1000};
constexpr core::milliseconds longest_backoff{30'000};

/// A server pings every 25 s; a connection that is silent for much longer is
/// gone.
constexpr core::milliseconds silence{40'000};

/// After the end of the input: how long to wait for confirmations.
constexpr core::milliseconds patience{30'000};

std::uint64_t wall_ms() {
  return static_cast<std::uint64_t>(
    std::chrono::duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
}

std::string url_encoded(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 0x0f];
    }
  }
  return out;
}

/// A user's name may hold what a path must not.
std::string default_state(const std::string& user) {
  const char* base = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::string directory = base != nullptr && *base != '\0' ? base
                          : home != nullptr
                            ? std::string(home) + "/.local/state"
                            : ".";
  const auto name = url_encoded(user);
  return directory + "/vartalap/chat/"
         + (name.front() == '.' ? "%2E" + name.substr(1) : name);
}

/// The terminal and the socket around a chat_client, on one shard that the
/// main thread runs.
class terminal final : private net::ws_client_events,
                       private net::ready_handler,
                       private net::timer_node {
public:
  terminal(const chat_options& options, net::ws_client_options target,
           chat_store& store)
    : options_(options), target_(std::move(target)),
      client_(
        options.user, store,
        [this](const std::string& frame) {
          if (socket_)
            socket_->send(frame, true);
        },
        [](const std::string& line) { std::cout << line << std::endl; }) {
  }

  ~terminal() override {
    if (socket_)
      socket_->abort(false);
  }

  int run() {
    if (!options_.to.empty())
      client_.choose(options_.to);
    home_.post([this] {
      connect();
      home_.timers().arm(*this, home_.now() + tick_every);
      // A plain file cannot be watched, and need not be: it never blocks.
      if (!home_.watch(STDIN_FILENO, *this))
        read_input();
    });
    home_.run();
    return refused_                    ? could_not
           : client_.unconfirmed() > 0 ? left_unconfirmed
                                       : 0;
  }

private:
  void connect() {
    std::string problem;
    socket_ = net::ws_client::connect(home_, target_, *this, problem);
    if (!socket_)
      on_failed(0, problem);
  }

  void on_open() override {
    policy_.opened();
    failing_ = false;
    client_.on_open(wall_ms());
  }
  void on_frame(std::string_view payload, bool text) override {
    if (text)
      client_.on_frame(payload, wall_ms());
  }
  void on_run_end() override {
    client_.on_run_end(wall_ms());
    leave_if_done();
  }
  void on_closed(unsigned code, std::string_view reason) override {
    client_.on_closed();
    socket_.reset();
    if (leaving_)
      return home_.stop();
    std::cout << "* connection lost"
              << (code != 0 ? " (" + std::to_string(code) + ")" : "")
              << std::endl;
    come_back(policy_.after_close(code, reason, random_()));
  }
  void on_failed(unsigned http_status, std::string_view text) override {
    socket_.reset();
    // Once, not at every attempt.
    if (!std::exchange(failing_, true))
      std::cout << "* cannot connect: " << text << std::endl;
    come_back(policy_.after_failure(http_status, random_()));
  }

  void come_back(std::optional<core::milliseconds> wait) {
    if (!wait) {
      std::cout << "! the server does not want this client back" << std::endl;
      refused_ = true;
      return home_.stop();
    }
    connect_at_ = home_.now() + *wait;
    home_.timers().arm(*this, std::min(connect_at_, home_.now() + tick_every));
  }

  void on_timer(core::mono_time now) override {
    if (!socket_ && now >= connect_at_)
      connect();
    client_.on_tick(wall_ms());
    if (ended_ && now > ended_at_ + patience)
      return leave();
    leave_if_done();
    auto next = now + tick_every;
    if (!socket_)
      next = std::min(next, connect_at_);
    home_.timers().arm(*this, next);
  }

  void on_ready(std::uint32_t) override {
    read_input();
  }

  void read_input() {
    std::array<char, 4096> part{};
    for (;;) {
      // Edge-triggered, and the terminal must stay as blocking as it is for
      // others: look before every read.
      ::pollfd ready{STDIN_FILENO, POLLIN, 0};
      if (ended_ || ::poll(&ready, 1, 0) <= 0)
        return;
      const auto n = ::read(STDIN_FILENO, part.data(), part.size());
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0) {
        ended_ = true;
        ended_at_ = home_.now();
        if (!input_.empty())
          handle(std::exchange(input_, {}));
        return leave_if_done();
      }
      input_.append(part.data(), static_cast<std::size_t>(n));
      for (auto end = input_.find('\n'); end != std::string::npos;
           end = input_.find('\n')) {
        const auto line = input_.substr(0, end);
        input_.erase(0, end + 1);
        handle(line);
      }
    }
  }

  void handle(std::string line) {
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (!leaving_ && !client_.enter(line, wall_ms()))
      leave();
  }

  void leave_if_done() {
    if (ended_ && client_.unconfirmed() == 0)
      leave();
  }

  void leave() {
    if (std::exchange(leaving_, true))
      return;
    // Not from within the handlers of the socket.
    home_.post([this] {
      if (socket_ && socket_->is_open())
        socket_->close(1000, {});
      else
        home_.stop();
    });
  }

  const chat_options& options_;
  net::ws_client_options target_;
  net::shard home_{0, core::microseconds{0}};
  net::reconnect_policy policy_{longest_backoff};
  chat_client client_;
  std::shared_ptr<net::ws_client> socket_;
  std::minstd_rand random_{std::random_device{}()};
  std::string input_;
  core::mono_time connect_at_{};
  core::mono_time ended_at_{};
  bool failing_ = false;
  bool ended_ = false; ///< the input
  bool leaving_ = false;
  bool refused_ = false;
};

/// Where to connect, from the options; sets `problem` where they are wrong.
net::ws_client_options target_of(const chat_options& options,
                                 std::string& problem) {
  net::ws_client_options target;
  constexpr std::string_view scheme = "ws://";
  if (!options.url.starts_with(scheme)) {
    problem = "--url: write it as ws://127.0.0.1:8080";
    return target;
  }
  auto host = options.url.substr(scheme.size());
  std::string path = "/v1.0/wss/";
  if (const auto slash = host.find('/'); slash != std::string::npos) {
    if (slash + 1 < host.size())
      path = host.substr(slash);
    host.erase(slash);
  }
  if (host.rfind(':') == std::string::npos || host.ends_with(']'))
    host += ":80";
  const auto address = net::parse_address(host);
  if (!address || address->port() == 0) {
    problem = "--url: " + host
              + " is no numeric address and port; names are not looked up";
    return target;
  }
  target.address = address->host();
  target.port = address->port();
  target.target = path + "?ack=true&client_ack=true&device="
                  + url_encoded(options.device)
                  + "&user=" + url_encoded(options.user);
  target.subprotocol = "vartalap.json";
  target.silence = silence;
  if (!options.token.empty())
    target.headers.emplace_back("Authorization", "Bearer " + options.token);
  return target;
}

} // namespace

void add_chat_options(CLI::App& app, chat_options& options) {
  app.add_option("--user", options.user, "Who you are")->required();
  app.add_option("--url", options.url, "Where the server listens")
    ->capture_default_str();
  app.add_option("--device", options.device, "This device's name")
    ->capture_default_str();
  app.add_option("--to", options.to, "To whom your lines go at first");
  app.add_option("--token", options.token, "Your token, where one is needed")
    ->envname("VARTALAP_TOKEN");
  app.add_option("--state", options.state,
                 "Directory for what must not be forgotten (left out: "
                 "vartalap/chat/USER in $XDG_STATE_HOME or ~/.local/state)");
}

int run_chat(const chat_options& options) {
  std::string problem;
  if (!core::is_valid_user(options.user))
    problem = "--user: 1 to 128 bytes without control characters";
  else if (!core::is_valid_device(options.device))
    problem = "--device: 1 to 64 of A-Z a-z 0-9 . _ -";
  auto target = target_of(options, problem);
  if (!problem.empty()) {
    std::cerr << "vartalap chat: " << problem << "\n";
    return bad_options;
  }
  chat_store store;
  problem = store.open(options.state.empty() ? default_state(options.user)
                                             : options.state);
  if (!problem.empty()) {
    std::cerr << "vartalap chat: " << problem << "\n";
    return could_not;
  }
  return terminal(options, std::move(target), store).run();
}

} // namespace vartalap::runtime
