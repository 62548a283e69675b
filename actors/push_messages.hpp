#pragma once

#include "core/push.hpp"
#include "core/push_queue.hpp"
#include "storage/store.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// What actors say to each other so that users are woken. All of it stays
/// inside the process.
namespace vartalap::actors {

/// delivery -> notifier: wake the user's devices.
struct user_offline {
  std::string user;
  std::uint64_t pending = 0;
  std::uint64_t episode = 0; ///< of the event, as it is stored
};

/// delivery -> notifier: no longer.
struct user_online {
  std::string user;
};

/// notifier -> router -> delivery: is the user to be woken, and how? `answer`
/// runs on the mailbox's shard; `home` false: another node is to know.
/// `all`: targets of devices that owe nothing too.
struct look_for_push {
  std::string user;
  bool all = false;
  std::function<void(bool home, core::push_view)> answer;
};

/// notifier -> router -> delivery: the provider says that this token is gone.
struct drop_push_target {
  std::string user;
  std::string device;
  std::string token;
};

/// delivery or router, through `answer` -> notifier.
struct push_located {
  std::string user;
  bool home = false;
  core::push_view view;
};

/// net's sender -> notifier: how an attempt has ended.
struct push_answered {
  core::push_step::send what;
  core::push_outcome how;
};

/// worker -> notifier: the content to send with these, if there is any.
struct push_content {
  std::vector<core::push_step::send> sends;
  std::string frame;
};

/// worker -> notifier: a page of the events on disk.
struct push_page_read {
  storage::push_page page;
  bool failed = false;
};

/// One line of what a test push came to.
struct push_test_line {
  std::string device; ///< or the webhook's name
  core::push_platform platform = core::push_platform::none;
  core::push_outcome how;
};

/// admin -> notifier: send a test to all targets of the user. `answer` runs on
/// any thread, with `home` false where another node is to be asked.
struct push_test {
  std::string user;
  std::function<void(bool home, std::vector<push_test_line>)> answer;
};

} // namespace vartalap::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::user_offline)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::user_online)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::look_for_push)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::drop_push_target)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::push_located)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::push_answered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::push_content)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::push_page_read)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(vartalap::actors::push_test)
