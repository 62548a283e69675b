#pragma once

#include "core/options.hpp"
#include "core/push.hpp"
#include "net/http_caller.hpp"
#include "net/push_keys.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace vartalap::net {

/// Sends pushes: makes the request for a target's provider, with our token for
/// it (made or fetched when needed, kept while it is good, replaced once where
/// the provider says that it has ended), and says what the answer means.
/// Nothing is repeated here: that is core::push_queue's.
class push_sender {
public:
  using done = std::function<void(const core::push_outcome&)>;

  /// @throws std::runtime_error with a text for the operator: a key is not
  ///         usable.
  explicit push_sender(const core::push_options& options);

  /// False for a provider without a key in `[push]`.
  bool serves(core::push_platform platform) const noexcept;

  /// Any thread. `done` is called once, on a thread of the sender's, unless
  /// the sender ends before.
  void send(core::push_target target, core::push_notice notice, done told);

  /// Ends what is under way; nobody is told. Idempotent.
  void stop();

private:
  struct job {
    core::push_target target;
    core::push_notice notice;
    done told;
    std::string own{};  ///< our token that it was sent with
    bool again = false; ///< after a new token of ours
  };
  using job_ptr = std::shared_ptr<job>;

  // All on the caller's thread.
  void start(const job_ptr& what);
  void dispatch(const job_ptr& what);
  void start_webhook(const job_ptr& what);
  void start_fcm(const job_ptr& what);
  void start_apns(const job_ptr& what);
  void start_webpush(const job_ptr& what);
  void call_fcm(const job_ptr& what);
  void fetch_fcm_token(core::wall_ms now);
  void call(const job_ptr& what, const push_request& request);
  void finish(const job_ptr& what, const push_answer& answer);

  struct own_token {
    std::string text;
    core::wall_ms until = 0; ///< not used from then on
  };

  const core::push_options& options_;
  const push_keys keys_;
  own_token fcm_;
  std::vector<job_ptr> waiting_for_fcm_;
  own_token apns_;
  std::map<std::string, own_token> vapid_; ///< by origin
  http_caller caller_; ///< last: its thread ends before the rest does
};

} // namespace vartalap::net
