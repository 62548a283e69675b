#include "net/reconnect_policy.hpp"

#include <algorithm>
#include <charconv>

namespace vartalap::net {

namespace {

constexpr core::milliseconds shortest{500};

/// Where the server asks for a wait but does not say how long.
constexpr core::milliseconds unspecified{1000};

/// More than any server means.
constexpr std::int64_t wait_ms_max = 600'000;

} // namespace

std::optional<core::milliseconds>
reconnect_policy::retry_after(std::string_view reason) {
  constexpr std::string_view word = "retry_after_ms=";
  const auto at = reason.find(word);
  if (at == std::string_view::npos)
    return std::nullopt;
  const auto digits = reason.substr(at + word.size());
  std::int64_t ms = 0;
  const auto parsed
    = std::from_chars(digits.data(), digits.data() + digits.size(), ms);
  if (parsed.ec != std::errc{} || ms < 0)
    return std::nullopt;
  return core::milliseconds{std::min(ms, wait_ms_max)};
}

core::milliseconds reconnect_policy::backoff(std::uint64_t random) {
  const auto base
    = std::min(shortest.count() << std::min(failures_, 16U), longest_.count());
  ++failures_;
  // Grows, and up to half of it again at random: clients that lost their
  // server together do not come back together.
  const auto jitter = static_cast<core::milliseconds::rep>(
    random % (static_cast<std::uint64_t>(base) / 2 + 1));
  return core::milliseconds{std::min(base + jitter, longest_.count())};
}

std::optional<core::milliseconds>
reconnect_policy::after_close(unsigned code, std::string_view reason,
                              std::uint64_t random) {
  switch (code) {
    case 1002: // protocol error, wrong kind, bad UTF-8, too big: our own bug
    case 1003:
    case 1007:
    case 1009:
    case 4001: // needs a new token
    case 4009: // another connection of this device took over
      return std::nullopt;
    case 1000:
      return core::milliseconds{0};
    case 1001:
    case 1013:
    case 4008:
    case 4029:
      return retry_after(reason).value_or(unspecified);
    default:
      return backoff(random);
  }
}

std::optional<core::milliseconds>
reconnect_policy::after_failure(unsigned http_status, std::uint64_t random) {
  // A proxy or a server that is full says 429 or 5xx; other refusals stay.
  if (http_status >= 400 && http_status < 500 && http_status != 429)
    return std::nullopt;
  return backoff(random);
}

} // namespace vartalap::net
