#include "net/static_files.hpp"

#include "core/ids.hpp"
#include "core/units.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace vartalap::net {

namespace {

constexpr std::size_t file_bytes_max = 4 * core::MiB;

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> types{
  {{".html", "text/html; charset=utf-8"},
   {".js", "text/javascript; charset=utf-8"},
   {".mjs", "text/javascript; charset=utf-8"},
   {".css", "text/css; charset=utf-8"},
   {".svg", "image/svg+xml"},
   {".png", "image/png"},
   {".ico", "image/x-icon"},
   {".json", "application/json; charset=utf-8"},
   {".webmanifest", "application/manifest+json"},
   {".txt", "text/plain; charset=utf-8"}}};

std::string_view type_of(const std::string& extension) {
  for (const auto& [known, type] : types)
    if (known == extension)
      return type;
  return {};
}

/// Nothing but what this server serves runs in the page.
constexpr std::string_view content_policy
  = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors "
    "'none'; base-uri 'none'; form-action 'self'";

} // namespace

static_files::static_files(const std::string& folder) {
  namespace fs = std::filesystem;
  if (folder.empty())
    return;
  std::error_code ec;
  for (fs::recursive_directory_iterator i(folder, ec), end; i != end;
       i.increment(ec)) {
    if (ec)
      break;
    const auto type = type_of(i->path().extension().string());
    if (!i->is_regular_file() || type.empty()
        || i->file_size() > file_bytes_max)
      continue;
    std::ifstream in(i->path(), std::ios::binary);
    file one;
    one.type = type;
    one.body.assign(std::istreambuf_iterator<char>(in), {});
    std::array<char, 24> tag{};
    std::snprintf(tag.data(), tag.size(), "\"%016llx\"",
                  static_cast<unsigned long long>(core::stable_hash(one.body)));
    one.etag = tag.data();
    files_["/" + fs::relative(i->path(), folder).generic_string()]
      = std::move(one);
  }
  if (ec)
    throw std::runtime_error("cannot read the web folder " + folder + ": "
                             + ec.message()
                             + "; set runtime.web in cluster.toml");
}

http_response static_files::serve(const http_request& request) const {
  if (request.method != "GET" && request.method != "HEAD") {
    auto out = http_error(405, "bad_frame", "only GET and HEAD here");
    out.headers.emplace_back("Allow", "GET, HEAD");
    return out;
  }
  // Looked up among what was read: no path leads anywhere else.
  const auto found
    = files_.find(request.path == "/" ? "/index.html" : request.path);
  if (found == files_.end())
    return http_error(404, "bad_frame", "there is nothing at this path");
  http_response out;
  out.content_type = found->second.type;
  out.headers = {{"ETag", found->second.etag},
                 {"Cache-Control", "no-cache"},
                 {"Content-Security-Policy", std::string(content_policy)},
                 {"Referrer-Policy", "no-referrer"}};
  if (request.header("if-none-match") == found->second.etag)
    out.status = 304;
  else
    out.body = found->second.body;
  return out;
}

} // namespace vartalap::net
