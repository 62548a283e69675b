#include "net/access_key.hpp"

#include "core/ids.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <array>
#include <charconv>

namespace vartalap::net {

namespace {

constexpr std::size_t secret_bytes = 32;
constexpr std::size_t secret_chars = 43;
constexpr std::size_t id_bytes = 8;

std::string to_base64url(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  const auto size = EVP_EncodeBlock(to, from, static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  out.resize(out.find_last_not_of('=') + 1);
  for (auto& c : out)
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

/// @returns Nothing unless it is the one text of these bytes.
std::optional<std::string> from_base64url(std::string_view text) {
  std::string padded(text);
  for (auto& c : padded)
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  const auto padding = (4 - padded.size() % 4) % 4;
  padded.append(padding, '=');
  std::string out(padded.size() / 4 * 3, '\0');
  const auto size
    = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(padded.data()),
                      static_cast<int>(padded.size()));
  if (size < static_cast<int>(padding))
    return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  if (to_base64url(out) != text)
    return std::nullopt;
  return out;
}

bool read_number(std::string_view& from, core::wall_ms& out) {
  const auto [end, error]
    = std::from_chars(from.data(), from.data() + from.size(), out);
  const auto size = static_cast<std::size_t>(end - from.data());
  if (error != std::errc{} || size == from.size() || from[size] != ' ')
    return false;
  from.remove_prefix(size + 1);
  return true;
}

} // namespace

std::optional<std::string> make_access_key(std::string_view user) {
  std::array<char, secret_bytes> secret{};
  if (::getrandom(secret.data(), secret.size(), 0)
      != static_cast<ssize_t>(secret.size()))
    return std::nullopt;
  return to_base64url(user) + "."
         + to_base64url({secret.data(), secret.size()});
}

std::optional<std::string> user_of_access_key(std::string_view key) {
  const auto dot = key.find('.');
  if (dot == std::string_view::npos || dot > 2 * core::user_id_bytes_max
      || key.size() - dot - 1 != secret_chars)
    return std::nullopt;
  auto user = from_base64url(key.substr(0, dot));
  if (!user || !core::is_valid_user(*user))
    return std::nullopt;
  return user;
}

std::string hash_of_access_key(std::string_view key) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (EVP_Digest(key.data(), key.size(), out.data(), &size, EVP_sha256(),
                 nullptr)
      != 1)
    return {};
  return {out.begin(), out.begin() + size};
}

std::string id_of_access_key(std::string_view hash) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto c : hash.substr(0, id_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size()
         && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string encode_access_key(const access_key_record& record) {
  return "1 " + std::to_string(record.issued) + " "
         + std::to_string(record.expires) + " " + record.device;
}

std::optional<access_key_record> decode_access_key(std::string_view text) {
  access_key_record out;
  core::wall_ms version = 0;
  if (!read_number(text, version) || version != 1
      || !read_number(text, out.issued) || !read_number(text, out.expires))
    return std::nullopt;
  out.device = text;
  return out;
}

} // namespace vartalap::net
