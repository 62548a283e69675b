#include "actors/peer_transport.hpp"

#include "actors/middleman.hpp"
#include "actors/pinned_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace vartalap::actors {

namespace {

/// How long the two middlemen may take to greet each other. With the tunnel's
/// own limits a connect takes less than 10 s.
constexpr std::chrono::milliseconds greeting_limit{2500};
constexpr std::chrono::seconds publish_limit{5};

/// What became of a connect.
using answer = std::function<void(caf::strong_actor_ptr, std::string)>;

/// Asks the middleman to greet what is at the other end of a socket. Ends when
/// it has answered.
caf::behavior greet(caf::event_based_actor* self,
                    const caf::io::middleman_actor& middleman, int fd,
                    const answer& done) {
  harden(*self);
  self
    ->request(middleman, greeting_limit, caf::connect_atom::value, adopted(fd),
              gate_port)
    .then(
      [done](const caf::node_id&, caf::strong_actor_ptr& gate,
             const std::set<std::string>&) {
        done(gate, gate ? "" : "the peer has no gate yet");
      },
      [self, done](caf::error& why) {
        done(nullptr,
             "the middlemen do not greet: " + self->system().render(why));
      });
  return {};
}

} // namespace

class peer_transport::impl final : public std::enable_shared_from_this<impl> {
public:
  impl(caf::actor_system& system, net::tunnel_settings settings,
       const std::string& data_folder, core::log_port& log)
    : system_(system),
      path_((std::filesystem::path(data_folder) / "basp.sock").string()),
      log_(log), tunnel_(std::move(settings), log) {
    close_remote_services(system);
    middleman_ = spawn_local_middleman(system);
    tunnel_.start();
  }

  void start(caf::actor gate, ended_callback ended);
  void connect(const std::string& peer, const std::string& address,
               connect_callback done);
  void stop();

  net::peer_tunnel& tunnel() noexcept {
    return tunnel_;
  }

private:
  int join(const std::string& peer);
  void dialed(std::uint64_t number, const std::string& peer, int fd,
              std::string problem);
  void answer_to(std::uint64_t number, caf::strong_actor_ptr gate,
                 std::string problem);

  caf::actor_system& system_;
  std::string path_;
  core::log_port& log_;
  caf::io::middleman_actor middleman_;
  std::mutex mutex_; ///< guards what follows
  std::unordered_map<std::uint64_t, connect_callback> waiting_;
  std::uint64_t last_number_ = 0;
  bool stopped_ = false;
  net::peer_tunnel tunnel_; ///< last: its thread uses the rest
};

void peer_transport::impl::start(caf::actor gate, ended_callback ended) {
  std::string problem;
  caf::scoped_actor self(system_);
  self
    ->request(middleman_, publish_limit, caf::publish_atom::value, gate_port,
              caf::actor_cast<caf::strong_actor_ptr>(std::move(gate)),
              std::set<std::string>{}, path_, false)
    .receive([](std::uint16_t) {},
             [&](caf::error& why) { problem = system_.render(why); });
  if (!problem.empty())
    throw std::runtime_error("the node's own endpoint " + path_
                             + " cannot be opened: " + problem);
  tunnel_.on_ended([this, ended = std::move(ended)](const std::string& peer,
                                                    const std::string&) {
    if (ended && tunnel_.tunnels_with(peer) == 0)
      ended(peer);
  });
  tunnel_.listen([this](const std::string& peer) { return join(peer); });
}

int peer_transport::impl::join(const std::string& peer) {
  const int fd = connect_local(path_);
  if (fd < 0)
    log_.write(core::log_level::error, "tunnel",
               "node " + peer + " cannot join: " + path_ + ": "
                 + std::strerror(errno));
  return fd;
}

void peer_transport::impl::connect(const std::string& peer,
                                   const std::string& address,
                                   connect_callback done) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      number = ++last_number_;
      waiting_.emplace(number, std::move(done));
    }
  }
  if (number == 0) {
    done(nullptr, "this node is ending");
    return;
  }
  tunnel_.dial(peer, address,
               [this, number, peer](int fd, std::string problem) {
                 dialed(number, peer, fd, std::move(problem));
               });
}

void peer_transport::impl::dialed(std::uint64_t number, const std::string& peer,
                                  int fd, std::string problem) {
  if (fd < 0) {
    answer_to(number, nullptr, std::move(problem));
    return;
  }
  system_.spawn<caf::hidden>(
    greet, middleman_, fd,
    answer([weak = weak_from_this(), number, peer](caf::strong_actor_ptr gate,
                                                   std::string why) {
      const auto self = weak.lock();
      if (!self)
        return;
      // A peer that does not greet would hold its tunnel for ever.
      if (!gate)
        self->tunnel_.drop(peer);
      self->answer_to(number, std::move(gate), std::move(why));
    }));
}

void peer_transport::impl::answer_to(std::uint64_t number,
                                     caf::strong_actor_ptr gate,
                                     std::string problem) {
  connect_callback done;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(number);
    if (found == waiting_.end())
      return;
    done = std::move(found->second);
    waiting_.erase(found);
  }
  done(std::move(gate), std::move(problem));
}

void peer_transport::impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true))
      return;
  }
  // Without tunnels the middleman's sockets have no other end: it cannot wait
  // for a peer that takes nothing.
  tunnel_.stop();
  std::vector<std::uint64_t> numbers;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, done] : waiting_)
      numbers.push_back(number);
  }
  for (const auto number : numbers)
    answer_to(number, nullptr, "this node is ending");
  caf::anon_send_exit(middleman_, caf::exit_reason::kill);
  middleman_ = nullptr;
  ::unlink(path_.c_str());
}

void peer_transport::prepare(caf::actor_system_config& config) {
  load_middleman(config);
}

peer_transport::peer_transport(caf::actor_system& system,
                               net::tunnel_settings settings,
                               const std::string& data_folder,
                               core::log_port& log)
  : impl_(
    std::make_shared<impl>(system, std::move(settings), data_folder, log)) {
}

peer_transport::~peer_transport() {
  impl_->stop();
}

void peer_transport::start(caf::actor gate, ended_callback ended) {
  impl_->start(std::move(gate), std::move(ended));
}

void peer_transport::connect(const std::string& peer,
                             const std::string& address,
                             connect_callback done) {
  impl_->connect(peer, address, std::move(done));
}

void peer_transport::drop(const std::string& peer) {
  impl_->tunnel().drop(peer);
}

void peer_transport::set_members(std::vector<std::string> members) {
  impl_->tunnel().set_members(std::move(members));
}

net::peer_tunnel& peer_transport::tunnel() noexcept {
  return impl_->tunnel();
}

void peer_transport::stop() {
  impl_->stop();
}

} // namespace vartalap::actors
