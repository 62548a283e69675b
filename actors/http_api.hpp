#pragma once

#include "actors/http_call.hpp"
#include "actors/messages.hpp"
#include "actors/shard_context.hpp"
#include "net/api_json.hpp"
#include "net/client_info.hpp"
#include "net/http_message.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace vartalap::actors {

/// The HTTP API of protocol.md, section 4, on the client port: a plain class
/// called on the shard of the request; it talks to routers, and answers come
/// back to that shard. No state of its own.
class http_api {
public:
  http_api(node_context& node, net::authenticator& who);

  /// True for paths of the API; all others are files.
  static bool owns(const std::string& path);

  /// Serves a request of a path that it owns; `reply` is called once on the
  /// thread of `home`.
  void handle(std::shared_ptr<net::http_request> request, net::shard& home,
              net::http_reply reply);

private:
  struct route;
  static const route* find_route(std::string_view path);
  void authenticate(const http_call_ptr& call, const route& where);

  // Everything else (http_api.cpp)
  void list_nodes(const http_call_ptr& call);
  void profile(const http_call_ptr& call);
  void list_devices(const http_call_ptr& call);
  void change_one_device(const http_call_ptr& call);
  void not_in_this_version(const http_call_ptr& call);

  // Who is who (http_api_identity.cpp)
  /// A token that a login has proved good; empty in other modes than jwt.
  struct login_token {
    std::string text{};
    core::wall_ms expires = 0;
  };
  void login(const http_call_ptr& call);
  void login_with_token(const http_call_ptr& call, net::api::login_request body,
                        change_device change);
  /// @param change Makes the device known, and says how it is woken.
  void finish_login(const http_call_ptr& call, change_device change,
                    login_token token);
  void hand_out_key(const http_call_ptr& call, const std::string& device,
                    const login_token& token, bool is_new);
  void list_keys(const http_call_ptr& call);
  void revoke_keys(const http_call_ptr& call);
  void sync_contacts(const http_call_ptr& call);
  bool refuse_in_cluster(http_call& call) const;
  void list_blocks(const http_call_ptr& call);
  void change_block(const http_call_ptr& call);

  // Groups (http_api_groups.cpp)
  void groups(const http_call_ptr& call);
  void create_group(const http_call_ptr& call);
  void change_group(const http_call_ptr& call, const std::string& group,
                    bool add);
  void show_group(const http_call_ptr& call, const std::string& group);
  void list_groups(const http_call_ptr& call);

  // Messages (http_api_messages.cpp)
  void post_messages(const http_call_ptr& call);
  void list_messages(const http_call_ptr& call);
  void acknowledge_messages(const http_call_ptr& call);
  void sync(const http_call_ptr& call);
  void answer_pending(const http_call_ptr& call, std::string device,
                      std::size_t limit, std::size_t bytes_max);
  static void refuse_device(http_call& call);

  node_context& node_;
  net::authenticator& who_;
};

/// The query parameter `device`, or `default`. Refuses the call and returns
/// false where it is not a device's name.
bool read_device(http_call& call, std::string& device);

/// True where the user may have no further device. What nobody could tell in
/// time is nothing that is full.
/// @param limit `limits.devices_per_user`; 0: as many as there can be.
bool is_full(const core::mailbox::inspection& found, std::size_t limit);

/// Counts so many messages against the user's rate.
/// @returns False, having refused the call, where they are over it.
bool spend_rate(http_call& call, rate_limits& rates, std::size_t messages);

} // namespace vartalap::actors
