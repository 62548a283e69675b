#pragma once

#include "core/options.hpp"
#include "net/codec.hpp"
#include "net/http_message.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vartalap::net {

class shard;

/// What acknowledges a message on a connection (protocol.md, section 3).
enum class client_ack_mode : std::uint8_t {
  explicit_only, ///< client_ack=true
  state,         ///< client_ack=state
  written,       ///< client_ack=false
};

/// A client that has passed the handshake.
struct client_info {
  std::string user;
  std::string device = "default";
  std::string remote;
  enum encoding encoding = encoding::json_v2;
  client_ack_mode client_ack = client_ack_mode::explicit_only;
  bool wants_ack = false;
  core::wall_ms expires = 0; ///< of its credential; 0: never
  std::string key{};         ///< hash of its access key; empty: none
};

/// What a client showed to prove who it is; empty where it showed nothing.
struct credentials {
  std::string bearer;    ///< Authorization: Bearer, or access_token
  std::string user;      ///< header, query (mode none) or cookie
  std::string accesskey; ///< header or cookie

  /// The token or key, wherever it was.
  const std::string& secret() const noexcept {
    return bearer.empty() ? accesskey : bearer;
  }
};

/// Who a client is, as its credentials have proved.
struct proven {
  std::string user;
  core::wall_ms expires = 0; ///< when that ends; 0: never
  std::string key{};         ///< hash of the access key; empty: none was shown
};
using proof = std::optional<proven>;

/// The first credential found, in the order of protocol.md, section 3.
credentials find_credentials(const http_request& request, core::auth_mode mode);

/// Says who a client is.
class authenticator {
public:
  virtual ~authenticator() = default;

  /// Answers once, on the thread of `home`, which calls; nothing for "not
  /// proven".
  virtual void check(const credentials& shown, shard& home,
                     std::function<void(proof)> answer)
    = 0;

  virtual core::auth_mode mode() const noexcept = 0;
};

/// `auth.mode = "none"`: the user is who the client says. Loopback only.
class trusting_authenticator final : public authenticator {
public:
  void check(const credentials& shown, shard& home,
             std::function<void(proof)> answer) override;
  core::auth_mode mode() const noexcept override {
    return core::auth_mode::none;
  }
};

/// Reads the parameters of an upgrade: device, format, ack, client_ack,
/// subprotocol. `subprotocol` is the one to answer with, or empty.
/// @returns Nothing and sets `problem` where a value is not allowed.
std::optional<client_info> parse_upgrade(const http_request& request,
                                         std::string& subprotocol,
                                         std::string& problem);

/// True where a browser page of this origin may connect: none sent, the
/// listener's own host, or one of `allowed`. Where nobody has to prove who it
/// is, only a numeric address or localhost counts as the own host: any page
/// can have its own name lead here (DNS rebinding).
bool origin_allowed(const http_request& request,
                    const std::vector<std::string>& allowed,
                    core::auth_mode mode);

} // namespace vartalap::net
