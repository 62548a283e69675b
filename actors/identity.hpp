#pragma once

#include "actors/credential_watch.hpp"
#include "actors/keyed_rates.hpp"
#include "core/options.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace vartalap::actors {

class access_keys;

/// What a login provider is asked.
struct login_question {
  std::string username; ///< a valid user id
  std::string token;    ///< what is to prove it; may be empty
};

enum class login_verdict : std::uint8_t {
  yes,
  no,
  unavailable, ///< nobody could be asked: try again
};

/// Says whether a token proves a name. Any thread.
class login_provider {
public:
  virtual ~login_provider() = default;

  /// Never blocks; `answer` is called once, on any thread, or never once the
  /// node ends.
  virtual void
  ask(login_question what, std::function<void(login_verdict)> answer)
    = 0;
};

/// What the HTTP API needs to know who is who. One per node.
struct identity_services {
  explicit identity_services(const core::limit_options& limits)
    : logins(limits.login_rate, limits.login_burst),
      contacts(limits.contacts_rate, limits.contacts_burst) {
  }

  login_provider* login = nullptr; ///< null: there is none
  access_keys* keys = nullptr;     ///< null: not in mode accesskey
  keyed_rates logins;              ///< by address, and by name
  keyed_rates contacts;            ///< by user
  live_keys in_use;
  /// Logins by their end, in the order of `login_verdict`.
  std::array<std::atomic<std::uint64_t>, 3> decided{};
};

} // namespace vartalap::actors
