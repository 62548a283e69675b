#pragma once

#include "net/http_message.hpp"

#include <map>
#include <string>

namespace vartalap::net {

/// The browser client's files, read once at start: serving them never blocks
/// a shard. Constant afterwards: any thread.
class static_files {
public:
  /// Reads every file below `folder` of a known type, at most 4 MiB each; an
  /// empty name gives an empty set.
  /// @throws std::runtime_error where the folder cannot be read.
  explicit static_files(const std::string& folder);

  /// Answers GET and HEAD of a path; "/" is "/index.html". 304 where the
  /// client's copy is the same, 404 for what is not there, 405 for others.
  http_response serve(const http_request& request) const;

  bool empty() const noexcept {
    return files_.empty();
  }

private:
  struct file {
    std::string type;
    std::string body;
    std::string etag;
  };
  std::map<std::string, file> files_;
};

} // namespace vartalap::net
