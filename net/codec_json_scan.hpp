#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// A strict JSON (RFC 8259) scanner that hands out pieces of the text as they
/// stand there. A chat server passes most of a frame on untouched, so it needs
/// to know where a value begins and ends and that it is well-formed, not a
/// tree of it. Nothing recurses, nothing throws; memory is a few words.
namespace vartalap::net::json {

/// What a value is.
enum class kind : std::uint8_t { null, boolean, number, string, array, object };

/// One value: its kind and its text, without blanks around it.
struct value {
  kind what = kind::null;
  std::string_view raw;

  /// False for a default-constructed value: nothing was there.
  explicit operator bool() const noexcept {
    return !raw.empty();
  }
};

/// Why a text is not a JSON value.
enum class fault : std::uint8_t {
  none,
  syntax,   ///< not JSON, or more than one value
  too_deep, ///< arrays and objects nested deeper than allowed
};

/// Nesting that the scanner can follow at all.
inline constexpr unsigned depth_max = 64;

/// Where a value ends.
struct extent {
  std::size_t end = 0; ///< offset past its last byte
  fault why = fault::none;
};

/// Finds the end of the value that begins at `text[from]`.
/// @param depth Levels of arrays and objects that are allowed, at most
///              `depth_max`: 0 allows only scalars.
extent skip_value(std::string_view text, std::size_t from,
                  unsigned depth) noexcept;

/// Checks that `text` is one JSON value with nothing but blanks around it,
/// and cuts the blanks off. Does not check for UTF-8.
fault parse(std::string_view text, unsigned depth, value& out) noexcept;

/// The text of a string value, unescaped, appended to `out`. A lone surrogate
/// escape, which has no UTF-8 form, becomes U+FFFD.
/// @pre `raw` is a well-formed JSON string with its quotes.
/// @returns False if there was a lone surrogate.
bool unescape(std::string_view raw, std::string& out);

/// Walks the members of an object, or the elements of an array, in order.
///
///     for (walker at{object, depth}; at.next();)
///       use(at.key(), at.item());
class walker {
public:
  /// @param container An array or object, as `parse` cut it out.
  /// @param depth As for `skip_value`, of what is inside the container.
  walker(value container, unsigned depth) noexcept
    : text_(container.raw), depth_(depth),
      object_(container.what == kind::object) {
  }

  /// Steps to the next member. False at the end, and where the text is
  /// broken: then `why` tells.
  bool next();

  /// The member's key, unescaped; valid until `next`. Empty in an array.
  std::string_view key() const noexcept {
    return key_;
  }

  /// False if the key holds a lone surrogate, so that `key` is not exact.
  bool is_key_exact() const noexcept {
    return key_exact_;
  }

  const value& item() const noexcept {
    return item_;
  }

  fault why() const noexcept {
    return why_;
  }

private:
  bool stop(fault why) noexcept;
  bool read_key();

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view key_;
  std::string key_text_; ///< holds the key where it was escaped
  value item_;
  unsigned depth_;
  fault why_ = fault::none;
  bool object_;
  bool first_ = true;
  bool key_exact_ = true;
};

/// Nothing unless `number` is the text of a whole number from 0 to 2^64 - 1,
/// in whatever spelling (1700000000000, 1.7e12).
bool to_uint(std::string_view number, std::uint64_t& out) noexcept;

} // namespace vartalap::net::json
