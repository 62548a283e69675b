#include "net/peer_tunnel.hpp"

#include "net/peer_tunnel_link.hpp"
#include "net/peer_tunnel_tls.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

namespace vartalap::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t secret_bytes_min = 32;
/// How long accepting pauses where files have run out: the listener stays
/// readable, so trying again at once would only burn a core.
constexpr core::milliseconds accept_pause{100};
/// How often the log tells of a connection that was refused: strangers must not
/// fill it.
constexpr core::milliseconds refusal_told_every{1000};

std::shared_ptr<asio::ssl::context> context_for(const tunnel_settings& how) {
  if (how.secret.empty())
    return make_tunnel_context(how);
  if (how.secret.size() < secret_bytes_min)
    throw std::runtime_error("the cluster's secret is shorter than 32 bytes: "
                             "openssl rand -hex 32 > FILE && chmod 600 FILE");
  return nullptr;
}

} // namespace

std::string_view to_string(tunnel_fault fault) noexcept {
  constexpr std::array<std::string_view, tunnel_faults> names{
    "unreachable", "crowded", "timeout", "closed", "tls",
    "protocol",    "name",    "secret",  "ending"};
  return names[static_cast<std::size_t>(fault)];
}

std::uint64_t fault_counters::sum() const noexcept {
  return std::accumulate(by_.begin(), by_.end(), std::uint64_t{0});
}

class peer_tunnel::impl final : public peer_tunnel_link::observer {
public:
  impl(tunnel_settings settings, core::log_port& log)
    : settings_(std::move(settings)), log_(log),
      context_(context_for(settings_)), acceptor_(io_), pause_(io_) {
  }

  void start();
  void listen(accept_callback accepted);
  std::string address() const;
  void dial(const std::string& peer, const std::string& address,
            dial_callback done);
  void stop();
  void reload();
  std::size_t links_with(const std::string& peer) const;

  /// Runs `what` on the tunnel's thread.
  template <class What>
  void post(What what) {
    asio::post(io_, std::move(what));
  }

  void drop(const std::string& peer, const std::string& why);

  std::string refuses(const std::string& name) override;
  int local_end_of(peer_tunnel_link& link) override;
  void link_ended(peer_tunnel_link& link, tunnel_fault fault,
                  const std::string& why) override;

  ended_callback ended_;
  tunnel_settings settings_;
  tunnel_counters counters_;

private:
  struct entry {
    std::shared_ptr<peer_tunnel_link> link;
    dial_callback done;       ///< not called yet
    std::uint64_t number = 0; ///< accepted in this order
  };

  std::shared_ptr<peer_tunnel_link> make_link();
  void start_dial(const std::string& peer, const socket_address& where,
                  dial_callback done);
  void accept_next();
  void take(tcp::socket socket);
  void make_room();
  void say_refused(const std::string& why);
  int dialed_end(entry& of);
  void replace_older(const peer_tunnel_link& by);
  void say(core::log_level level, const std::string& text);

  core::log_port& log_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{
    io_.get_executor()};
  peer_tunnel_link::context_pointer context_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  accept_callback accepted_;
  std::unordered_map<const peer_tunnel_link*, entry> links_;
  std::size_t unauthenticated_ = 0; ///< accepted ones
  std::uint64_t last_number_ = 0;
  std::chrono::steady_clock::time_point refusal_told_{};
  std::uint64_t refusals_untold_ = 0;
  std::thread thread_;
  std::mutex mutex_; ///< guards stopped_: nothing is posted after the last run
  bool stopped_ = false;
};

void peer_tunnel::impl::say(core::log_level level, const std::string& text) {
  log_.write(level, "tunnel", text);
}

void peer_tunnel::impl::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "tunnel");
    io_.run();
  });
}

void peer_tunnel::impl::listen(accept_callback accepted) {
  const auto where = parse_address(settings_.address);
  if (!where)
    throw std::runtime_error("\"" + settings_.address
                             + "\" is no address to listen on for other "
                               "nodes: write e.g. peer = \"127.0.0.1:7080\"");
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), where->get(), where->size);
  boost::system::error_code ec;
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec)
    acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec)
    acceptor_.bind(endpoint, ec);
  if (!ec)
    acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec)
    throw std::runtime_error("cannot listen on " + settings_.address
                             + " for other nodes: " + ec.message()
                             + ": choose another `peer` for node "
                             + settings_.me + " in cluster.toml");
  accepted_ = std::move(accepted);
  post([this] { accept_next(); });
}

std::string peer_tunnel::impl::address() const {
  boost::system::error_code ec;
  const auto at = acceptor_.local_endpoint(ec);
  if (ec)
    return settings_.address;
  const auto host = at.address().to_string();
  return (at.address().is_v6() ? "[" + host + "]" : host) + ":"
         + std::to_string(at.port());
}

std::shared_ptr<peer_tunnel_link> peer_tunnel::impl::make_link() {
  return std::make_shared<peer_tunnel_link>(io_, settings_, context_, *this,
                                            counters_);
}

void peer_tunnel::impl::accept_next() {
  acceptor_.async_accept(
    [this](boost::system::error_code ec, tcp::socket socket) {
      if (ec == asio::error::operation_aborted || !acceptor_.is_open())
        return;
      if (!ec) {
        take(std::move(socket));
        accept_next();
        return;
      }
      say(core::log_level::warning,
          "cannot take a connection of another node: " + ec.message());
      pause_.expires_after(accept_pause);
      pause_.async_wait([this](boost::system::error_code over) {
        if (!over && acceptor_.is_open())
          accept_next();
      });
    });
}

void peer_tunnel::impl::take(tcp::socket socket) {
  if (unauthenticated_ >= settings_.unauthenticated_max)
    make_room();
  ++unauthenticated_;
  auto link = make_link();
  links_[link.get()] = {link, nullptr, ++last_number_};
  link->accept(std::move(socket));
}

// A node proves itself within milliseconds, so the oldest stranger is hardly
// one; refusing the newest instead, strangers who wait could keep nodes out.
void peer_tunnel::impl::make_room() {
  std::shared_ptr<peer_tunnel_link> oldest;
  auto number = last_number_ + 1;
  for (const auto& [key, each] : links_)
    if (!key->dialed() && !key->authenticated() && each.number < number) {
      oldest = each.link;
      number = each.number;
    }
  if (oldest)
    oldest->end(tunnel_fault::crowded, "too many wait to prove themselves");
}

void peer_tunnel::impl::dial(const std::string& peer,
                             const std::string& address, dial_callback done) {
  const auto where = parse_address(address);
  std::unique_lock lock(mutex_);
  if (stopped_ || !where) {
    const bool ending = stopped_;
    lock.unlock();
    done(-1, ending ? "this node is ending"
                    : "\"" + address + "\" is no numeric address with a port");
    return;
  }
  post([this, peer, where = *where, done = std::move(done)]() mutable {
    start_dial(peer, where, std::move(done));
  });
}

void peer_tunnel::impl::start_dial(const std::string& peer,
                                   const socket_address& where,
                                   dial_callback done) {
  auto link = make_link();
  links_[link.get()] = {link, std::move(done)};
  link->dial(peer, where);
}

std::string peer_tunnel::impl::refuses(const std::string& name) {
  const auto& members = settings_.members;
  if (name != settings_.me
      && std::find(members.begin(), members.end(), name) != members.end())
    return {};
  return "it calls itself " + name + ", which is no other member";
}

int peer_tunnel::impl::local_end_of(peer_tunnel_link& link) {
  auto& of = links_.at(&link);
  ++counters_.open;
  ++(link.dialed() ? counters_.dialed : counters_.accepted);
  if (!link.dialed())
    --unauthenticated_;
  // The other side opens a second one only if it has given up the first.
  replace_older(link);
  if (link.dialed())
    return dialed_end(of);
  return accepted_ ? accepted_(link.peer()) : -1;
}

void peer_tunnel::impl::replace_older(const peer_tunnel_link& by) {
  std::vector<std::shared_ptr<peer_tunnel_link>> older;
  for (const auto& [key, each] : links_)
    if (key != &by && key->authenticated() && key->dialed() == by.dialed()
        && key->peer() == by.peer())
      older.push_back(each.link);
  for (const auto& link : older)
    link->end(tunnel_fault::closed, "a newer tunnel took its place");
}

int peer_tunnel::impl::dialed_end(entry& of) {
  std::array<int, 2> ends{-1, -1};
  auto done = std::exchange(of.done, nullptr);
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   ends.data())
      != 0) {
    done(-1, std::string("no socket pair: ") + std::strerror(errno));
    return -1;
  }
  done(ends[1], {});
  return ends[0];
}

void peer_tunnel::impl::link_ended(peer_tunnel_link& link, tunnel_fault fault,
                                   const std::string& why) {
  const auto found = links_.find(&link);
  if (found == links_.end())
    return;
  const auto of = std::move(found->second);
  links_.erase(found);
  if (link.authenticated()) {
    --counters_.open;
    ++counters_.ended;
    say(core::log_level::info, "tunnel with " + link.peer() + " ended: " + why);
    if (ended_)
      ended_(link.peer(), why);
  } else if (link.dialed()) {
    counters_.failed.count(fault);
    if (of.done)
      of.done(-1, why);
  } else {
    --unauthenticated_;
    counters_.refused.count(fault);
    say_refused(why);
  }
}

void peer_tunnel::impl::say_refused(const std::string& why) {
  const auto now = std::chrono::steady_clock::now();
  if (now - refusal_told_ < refusal_told_every) {
    ++refusals_untold_;
    return;
  }
  refusal_told_ = now;
  const auto untold = std::exchange(refusals_untold_, 0);
  say(core::log_level::warning,
      "refused a connection as a node: " + why
        + (untold == 0 ? "" : ", and " + std::to_string(untold) + " before"));
}

void peer_tunnel::impl::drop(const std::string& peer, const std::string& why) {
  std::vector<std::shared_ptr<peer_tunnel_link>> all;
  for (const auto& [key, each] : links_)
    if (peer.empty() || key->peer() == peer)
      all.push_back(each.link);
  for (const auto& link : all)
    link->end(tunnel_fault::ending, why);
}

std::size_t peer_tunnel::impl::links_with(const std::string& peer) const {
  return static_cast<std::size_t>(
    std::count_if(links_.begin(), links_.end(), [&](const auto& each) {
      return each.first->authenticated() && each.first->peer() == peer;
    }));
}

void peer_tunnel::impl::reload() {
  if (!settings_.secret.empty())
    return;
  auto fresh = make_tunnel_context(settings_);
  check_own_certificate(*fresh, settings_);
  post([this, fresh = std::move(fresh)] { context_ = fresh; });
}

void peer_tunnel::impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true))
      return;
  }
  post([this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    drop({}, "this node is ending");
    work_.reset();
  });
  if (thread_.joinable())
    thread_.join();
  else
    io_.run(); // never started: what waits for an answer still gets one
}

peer_tunnel::peer_tunnel(tunnel_settings settings, core::log_port& log)
  : impl_(std::make_unique<impl>(std::move(settings), log)) {
}

peer_tunnel::~peer_tunnel() {
  impl_->stop();
}

void peer_tunnel::on_ended(ended_callback ended) {
  impl_->ended_ = std::move(ended);
}

void peer_tunnel::start() {
  impl_->start();
}

void peer_tunnel::listen(accept_callback accepted) {
  impl_->listen(std::move(accepted));
}

std::string peer_tunnel::address() const {
  return impl_->address();
}

void peer_tunnel::dial(const std::string& peer, const std::string& address,
                       dial_callback done) {
  impl_->dial(peer, address, std::move(done));
}

void peer_tunnel::drop(const std::string& peer) {
  impl_->post([raw = impl_.get(), peer] {
    if (!peer.empty())
      raw->drop(peer, "this node dropped it");
  });
}

void peer_tunnel::set_members(std::vector<std::string> members) {
  impl_->post([raw = impl_.get(), members = std::move(members)]() mutable {
    raw->settings_.members = std::move(members);
  });
}

void peer_tunnel::reload_certificates() {
  impl_->reload();
}

std::size_t peer_tunnel::tunnels_with(const std::string& peer) const {
  return impl_->links_with(peer);
}

const tunnel_counters& peer_tunnel::counters() const noexcept {
  return impl_->counters_;
}

void peer_tunnel::stop() {
  impl_->stop();
}

} // namespace vartalap::net
