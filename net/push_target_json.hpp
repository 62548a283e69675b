#pragma once

#include "core/push.hpp"
#include "net/api_json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace vartalap::net::api {

/// PUT /devices/{device}: {"platform":…,"token":…}. An empty body, or one
/// without a platform, leaves the push target as it is (nothing); the platform
/// null or "none" removes it. The token of "webpush" is the subscription as
/// the browser gives it, as an object or as a string.
/// `since` is not set.
parsed<std::optional<core::push_target>>
parse_push_target(std::string_view body);

/// POST /login's notificationToken: FCM's, as the Vartalap app sends it.
/// Nothing for an empty one.
parsed<std::optional<core::push_target>>
parse_notification_token(std::string_view token);

} // namespace vartalap::net::api
