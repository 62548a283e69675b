#pragma once

#include "core/units.hpp"
#include "net/token_keys.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

namespace vartalap::net {

/// What a token has to say beside its signature.
struct token_rules {
  std::string issuer{};   ///< `iss` must be this; empty: any or none
  std::string audience{}; ///< `aud` must be or hold this; empty: any or none
  std::string user_claim = "sub";    ///< names the user
  std::string true_claim{};          ///< must be true; empty: none
  core::milliseconds leeway{30'000}; ///< that clocks may differ
};

/// Whom a token names.
struct token_owner {
  std::string user;          ///< a valid user id
  core::wall_ms expires = 0; ///< never 0: a token without `exp` is refused
};

/// Verifies tokens: signature, times, issuer, audience, user. Its keys may be
/// replaced at any moment. Any thread; never blocks on a disk or a network.
class token_verifier {
public:
  token_verifier(token_rules rules, std::shared_ptr<const token_keys> keys);

  /// @returns Whom it names, or why it is refused: for tests and debugging,
  ///          not for whoever showed it.
  std::variant<token_owner, std::string> verify(std::string_view token,
                                                core::wall_ms now) const;

  /// From now on these keys count, and no others.
  void replace(std::shared_ptr<const token_keys> keys);

private:
  token_rules rules_;
  mutable std::mutex mutex_;
  std::shared_ptr<const token_keys> keys_;
};

} // namespace vartalap::net
