#include "net/http_caller.hpp"

#include "net/public_address.hpp"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vartalap::net {

namespace {

/// More of an answer nobody needs.
constexpr std::size_t answer_max = 64 * core::KiB;

constexpr int poll_ms = 1000;

std::size_t take(char* bytes, std::size_t size, std::size_t n, void* into) {
  auto& body = *static_cast<std::string*>(into);
  // The rest is read and dropped: the answer's status still counts.
  body.append(bytes, std::min(size * n, answer_max - body.size()));
  return size * n;
}

curl_socket_t open_public(void*, curlsocktype, curl_sockaddr* to) {
  if (!is_public(to->addr)) {
    errno = EACCES;
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

} // namespace

class http_caller::impl {
public:
  explicit impl(caller_options options)
    : options_(std::move(options)), multi_(curl_multi_init()) {
    if (multi_ == nullptr)
      throw std::runtime_error("libcurl does not start");
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "http_caller");
  }

  ~impl() {
    stop();
    curl_multi_cleanup(multi_);
  }

  void stop() {
    ending_.store(true);
    curl_multi_wakeup(multi_);
    if (thread_.joinable())
      thread_.join();
    for (auto& [handle, one] : active_)
      drop(handle, one);
    active_.clear();
    waiting_.clear();
    const std::lock_guard lock(mutex_);
    tasks_.clear();
  }

  void post(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_.load())
        return;
      tasks_.push_back(std::move(task));
    }
    curl_multi_wakeup(multi_);
  }

  void call(const push_request& request, answered done) {
    waiting_.push_back({request, std::move(done)});
  }

private:
  struct waiting {
    push_request request;
    answered done;
  };
  struct active {
    answered done;
    std::string sent;
    std::string received;
    curl_slist* headers = nullptr;
  };

  void run() {
    while (!ending_.load()) {
      run_tasks();
      start_calls();
      int running = 0;
      curl_multi_perform(multi_, &running);
      finish_calls();
      const bool more = !waiting_.empty()
                        && active_.size() < options_.in_flight;
      curl_multi_poll(multi_, nullptr, 0, more ? 0 : poll_ms, nullptr);
    }
  }

  void run_tasks() {
    std::deque<std::function<void()>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(tasks_);
    }
    for (auto& task : now)
      task();
  }

  void start_calls() {
    while (!waiting_.empty() && active_.size() < options_.in_flight) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      auto* handle = curl_easy_init();
      if (handle == nullptr) {
        push_answer none;
        none.problem = "libcurl does not start";
        next.done(none);
        continue;
      }
      auto& one = active_[handle];
      one.done = std::move(next.done);
      one.sent = std::move(next.request.body);
      prepare(handle, one, next.request);
      curl_multi_add_handle(multi_, handle);
    }
  }

  void prepare(CURL* handle, active& one, const push_request& request) {
    for (const auto& line : request.headers)
      one.headers = curl_slist_append(one.headers, line.c_str());
    one.headers = curl_slist_append(one.headers, "Expect:");
    const auto set = [handle](CURLoption option, auto value) {
      curl_easy_setopt(handle, option, value);
    };
    const auto ms = static_cast<long>(options_.timeout.count());
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_HTTPHEADER, one.headers);
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(one.sent.size()));
    set(CURLOPT_POSTFIELDS, one.sent.data());
    set(CURLOPT_WRITEFUNCTION, take);
    set(CURLOPT_WRITEDATA, &one.received);
    set(CURLOPT_TIMEOUT_MS, ms);
    set(CURLOPT_CONNECTTIMEOUT_MS, ms);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_USERAGENT, "vartalap");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(CURLOPT_PIPEWAIT, request.http2 ? 1L : 0L);
    if (!options_.ca_file.empty())
      set(CURLOPT_CAINFO, options_.ca_file.c_str());
    const bool strict = request.untrusted && !options_.private_addresses;
    set(CURLOPT_PROTOCOLS_STR, strict ? "https" : "http,https");
    if (strict)
      set(CURLOPT_OPENSOCKETFUNCTION, open_public);
  }

  void finish_calls() {
    int left = 0;
    while (auto* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE)
        continue;
      auto* handle = message->easy_handle;
      const auto code = message->data.result;
      const auto found = active_.find(handle);
      push_answer answer;
      if (code == CURLE_OK) {
        curl_off_t wait = 0;
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
        curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &wait);
        constexpr curl_off_t wait_max = 86'400;
        answer.retry_after
          = core::milliseconds{1000 * std::min(wait, wait_max)};
        answer.body = std::move(found->second.received);
      } else {
        answer.problem = curl_easy_strerror(code);
      }
      const auto done = std::move(found->second.done);
      drop(handle, found->second);
      active_.erase(found);
      done(answer);
    }
  }

  void drop(CURL* handle, active& one) {
    curl_multi_remove_handle(multi_, handle);
    curl_easy_cleanup(handle);
    curl_slist_free_all(one.headers);
  }

  const caller_options options_;
  CURLM* multi_;
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
  // Of the thread alone; nodes of the map stay where they are.
  std::deque<waiting> waiting_;
  std::unordered_map<CURL*, active> active_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

http_caller::http_caller(caller_options options) {
  static std::once_flag started;
  std::call_once(started, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_ = std::make_unique<impl>(std::move(options));
}

http_caller::~http_caller() = default;

void http_caller::post(std::function<void()> task) {
  impl_->post(std::move(task));
}

void http_caller::call(const push_request& request, answered done) {
  impl_->call(request, std::move(done));
}

void http_caller::stop() {
  impl_->stop();
}

} // namespace vartalap::net
