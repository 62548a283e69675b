#include "runtime/login_webhook.hpp"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <chrono>
#include <memory>
#include <utility>

namespace vartalap::runtime {

namespace {

/// Questions that wait or are asked; more are told to come again.
constexpr unsigned waiting_max = 256;
constexpr std::size_t threads = 4;

constexpr std::size_t answer_bytes_max = 16 * core::KiB;

struct free_easy {
  void operator()(CURL* handle) const noexcept {
    ::curl_easy_cleanup(handle);
  }
};

struct free_list {
  void operator()(curl_slist* list) const noexcept {
    ::curl_slist_free_all(list);
  }
};

std::size_t take(char* bytes, std::size_t, std::size_t size, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  if (answer.size() + size > answer_bytes_max)
    return 0; // Ends the transfer.
  answer.append(bytes, size);
  return size;
}

/// A node that ends waits for nobody.
int is_ending(void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(flag)->load() ? 1 : 0;
}

std::string question_body(const actors::login_question& what) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto text = [&json](const char* name, const std::string& value) {
    json.Key(name);
    json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  json.StartObject();
  text("username", what.username);
  text("token", what.token);
  json.Key("time");
  json.Int64(std::chrono::duration_cast<core::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
               .count());
  json.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string signature_of(const std::string& secret, const std::string& body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(body.data()), body.size(),
         out.data(), &size);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "X-Vartalap-Signature: sha256=";
  for (unsigned i = 0; i < size; ++i) {
    text += digits[out.at(i) >> 4U];
    text += digits[out.at(i) & 15U];
  }
  return text;
}

/// A page that answers 200 to anything must not let anybody in.
bool confirms(const std::string& answer, const std::string& username) {
  rapidjson::Document body;
  body.Parse<rapidjson::kParseIterativeFlag>(answer.data(), answer.size());
  if (body.HasParseError() || !body.IsObject())
    return false;
  const auto name = body.FindMember("username");
  return name != body.MemberEnd() && name->value.IsString()
         && std::string_view(name->value.GetString(),
                             name->value.GetStringLength())
              == username;
}

} // namespace

login_webhook::login_webhook(std::string url, std::string secret,
                             core::milliseconds timeout, core::log_port& log)
  : url_(std::move(url)), secret_(std::move(secret)), timeout_(timeout),
    log_(log), workers_(threads) {
  while (!secret_.empty() && (secret_.back() == '\n' || secret_.back() == '\r'))
    secret_.pop_back();
  ::curl_global_init(CURL_GLOBAL_DEFAULT);
}

login_webhook::~login_webhook() {
  ending_.store(true);
  workers_.stop();
}

void login_webhook::ask(actors::login_question what,
                        std::function<void(actors::login_verdict)> answer) {
  if (waiting_.fetch_add(1) >= waiting_max) {
    waiting_.fetch_sub(1);
    return answer(actors::login_verdict::unavailable);
  }
  workers_.post([this, what = std::move(what), answer = std::move(answer)] {
    const auto verdict = decide(what);
    waiting_.fetch_sub(1);
    answer(verdict);
  });
}

actors::login_verdict
login_webhook::decide(const actors::login_question& what) const {
  const std::unique_ptr<CURL, free_easy> handle(::curl_easy_init());
  if (!handle)
    return actors::login_verdict::unavailable;
  const auto body = question_body(what);
  auto* headers
    = ::curl_slist_append(nullptr, "Content-Type: application/json");
  if (!secret_.empty())
    headers = ::curl_slist_append(headers, signature_of(secret_, body).c_str());
  const std::unique_ptr<curl_slist, free_list> kept(headers);
  std::string answer;
  auto* curl = handle.get();
  ::curl_easy_setopt(curl, CURLOPT_URL, url_.c_str());
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  ::curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(timeout_.count()));
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, kept.get());
  ::curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE,
                     static_cast<long>(body.size()));
  ::curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
  ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &is_ending);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &ending_);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  const auto result = ::curl_easy_perform(curl);
  long status = 0;
  ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (result == CURLE_OK && (status == 401 || status == 403))
    return actors::login_verdict::no;
  if (result == CURLE_OK && status == 200 && confirms(answer, what.username))
    return actors::login_verdict::yes;
  log_.write(core::log_level::warning, "auth",
             "auth.login.webhook_url decides nothing: "
               + (result == CURLE_OK
                    ? "it answered " + std::to_string(status)
                        + (status == 200 ? " without {\"username\":…} of "
                                           "the question"
                                         : "")
                    : std::string(::curl_easy_strerror(result))));
  return actors::login_verdict::unavailable;
}

} // namespace vartalap::runtime
