#include "runtime/node.hpp"

#include "actors/notifier_actor.hpp"
#include "actors/router_actor.hpp"
#include "net/address.hpp"
#include "runtime/admin.hpp"
#include "runtime/admin_token.hpp"
#include "runtime/cluster_json.hpp"
#include "runtime/cluster_metrics.hpp"
#include "runtime/cluster_origins.hpp"
#include "runtime/config.hpp"
#include "runtime/host_facts.hpp"
#include "runtime/metrics_collect.hpp"
#include "runtime/node_auth.hpp"
#include "runtime/node_cluster.hpp"
#include "runtime/node_parts.hpp"
#include "runtime/reload_signal.hpp"
#include "runtime/startup_report.hpp"
#include "runtime/version.hpp"
#include "runtime/web_folder.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <thread>
#include <utility>

namespace vartalap::runtime {

namespace {

using std::chrono::steady_clock;

/// How long each step of an orderly end may take before the next begins.
constexpr core::milliseconds close_clients_within{3000};
constexpr core::milliseconds close_mailboxes_within{5000};
/// The whole of it; then the process ends as it is: everything confirmed is
/// durable or acknowledged at any moment.
constexpr core::milliseconds end_within{15'000};

/// Over how long clients of a closing node are told to spread their return.
constexpr core::milliseconds reconnect_spread{2000};

/// How long a node that ends hands over what it has: after a signal, and when
/// it is drained. What is left then others take over, as after a crash.
constexpr core::milliseconds hand_over_within{2500};
constexpr core::milliseconds drain_within{20 * 60 * 1000};

/// How often a node that joins looks whether it is to end already.
constexpr core::milliseconds join_step{100};

/// How long metrics wait for a busy shard.
constexpr core::milliseconds counters_within{500};

::sigset_t end_signals() {
  ::sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  return set;
}

unsigned shard_count(const core::runtime_options& options) {
  if (options.shards != 0)
    return options.shards;
  return std::max(1U, std::thread::hardware_concurrency());
}

} // namespace

void prepare_signals() {
  auto set = end_signals();
  ::sigaddset(&set, SIGHUP); // reload_signal waits for it
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

class node::impl {
public:
  impl(core::cluster_options options, const std::string& name,
       std::string config_file, core::log_port& log, process_metrics& metrics);
  ~impl();

  node_end serve();

private:
  void start_actors();
  void start_ports();
  void report();
  void collect(process_metrics& metrics);
  std::string why_not_ready() const;
  bool join(const ::sigset_t& signals);
  void drain();
  void watch_end(const ::sigset_t& signals, core::milliseconds within);
  node_end end();
  void wait_for_clients();
  bool end_mailboxes();
  void take_down();

  core::cluster_options options_;
  core::node_options me_;
  std::string config_file_;
  core::log_port& log_;
  process_metrics& metrics_;
  core::limit_options admin_limits_;
  core::auth_options client_auth_; ///< takes the pages of other nodes too
  std::vector<std::unique_ptr<net::shard>> shards_;
  net::shard admin_shard_;
  std::thread admin_thread_;
  store_events events_;
  std::unique_ptr<storage::store> store_;
  std::unique_ptr<net::push_sender> push_; ///< null without a provider
  actors::push_board pushes_;
  net::worker_pool workers_;
  actors::rate_limits rates_;
  net::static_files files_;
  reload_signal reload_{log_};
  actors::node_context context_;
  node_auth auth_;
  std::unique_ptr<net::tls_context> tls_; ///< null: in the clear
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::unique_ptr<node_cluster> cluster_; ///< null where it is alone
  std::unique_ptr<actors::client_gateway> gateway_;
  std::unique_ptr<admin_gateway> admin_;
  std::unique_ptr<net::listener> clients_;
  std::unique_ptr<net::listener> admins_;
  std::atomic<bool> ending_{false};
  std::atomic<bool> draining_{false};
};

namespace {

std::vector<std::unique_ptr<net::shard>>
make_shards(const core::runtime_options& options) {
  std::vector<std::unique_ptr<net::shard>> out;
  for (unsigned i = 0; i < shard_count(options); ++i)
    out.push_back(std::make_unique<net::shard>(i, options.coalesce));
  return out;
}

std::vector<net::shard*>
pointers(const std::vector<std::unique_ptr<net::shard>>& shards) {
  std::vector<net::shard*> out;
  out.reserve(shards.size());
  for (const auto& one : shards)
    out.push_back(one.get());
  return out;
}

std::unique_ptr<net::tls_context> make_tls(const core::node_tls_options& tls) {
  return tls.wanted()
           ? std::make_unique<net::tls_context>(tls.certificate, tls.key)
           : nullptr;
}

core::limit_options limits_of_admin(core::limit_options limits) {
  // A scraper is no client: its connections are few, and it may be slow.
  limits.max_connections = 64;
  limits.max_connections_per_address = 0;
  return limits;
}

} // namespace

node::impl::impl(core::cluster_options options, const std::string& name,
                 std::string config_file, core::log_port& log,
                 process_metrics& metrics)
  : options_(std::move(options)), me_(find_node(options_, name)),
    config_file_(std::move(config_file)), log_(log), metrics_(metrics),
    admin_limits_(limits_of_admin(options_.limits)),
    client_auth_(options_.auth), shards_(make_shards(options_.runtime)),
    admin_shard_(static_cast<unsigned>(shards_.size()), core::microseconds{0}),
    events_(log_), store_(storage::store::open(
                     me_.data, options_.storage, options_.delivery.ttl,
                     static_cast<unsigned>(shards_.size()), events_, log_)),
    push_(options_.push.is_used()
            ? std::make_unique<net::push_sender>(options_.push)
            : nullptr),
    workers_(std::max(1U, options_.runtime.workers)), rates_(options_.limits),
    files_(find_web_folder(options_.runtime.web)), context_{options_, *store_,
                                                            workers_, log_,
                                                            rates_,   {},
                                                            {},       {}},
    auth_(context_, reload_), tls_(make_tls(me_.tls)) {
  client_auth_.allowed_origins = cluster_origins(options_);
  context_.name = me_.name;
  start_actors();
  try {
    start_ports();
  } catch (...) {
    // A port is taken, say: actors that run would keep the system waiting.
    take_down();
    throw;
  }
}

void node::impl::start_actors() {
  net::sharing_policy sharing;
  sharing.enabled = options_.runtime.share_thread
                    && options_.runtime.coalesce.count() == 0;
  actors::use_shards(config_, pointers(shards_), sharing);
  const auto is_one_of_several = node_cluster::is_wanted(options_);
  if (is_one_of_several)
    actors::peer_transport::prepare(config_);
  system_ = std::make_unique<caf::actor_system>(config_);
  const auto who = store_->who();
  const auto count = static_cast<unsigned>(shards_.size());
  for (auto& one : shards_)
    context_.shards.push_back(
      std::make_unique<actors::shard_context>(context_, *one, who, count));
  if (is_one_of_several)
    node_cluster::prepare(context_);
  for (auto& one : context_.shards)
    one->router = system_->spawn<actors::router_actor>(*one);
  context_.notifier = system_->spawn<actors::notifier_actor>(
    *context_.shards.front(), push_.get(), pushes_);
  events_.connect(context_);
  if (tls_)
    reload_.add("the certificates of node.tls", [this] { tls_->reload(); });
  for (auto& one : context_.shards)
    if (!is_one_of_several) // else once it is known whose home this is
      actors::tell(one->router, actors::look_for_outgoing{});
  if (is_one_of_several)
    cluster_ = std::make_unique<node_cluster>(*system_, context_, me_, log_);
  if (cluster_)
    reload_.add("the nodes of the cluster", [this] {
      log_.write(core::log_level::info, "cluster",
                 cluster_->reload(load_config(config_file_)));
    });
  if (cluster_ && options_.peers.has_tls())
    reload_.add("the certificates of cluster.tls",
                [this] { cluster_->reload_certificates(); });
}

void node::impl::start_ports() {
  gateway_ = std::make_unique<actors::client_gateway>(*system_, context_,
                                                      files_, auth_.who());
  clients_ = std::make_unique<net::listener>(
    pointers(shards_), me_.client, options_.limits, client_auth_, auth_.who(),
    *gateway_, log_, tls_.get());
  admin_hooks hooks;
  hooks.ready = [this] { return why_not_ready(); };
  if (cluster_)
    hooks.cluster = [this] { return to_json(cluster_->look()); };
  hooks.drain = [this] { drain(); };
  if (cluster_)
    hooks.reload
      = [this] { return cluster_->reload(load_config(config_file_)); };
  admin_ = std::make_unique<admin_gateway>(
    context_, metrics_, load_admin_token(me_, options_.auth), std::move(hooks),
    net::parse_address(me_.admin)
      .value_or(net::socket_address{})
      .is_loopback());
  admins_ = std::make_unique<net::listener>(
    std::vector<net::shard*>{&admin_shard_}, me_.admin, admin_limits_,
    options_.auth, auth_.who(), *admin_, log_,
    me_.tls.admin ? tls_.get() : nullptr);
  metrics_.add_collector([this](process_metrics& into) { collect(into); });
  admin_thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "admin");
    admin_shard_.run();
    admin_shard_.end_watched();
  });
}

void node::impl::report() {
  startup_facts facts;
  facts.version = version;
  facts.config_file = config_file_;
  facts.node = me_;
  facts.node.client = clients_->address();
  facts.node.admin = admins_->address();
  const auto who = store_->who();
  facts.node_uuid = who.node_uuid;
  facts.incarnation = who.incarnation;
  facts.shards = static_cast<unsigned>(shards_.size());
  const auto status = store_->status();
  facts.pending = status.journal_records + status.settled_records;
  facts.web = find_web_folder(options_.runtime.web);
  facts.admin_token_file = admin_token_path(me_, options_.auth);
  facts.host = read_host_facts(me_.data);
  for (const auto& line : startup_report(facts, options_))
    log_.write(line.level, "node", line.text);
}

std::string node::impl::why_not_ready() const {
  if (ending_.load())
    return "the node is going away";
  if (cluster_ && cluster_->phase() == core::node_phase::joining)
    return "the node joins its cluster";
  const auto status = store_->status();
  if (status.failed)
    return "storage has failed: see the log";
  if (!status.accepting)
    return "storage is full: new messages are refused";
  return {};
}

void node::impl::collect(process_metrics& into) {
  const auto sum = sum_counters(context_, counters_within);
  if (sum.complete) {
    publish(into, sum.mailboxes);
    publish(into, sum.connections);
    publish(into, sum.groups);
    into.set("groups_open", static_cast<double>(sum.open_records));
    into.set("mailboxes_open", static_cast<double>(sum.open_mailboxes));
    into.set("actors", static_cast<double>(sum.open_mailboxes),
             R"(kind="delivery")");
    into.set("actors", static_cast<double>(sum.open_websockets),
             R"(kind="connection")");
  }
  publish(into, store_->status());
  publish(into, pushes_.look());
  if (cluster_) {
    publish(into, cluster_->look());
    cluster_->look_at_tunnel(
      [&into](const auto& tunnel) { publish(into, tunnel); });
  }
  publish_process(into);
  auth_.publish(into);
  into.set("ready", why_not_ready().empty() ? 1 : 0);
  into.set("shards", static_cast<double>(shards_.size()));
  into.set("build_info", 1, "version=\"" + std::string(version) + "\"");
  publish(into, clients_->counters());
  for (auto& one : shards_)
    publish(into, *one);
}

node_end node::impl::serve() {
  const auto set = end_signals();
  admins_->start();
  reload_.start();
  if (!join(set))
    return end();
  clients_->start();
  report();
  int signal = 0;
  ::sigwait(&set, &signal);
  if (events_.failed())
    ::_exit(static_cast<int>(node_end::storage_failed));
  log_.write(core::log_level::info, "node",
             "ending: clients are told to come back elsewhere or later");
  const auto hand_over = draining_.load() ? drain_within : hand_over_within;
  watch_end(set, end_within + (cluster_ ? hand_over : core::milliseconds{0}));
  if (cluster_ && !cluster_->drain(hand_over))
    log_.write(core::log_level::info, "node",
               "not everything is handed over: other nodes take it over");
  return end();
}

// Serves nobody before it knows what it has missed.
// False where it is to end instead.
bool node::impl::join(const ::sigset_t& signals) {
  if (!cluster_)
    return true;
  cluster_->start();
  log_.write(core::log_level::info, "node", "joining the cluster");
  const ::timespec at_once{0, 0};
  while (!cluster_->wait_until_serving(join_step))
    if (::sigtimedwait(&signals, nullptr, &at_once) > 0)
      return false;
  return true;
}

void node::impl::drain() {
  draining_.store(true);
  ::kill(::getpid(), SIGTERM);
}

// A second signal, or an end that takes too long, ends it as it is. What was
// confirmed is durable or acknowledged at any moment.
void node::impl::watch_end(const ::sigset_t& signals,
                           core::milliseconds within) {
  std::thread([signals, within] {
    const auto until = steady_clock::now() + within;
    auto got = -1;
    do {
      // A stop and a debugger interrupt the wait: that is no reason to end.
      const auto left
        = std::chrono::ceil<std::chrono::seconds>(until - steady_clock::now());
      const ::timespec limit{std::max<std::time_t>(left.count(), 0), 0};
      got = ::sigtimedwait(&signals, nullptr, &limit);
    } while (got < 0 && errno == EINTR);
    ::_exit(got > 0 ? 128 + got : static_cast<int>(node_end::forced));
  }).detach();
}

void node::impl::wait_for_clients() {
  const auto until = steady_clock::now() + close_clients_within;
  const auto& open = clients_->counters().connections;
  while (open.load() != 0 && steady_clock::now() < until)
    std::this_thread::sleep_for(core::milliseconds{10});
  // Half a request, or an answer that nobody takes: no reason to wait longer,
  // and nothing that was confirmed depends on it.
  if (open.load() != 0)
    log_.write(core::log_level::info, "node",
               "dropping " + std::to_string(open.load())
                 + " connections that did not end");
}

bool node::impl::end_mailboxes() {
  struct progress {
    std::mutex mutex;
    std::condition_variable all;
    std::size_t missing = 0;
  };
  auto shared = std::make_shared<progress>();
  shared->missing = context_.shards.size();
  for (auto& one : context_.shards)
    actors::tell(one->router, actors::end_deliveries{[shared] {
                   const std::lock_guard lock(shared->mutex);
                   if (--shared->missing == 0)
                     shared->all.notify_all();
                 }});
  std::unique_lock lock(shared->mutex);
  return shared->all.wait_for(lock, close_mailboxes_within,
                              [&] { return shared->missing == 0; });
}

node_end node::impl::end() {
  ending_.store(true);
  reload_.stop();
  // Connections that this end closes are nothing to wake anybody for.
  if (push_)
    push_->stop();
  clients_->stop();
  gateway_->close_all(reconnect_spread);
  wait_for_clients();
  const auto closed = end_mailboxes();
  store_->close();
  if (cluster_)
    cluster_->stop();
  if (!closed) {
    // An acknowledgement is still missing for a message that is durable: no
    // reason to wait, and none to unwind.
    log_.write(core::log_level::warning, "node",
               "ended with mailboxes still open; all they hold is on disk");
    return node_end::forced;
  }
  log_.write(core::log_level::info, "node", "ended in order");
  return node_end::orderly;
}

node::impl::~impl() {
  take_down();
}

void node::impl::take_down() {
  ending_.store(true);
  reload_.stop();
  if (push_)
    push_->stop();
  if (cluster_)
    cluster_->stop();
  store_->close();
  workers_.stop();
  admin_shard_.stop();
  if (admin_thread_.joinable())
    admin_thread_.join();
  for (auto& one : context_.shards) {
    caf::anon_send_exit(one->router, caf::exit_reason::user_shutdown);
    one->router = nullptr;
  }
  caf::anon_send_exit(context_.notifier, caf::exit_reason::user_shutdown);
  context_.notifier = nullptr;
  // Whatever still runs is of no use to anyone: its state is on disk.
  system_->await_actors_before_shutdown(false);
  system_.reset();
}

node::node(core::cluster_options options, const std::string& name,
           std::string config_file, core::log_port& log,
           process_metrics& metrics)
  : impl_(std::make_unique<impl>(std::move(options), name,
                                 std::move(config_file), log, metrics)) {
}

node::~node() = default;

node_end node::serve() {
  return impl_->serve();
}

} // namespace vartalap::runtime
