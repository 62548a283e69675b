#include "test/integration/rig/webhook_service.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

namespace vartalap::integration {

webhook_service::webhook_service() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::socklen_t size = sizeof at;
  // The socket API's own way to pass any address.
  auto* any = static_cast<::sockaddr*>(static_cast<void*>(&at));
  if (fd_ < 0 || ::bind(fd_, any, size) != 0 || ::listen(fd_, 16) != 0
      || ::getsockname(fd_, any, &size) != 0)
    throw std::runtime_error("no service");
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] { run(); });
}

webhook_service::~webhook_service() {
  stop();
}

void webhook_service::stop() {
  if (!thread_.joinable())
    return;
  stopping_.store(true);
  ::shutdown(fd_, SHUT_RDWR);
  thread_.join();
  ::close(fd_);
}

void webhook_service::answer_with(unsigned status, const std::string& body) {
  const std::lock_guard lock(mutex_);
  status_ = status;
  body_ = body;
}

std::string webhook_service::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

void webhook_service::run() {
  while (!stopping_.load()) {
    const auto fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0)
      return;
    serve(fd);
    ::close(fd);
  }
}

void webhook_service::serve(int fd) {
  std::string input;
  std::array<char, 4096> buffer{};
  const auto is_whole = [&input] {
    const auto head = input.find("\r\n\r\n");
    if (head == std::string::npos)
      return false;
    auto lower = input.substr(0, head);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    const auto length = lower.find("content-length: ");
    return length == std::string::npos
           || input.size() - head - 4 >= std::stoul(lower.substr(length + 16));
  };
  while (!is_whole()) {
    ::pollfd one{fd, POLLIN, 0};
    if (::poll(&one, 1, static_cast<int>(patience.count())) != 1)
      return;
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0)
      return;
    input.append(buffer.data(), static_cast<std::size_t>(n));
  }
  std::string answer;
  bool answers = true;
  {
    const std::lock_guard lock(mutex_);
    last_ = input;
    answers = status_ != 0;
    answer = "HTTP/1.1 " + std::to_string(status_)
             + " x\r\nConnection: close\r\nLocation: /elsewhere\r\n"
               "Content-Length: "
             + std::to_string(body_.size()) + "\r\n\r\n" + body_;
  }
  if (!answers) {
    // Until it is closed.
    ::pollfd one{fd, POLLIN, 0};
    ::poll(&one, 1, static_cast<int>(patience.count()));
    return;
  }
  [[maybe_unused]] const auto sent = ::write(fd, answer.data(), answer.size());
}

} // namespace vartalap::integration
