#pragma once

#include "actors/messages.hpp"
#include "actors/pinned_actor.hpp"
#include "actors/shard_context.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vartalap::actors {

/// Forwards to the delivery actors of its shard's users, starting them as
/// they are needed. One per shard; the only one who starts or retires them,
/// so a user never has two.
class router_actor final : public pinned_actor {
public:
  static constexpr const char* kind = "router";

  router_actor(caf::actor_config& config, shard_context& context);

  const char* name() const override {
    return kind;
  }

protected:
  caf::behavior make_behavior() override;

private:
  struct entry {
    caf::actor delivery;
    std::uint64_t forwarded = 0; ///< messages sent to it, to compare
  };

  entry& find_or_start(std::string_view user);

  template <class T>
  void forward(std::string_view user, T&& message) {
    auto& to = find_or_start(user);
    ++to.forwarded;
    tell(to.delivery, std::forward<T>(message));
  }

  void route(submit& batch);
  void on_idle(const mailbox_idle& idle);
  void finish_ending();

  shard_context& context_;
  std::unordered_map<std::string, entry> table_;
  std::function<void()> ending_;
};

} // namespace vartalap::actors
