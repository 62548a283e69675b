#include "test/unit/actors/link_rig.hpp"

#include "actors/gate_actor.hpp"
#include "actors/scheduler.hpp"

#include <caf/send.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace vartalap::test {

namespace {

constexpr std::chrono::seconds soon{10};

using confirmed_callback = std::function<void(const core::effect::confirm&)>;

/// Stands for a router and its mailboxes: everything is confirmed, and stored,
/// at once.
class confirming_router final : public actors::pinned_actor {
public:
  confirming_router(caf::actor_config& config, actors::shard_context& context,
                    event& copied, std::atomic<bool>& lost)
    : pinned_actor(config, context.home), context_(context), copied_(copied),
      lost_(lost) {
  }

  caf::behavior make_behavior() override {
    actors::harden(*this);
    return {
      [this](const actors::submit& batch) { confirm(batch.items); },
      [this](const actors::given_back& back) {
        lost_ = lost_ || back.lost;
        confirm(back.items);
      },
      [](const actors::store_copies& batch) {
        std::vector<std::uint64_t> stored;
        for (const auto& item : batch.items)
          stored.push_back(item.ticket);
        (*batch.done)(std::move(stored), {});
      },
      [this](const actors::copies_stored&) { copied_.set(); },
    };
  }

private:
  void confirm(const std::vector<actors::submission>& items) {
    actors::confirm_batch back;
    caf::actor to;
    for (const auto& item : items) {
      core::effect::confirm one;
      one.to = item.origin;
      one.what = item.message;
      one.serverid = context_.ids.next(context_.now().wall);
      const auto& origin = actors::origin_of(item.origin);
      if (!origin.connection) {
        origin.confirmed(one);
        continue;
      }
      to = origin.connection;
      back.items.push_back(std::move(one));
    }
    if (to)
      actors::tell(to, std::move(back));
  }

  actors::shard_context& context_;
  event& copied_;
  std::atomic<bool>& lost_;
};

/// Stands for the cluster actor: tells that the link is there.
class watching_cluster final : public actors::pinned_actor {
public:
  watching_cluster(caf::actor_config& config, net::shard& home, event& up)
    : pinned_actor(config, home), up_(up) {
  }

  caf::behavior make_behavior() override {
    actors::harden(*this);
    return {
      [this](const actors::link_is_up&) { up_.set(); },
    };
  }

private:
  event& up_;
};

actors::submit batch_of(std::vector<std::shared_ptr<core::envelope>> messages,
                        const confirmed_callback& confirmed) {
  actors::submit batch;
  auto origin = std::make_shared<actors::submission_origin>();
  origin->confirmed = confirmed;
  for (auto& message : messages)
    batch.items.push_back({std::move(message), origin});
  return batch;
}

} // namespace

void event::set() {
  const std::lock_guard lock(mutex_);
  set_ = true;
  changed_.notify_all();
}

bool event::wait() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, soon, [this] { return set_; });
}

bool error_log::enabled(core::log_level level) const noexcept {
  return level >= core::log_level::error;
}

void error_log::write(core::log_level level, std::string_view,
                      std::string_view text) {
  if (!enabled(level))
    return;
  const std::lock_guard lock(mutex_);
  text_ += std::string(text) + "\n";
}

std::string error_log::text() const {
  const std::lock_guard lock(mutex_);
  return text_;
}

class link_node::nothing_stored final : public storage::store {
public:
  void submit(std::vector<storage::request>) override {
  }
  core::mailbox_snapshot snapshot(std::string_view) override {
    return {};
  }
  std::vector<core::envelope_ptr>
  fetch(std::string_view, std::span<const core::server_id>) override {
    return {};
  }
  std::vector<storage::stored_message>
  fetch_stored(std::string_view, std::span<const core::server_id>) override {
    return {};
  }
  std::vector<storage::bucket_digest> digests(std::uint16_t,
                                              std::uint32_t) override {
    return {};
  }
  storage::bucket_listing list_bucket(std::uint16_t) override {
    return {};
  }
  std::vector<storage::row> rows(std::string_view, storage::row_kind) override {
    return {};
  }
  std::vector<storage::peer_note> peers() override {
    return {};
  }
  std::string members() override {
    return {};
  }
  std::vector<std::string> outgoing(const std::string&, std::size_t) override {
    return {};
  }
  storage::push_page list_pushes(const std::string&, std::size_t) override {
    return {};
  }
  storage::identity who() const override {
    return {};
  }
  storage::store_status status() const override {
    return {};
  }
  void resume_expiry() override {
  }
  void close() override {
  }
};

link_node::link_node(const net::tunnel_settings& settings,
                     const std::filesystem::path& folder)
  : name_(settings.me), folder_(folder / settings.me),
    store_(std::make_unique<nothing_stored>()),
    rates_(options_.limits), context_{options_, *store_, workers_, log,
                                      rates_,   {},      {},       {}} {
  std::filesystem::create_directories(folder_);
  actors::use_shards(config_, {&home_}, {});
  actors::peer_transport::prepare(config_);
  system_ = std::make_unique<caf::actor_system>(config_);
  context_.shards.push_back(
    std::make_unique<actors::shard_context>(context_, home_, store_->who(), 1));
  shard().router = system_->spawn<confirming_router>(shard(), copied, lost);
  context_.cluster = system_->spawn<watching_cluster>(home_, up);
  transport_ = std::make_unique<actors::peer_transport>(*system_, settings,
                                                        folder_.string(), log);
}

void link_node::start(const std::string& peer, const std::string& address) {
  prepare(peer, address);
  open_link();
}

void link_node::open_link() {
  caf::anon_send(link_, actors::open_link{});
}

void link_node::copy(storage::operation what) {
  actors::send_copies batch;
  batch.items.push_back({1, std::move(what)});
  caf::anon_send(link_, std::move(batch));
}

void link_node::prepare(const std::string& peer, const std::string& address) {
  actors::link_settings settings;
  settings.peer = 0;
  settings.name = peer;
  settings.address = address;
  settings.dials = name_ < peer;
  settings.hello.version_min = version;
  settings.hello.version_max = version;
  settings.hello.name = name_;
  settings.hello.node_uuid = name_;
  link_ = system_->spawn<actors::link_actor>(shard(), *transport_, settings);
  gate_ = system_->spawn<actors::gate_actor>(
    home_, log, std::unordered_map<std::string, caf::actor>{{peer, link_}});
  transport_->start(gate_, [this](const std::string&) {
    caf::anon_send(link_, actors::tunnel_ended{"the connection has ended"});
  });
}

std::string link_node::address() const {
  return transport_->tunnel().address();
}

void link_node::replace_link() {
  event ended;
  caf::anon_send(link_, actors::end_cluster{[&ended] { ended.set(); }, true});
  ended.wait();
}

link_node::~link_node() {
  for (const auto& actor : {link_, gate_}) {
    if (!actor)
      continue;
    event ended;
    caf::anon_send(actor, actors::end_cluster{[&ended] { ended.set(); }});
    ended.wait();
  }
  transport_->stop();
  caf::anon_send_exit(shard().router, caf::exit_reason::kill);
  caf::anon_send_exit(context_.cluster, caf::exit_reason::kill);
  shard().router = nullptr;
  context_.cluster = nullptr;
  link_ = nullptr;
  gate_ = nullptr;
  transport_.reset();
  system_->await_actors_before_shutdown(false);
  system_.reset();
  std::filesystem::remove_all(folder_);
}

void link_node::submit(std::vector<std::shared_ptr<core::envelope>> messages,
                       confirmed_callback confirmed) {
  caf::anon_send(link_, batch_of(std::move(messages), confirmed));
}

void link_node::submit_here(
  std::vector<std::shared_ptr<core::envelope>> messages,
  confirmed_callback confirmed) {
  caf::anon_send(shard().router, batch_of(std::move(messages), confirmed));
}

actors::look_at_link::figures link_node::figures() {
  auto seen = std::make_shared<actors::look_at_link::figures>();
  auto done = std::make_shared<event>();
  caf::anon_send(link_, actors::look_at_link{[seen, done](auto figures) {
                   *seen = std::move(figures);
                   done->set();
                 }});
  if (!done->wait())
    throw std::runtime_error("the link does not answer");
  return *seen;
}

net::tunnel_settings secret_settings(const std::string& me) {
  net::tunnel_settings out;
  out.me = me;
  out.address = "127.0.0.1:0";
  out.secret = "0123456789abcdef0123456789abcdef";
  out.members = {"n1", "n2"};
  return out;
}

std::shared_ptr<core::envelope> message_of(std::size_t bytes,
                                           std::uint64_t number) {
  auto out = std::make_shared<core::envelope>();
  out->id = "m" + std::to_string(number);
  out->from = "alice";
  out->to = "bob";
  out->content.assign(bytes, 'x');
  return out;
}

} // namespace vartalap::test
