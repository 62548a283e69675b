#pragma once

#include "actors/shard_context.hpp"
#include "core/options.hpp"
#include "net/access_key.hpp"
#include "net/client_info.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vartalap::actors {

/// `auth.mode = "accesskey"`: hands out access keys, knows them again, revokes
/// them. They are rows of their user in this node's storage, by their hash.
/// Called on any shard; answers come back on the thread of `home`.
class access_keys final : public net::authenticator {
public:
  explicit access_keys(node_context& node) : node_(node) {
  }

  /// Reads the user's keys on a worker and compares all of them.
  void check(const net::credentials& shown, net::shard& home,
             std::function<void(net::proof)> answer) override;
  core::auth_mode mode() const noexcept override {
    return core::auth_mode::accesskey;
  }

  /// A new key, answered once it is durable; nothing where it cannot be
  /// stored. What has expired goes, and the oldest where there are more than
  /// `auth.accesskeys_per_user`.
  void issue(const std::string& user, const std::string& device,
             net::shard& home,
             std::function<void(std::optional<std::string>)> answer);

  struct line {
    std::string hash;
    net::access_key_record what;
  };
  /// The user's keys that have not expired; nothing where the disk fails.
  void list(const std::string& user, net::shard& home,
            std::function<void(std::optional<std::vector<line>>)> answer);

  /// Ends keys by their hashes, and closes what was opened with them. Answers
  /// whether that is durable.
  void revoke(const std::string& user, const std::vector<std::string>& hashes,
              net::shard& home, std::function<void(bool)> answer);

private:
  void erase(const std::string& user, const std::string& hash);

  node_context& node_;
};

} // namespace vartalap::actors
