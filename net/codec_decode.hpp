#pragma once

#include "net/codec.hpp"
#include "net/codec_json_scan.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What decoding has in common in every encoding.
namespace vartalap::net {

/// Puts entries into an envelope's meta within the limits; a repeated key
/// takes the place of the earlier one.
class meta_collector {
public:
  meta_collector(std::vector<core::meta_entry>& meta,
                 const codec_limits& limits) noexcept
    : meta_(meta), limits_(limits) {
  }

  /// @returns False if the entry would break a limit; it is not kept then.
  bool add(std::string key, std::string value, bool is_json);

  /// Keeps how the sender spelled a contentType. It is a field of every frame,
  /// so only its bytes count, not the entry.
  /// @pre Called at most once.
  bool add_content_type(std::string spelling);

private:
  std::vector<core::meta_entry>& meta_;
  const codec_limits& limits_;
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;
};

/// For a message with the action `state`: the ids that its body, JSON text
/// `{"ids":[…],"state":"delivered"|"read"}`, names. Empty for any other body;
/// ids that no message can have are left out.
std::vector<std::string> read_state_ids(std::string_view body);

/// True if meta says action = state.
bool is_state_message(const core::envelope& message) noexcept;

/// `why` for meta over its limits.
std::string describe_meta_limits(const codec_limits& limits);

/// `why` for content over its limit.
std::string describe_content_limit(std::size_t bytes,
                                   const codec_limits& limits);

} // namespace vartalap::net
