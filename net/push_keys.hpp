#pragma once

#include "core/options.hpp"
#include "net/push_request.hpp"

#include <optional>
#include <string>

namespace vartalap::net {

/// What proves to providers who sends: the contents of the files that `[push]`
/// names. Secrets.
struct push_keys {
  std::string webhook_secret;
  std::optional<fcm_account> fcm;
  std::string webpush_pem;
  std::string webpush_point; ///< public key, 65 bytes
  std::string apns_pem;
};

/// Reads and tries them: each key signs once. Blocks on the disk.
/// @throws std::runtime_error with a text for the operator: key, file, mend.
push_keys load_push_keys(const core::push_options& options);

} // namespace vartalap::net
