#pragma once

#include "net/client_info.hpp"
#include "net/token_verifier.hpp"

#include <functional>

namespace vartalap::net {

/// `auth.mode = "jwt"`: the user is whom the token names. Where a name is
/// shown beside the token it must be that one. Old clients show the token as
/// their access key.
class token_authenticator final : public authenticator {
public:
  /// @param tokens Must outlive it.
  explicit token_authenticator(const token_verifier& tokens) : tokens_(tokens) {
  }

  void check(const credentials& shown, shard& home,
             std::function<void(proof)> answer) override;
  core::auth_mode mode() const noexcept override {
    return core::auth_mode::jwt;
  }

private:
  const token_verifier& tokens_;
};

} // namespace vartalap::net
