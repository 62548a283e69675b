#pragma once

#include "core/push.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What providers' answers mean. Pure and thread-safe.
namespace vartalap::net {

/// How a request ended.
struct push_answer {
  long status = 0; ///< 0: no answer came; see `problem`
  std::string body;
  std::string problem;
  core::milliseconds retry_after{0}; ///< 0: not said
};

core::push_outcome classify_webhook(const push_answer& answer);

/// A 401 may mean that the access token has ended: get another, once.
core::push_outcome classify_fcm(const push_answer& answer);

/// A 403 ExpiredProviderToken asks for another provider token.
core::push_outcome classify_apns(const push_answer& answer);

core::push_outcome classify_web_push(const push_answer& answer);

/// True where the same request with a new token of ours may do.
bool wants_new_token(core::push_platform platform, const push_answer& answer);

/// An access token and how long it is good.
struct access_token {
  std::string text;
  core::milliseconds good_for{0};
};
/// @returns Nothing where the answer brings none; `classify_token` says why.
std::optional<access_token> read_access_token(const push_answer& answer);
core::push_outcome classify_token(const push_answer& answer);

} // namespace vartalap::net
