#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// A bounded MessagePack reader: it allocates nothing and never reads beyond
/// the bytes that it was given, whatever a header declares.
namespace vartalap::net::msgpack_view {

/// What a header announces. Integers are `uint` when they are not negative,
/// whatever their encoding.
enum class kind : std::uint8_t {
  nil,
  boolean,
  uint,
  sint,
  real,
  str,
  bin,
  ext,
  array,
  map,
};

/// One header, with what belongs to it at once: for arrays and maps the count
/// of elements that follow, for everything else the whole value.
struct token {
  kind what = kind::nil;
  std::int8_t ext_type = 0;
  double real = 0;
  /// The boolean (0 or 1), the whole number (`sint`: its two's complement),
  /// or the count of elements (a map: of pairs).
  std::uint64_t number = 0;
  std::string_view bytes; ///< of str, bin and ext
};

/// Nesting that the reader can follow at all.
inline constexpr unsigned depth_max = 64;

/// Reads values one after the other.
class reader {
public:
  explicit reader(std::string_view bytes) noexcept : bytes_(bytes) {
  }

  /// Reads one header. False if it is cut off, announces more than the bytes
  /// left can hold, or is 0xc1, which means nothing.
  bool next(token& out) noexcept;

  /// Skips one whole value.
  /// @param depth Levels of arrays and maps that are allowed, at most
  ///              `depth_max`: 0 allows only scalars.
  bool skip(unsigned depth) noexcept;

  /// Offset of what comes next.
  std::size_t position() const noexcept {
    return at_;
  }

  bool at_end() const noexcept {
    return at_ == bytes_.size();
  }

private:
  std::size_t left() const noexcept {
    return bytes_.size() - at_;
  }
  bool big_endian(std::size_t width, std::uint64_t& out) noexcept;
  bool number(token& out, kind what, std::size_t width) noexcept;
  bool payload(token& out, kind what, std::size_t width) noexcept;
  bool blob(token& out, kind what, std::uint64_t size) noexcept;
  bool extension(token& out, std::uint64_t size) noexcept;
  bool container(token& out, kind what, std::uint64_t count) noexcept;
  bool counted(token& out, kind what, std::size_t width) noexcept;
  bool extended(token& out, std::size_t width) noexcept;
  bool marked(token& out, unsigned mark) noexcept;

  std::string_view bytes_;
  std::size_t at_ = 0;
};

} // namespace vartalap::net::msgpack_view
