#include "actors/middleman.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/scribe_impl.hpp>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace vartalap::actors {

namespace {

namespace network = caf::io::network;

/// Connections that the kernel keeps for a busy middleman.
constexpr int backlog = 64;

/// A middleman whose node id is random.
class local_middleman final : public caf::io::middleman {
public:
  explicit local_middleman(caf::actor_system& sys)
    : middleman(sys), backend_(&sys) {
  }

  void init(caf::actor_system_config& config) override {
    middleman::init(config);
    caf::node_id::default_data::host_id_type host{};
    if (::getrandom(host.data(), host.size(), 0)
        != static_cast<::ssize_t>(host.size()))
      throw std::runtime_error("the system gives no random bytes");
    // CAF offers no way to choose the id, and keeps no copy of it yet.
    const_cast<caf::node_id&>(system().node())
      = caf::make_node_id(static_cast<std::uint32_t>(::getpid()), host);
  }

  network::multiplexer& backend() override {
    return backend_;
  }

private:
  network::default_multiplexer backend_;
};

class local_scribe final : public network::scribe_impl {
public:
  using scribe_impl::scribe_impl;

  std::string addr() const override {
    return "local";
  }
  std::uint16_t port() const override {
    return gate_port;
  }
};

/// True where the other end of a unix-domain socket belongs to this process.
bool is_ours(int fd) {
  ::ucred who{};
  ::socklen_t size = sizeof who;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0
         && who.pid == ::getpid();
}

class local_doorman final : public network::doorman_impl {
public:
  using doorman_impl::doorman_impl;

  std::string addr() const override {
    return "local";
  }
  std::uint16_t port() const override {
    return gate_port;
  }

  bool new_connection() override {
    const int fd = acceptor_.accepted_socket();
    if (detached() || !is_ours(fd)) {
      ::close(fd);
      return !detached();
    }
    auto& multiplexer = acceptor_.backend();
    network::nonblocking(fd, true);
    auto scribe = caf::make_counted<local_scribe>(multiplexer, fd);
    const auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    return doorman::new_connection(&multiplexer, handle);
  }
};

/// The address of a socket in a folder that is open as `folder`: paths may be
/// longer than the 108 bytes of sockaddr_un.
::sockaddr_un address_in(int folder, const std::string& name) {
  ::sockaddr_un out{};
  out.sun_family = AF_UNIX;
  const auto path = "/proc/self/fd/" + std::to_string(folder) + "/" + name;
  std::copy_n(path.c_str(), std::min(path.size(), sizeof out.sun_path - 1),
              &out.sun_path[0]);
  return out;
}

/// Calls `with(fd, address)` for a new socket and its address at `path`.
/// @return The socket if `with` returned 0, else -1 and errno.
template <class With>
int with_address(const std::string& path, With with) {
  const std::filesystem::path whole(path);
  const auto parent = whole.has_parent_path() ? whole.parent_path().string()
                                              : std::string(".");
  const int folder = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return -1;
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto address = address_in(folder, whole.filename().string());
  if (fd >= 0
      && with(fd, static_cast<const ::sockaddr*>(
                    static_cast<const void*>(&address)))
           != 0) {
    const int why = errno;
    ::close(fd);
    fd = -1;
    errno = why;
  }
  const int why = errno;
  ::close(folder);
  errno = why;
  return fd;
}

int listen_local(const std::string& path) {
  ::unlink(path.c_str()); // of a process that died
  return with_address(path, [](int fd, const ::sockaddr* address) {
    // The file gets the socket's own mode: no moment with a wider one.
    const bool bound = ::fchmod(fd, S_IRUSR | S_IWUSR) == 0
                       && ::bind(fd, address, sizeof(::sockaddr_un)) == 0
                       && ::listen(fd, backlog) == 0;
    return bound ? 0 : -1;
  });
}

class local_middleman_actor final : public caf::io::middleman_actor_impl {
public:
  using middleman_actor_impl::middleman_actor_impl;

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host,
                                             std::uint16_t) override {
    int fd = -1;
    const auto end = host.data() + std::min(host.find('#'), host.size());
    if (std::from_chars(host.data(), end, fd).ec != std::errc{} || fd < 0)
      return caf::sec::invalid_argument;
    return caf::io::scribe_ptr(
      caf::make_counted<local_scribe>(multiplexer(), fd));
  }

  caf::expected<caf::io::doorman_ptr> open(std::uint16_t, const char* path,
                                           bool) override {
    const int fd = path == nullptr ? -1 : listen_local(path);
    if (fd < 0)
      return caf::make_error(caf::sec::cannot_open_port,
                             std::string(std::strerror(errno)));
    return caf::io::doorman_ptr(
      caf::make_counted<local_doorman>(multiplexer(), fd));
  }

private:
  network::default_multiplexer& multiplexer() {
    return static_cast<network::default_multiplexer&>(
      system().middleman().backend());
  }
};

} // namespace

void load_middleman(caf::actor_system_config& config) {
  config.module_factories.push_back(
    [](caf::actor_system& system) -> caf::actor_system::module* {
      return new local_middleman(system);
    });
  config.set("middleman.app-identifiers",
             std::vector<std::string>{"vartalap/1"});
  config.set("middleman.enable-automatic-connections", false);
  config.set("middleman.workers", std::size_t{0});
  // Links have heartbeats of their own. CAF's take a connection that is still
  // in its handshake for one that has been silent since boot.
  config.set("middleman.heartbeat-interval", caf::timespan{0});
}

void close_remote_services(caf::actor_system& system) {
  system.registry().erase(caf::atom("SpawnServ"));
  system.registry().erase(caf::atom("ConfigServ"));
}

caf::io::middleman_actor spawn_local_middleman(caf::actor_system& system) {
  return system.spawn<local_middleman_actor, caf::detached + caf::hidden>(
    system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")));
}

std::string adopted(int fd) {
  static std::atomic<std::uint64_t> serial{0};
  return std::to_string(fd) + "#" + std::to_string(++serial);
}

int connect_local(const std::string& path) {
  return with_address(path, [](int fd, const ::sockaddr* address) {
    return ::connect(fd, address, sizeof(::sockaddr_un));
  });
}

} // namespace vartalap::actors
