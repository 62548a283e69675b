#pragma once

#include "core/units.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Access keys: opaque to clients, `USER.SECRET`, both in base64url, so that
/// whoever sees one knows at whom to look it up. 256 random bits; only their
/// hash is ever stored. Pure but for the random bits; any thread.
namespace vartalap::net {

/// @returns Nothing where the system gives no random bits.
std::optional<std::string> make_access_key(std::string_view user);

/// The user that a key names; nothing where it is no key.
std::optional<std::string> user_of_access_key(std::string_view key);

/// SHA-256 of the whole key, 32 bytes.
std::string hash_of_access_key(std::string_view key);

/// How a key's owner calls it, to list and revoke it: 16 hex digits of its
/// hash, of which nobody can make the key.
std::string id_of_access_key(std::string_view hash);

/// Takes as long whatever the bytes are.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// What is stored of a key beside its hash.
struct access_key_record {
  core::wall_ms issued = 0;
  core::wall_ms expires = 0; ///< 0: never
  std::string device{};
};
std::string encode_access_key(const access_key_record& record);
/// @returns Nothing where it is none of ours.
std::optional<access_key_record> decode_access_key(std::string_view text);

} // namespace vartalap::net
