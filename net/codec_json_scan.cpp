#include "net/codec_json_scan.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace vartalap::net::json {

namespace {

constexpr std::size_t npos = std::string_view::npos;

constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

constexpr int hex_digit(char c) noexcept {
  if (is_digit(c))
    return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// The character at `at`, or NUL (which no JSON text holds outside of a
/// value) past the end.
char peek(std::string_view text, std::size_t at) noexcept {
  return at < text.size() ? text[at] : '\0';
}

std::size_t skip_blanks(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && is_blank(text[at]))
    ++at;
  return at;
}

/// Eight bytes at once: is any of them a quote, a backslash or a control
/// character?
bool has_special(const char* bytes) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101u;
  constexpr std::uint64_t highs = 0x8080808080808080u;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  const std::uint64_t quote = word ^ (ones * '"');
  const std::uint64_t slash = word ^ (ones * '\\');
  const std::uint64_t hit = ((quote - ones) & ~quote)
                            | ((slash - ones) & ~slash)
                            | ((word - ones * 0x20) & ~word);
  return (hit & highs) != 0;
}

/// @pre `text[at]` is a backslash. @returns Past the escape, or npos.
std::size_t skip_escape(std::string_view text, std::size_t at) noexcept {
  switch (peek(text, at + 1)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return at + 2;
    case 'u':
      for (std::size_t i = at + 2; i < at + 6; ++i) {
        if (hex_digit(peek(text, i)) < 0)
          return npos;
      }
      return at + 6;
    default:
      return npos;
  }
}

/// @returns Past the closing quote of the string at `at`, or npos.
std::size_t skip_string(std::string_view text, std::size_t at) noexcept {
  if (peek(text, at) != '"')
    return npos;
  ++at;
  while (at < text.size()) {
    while (at + 8 <= text.size() && !has_special(text.data() + at))
      at += 8;
    const char c = peek(text, at);
    if (c == '"')
      return at + 1;
    if (c == '\\') {
      at = skip_escape(text, at);
      if (at == npos)
        return npos;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      return npos;
    } else {
      ++at;
    }
  }
  return npos;
}

std::size_t skip_digits(std::string_view text, std::size_t at) noexcept {
  if (!is_digit(peek(text, at)))
    return npos;
  while (is_digit(peek(text, at)))
    ++at;
  return at;
}

std::size_t skip_number(std::string_view text, std::size_t at) noexcept {
  if (peek(text, at) == '-')
    ++at;
  at = peek(text, at) == '0' ? at + 1 : skip_digits(text, at);
  if (at != npos && peek(text, at) == '.')
    at = skip_digits(text, at + 1);
  if (at != npos && (peek(text, at) | 0x20) == 'e') {
    ++at;
    if (peek(text, at) == '+' || peek(text, at) == '-')
      ++at;
    at = skip_digits(text, at);
  }
  return at;
}

/// @returns Past the scalar at `at`, or npos.
std::size_t skip_scalar(std::string_view text, std::size_t at) noexcept {
  const auto word = [&](std::string_view expected) {
    return text.substr(at).starts_with(expected) ? at + expected.size() : npos;
  };
  switch (peek(text, at)) {
    case '"':
      return skip_string(text, at);
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      return skip_number(text, at);
  }
}

/// @returns Past the key, the colon and the blanks around it, or npos.
std::size_t skip_key(std::string_view text, std::size_t at) noexcept {
  at = skip_string(text, at);
  if (at == npos)
    return npos;
  at = skip_blanks(text, at);
  return peek(text, at) == ':' ? skip_blanks(text, at + 1) : npos;
}

kind kind_of(char first) noexcept {
  switch (first) {
    case '{':
      return kind::object;
    case '[':
      return kind::array;
    case '"':
      return kind::string;
    case 't':
    case 'f':
      return kind::boolean;
    case 'n':
      return kind::null;
    default:
      return kind::number;
  }
}

/// The containers that are open, innermost in the lowest bit: 1 is an object.
class open_containers {
public:
  void push(bool object) noexcept {
    bits_ = bits_ << 1 | std::uint64_t{object};
    ++count_;
  }
  void pop() noexcept {
    bits_ >>= 1;
    --count_;
  }
  bool in_object() const noexcept {
    return (bits_ & 1) != 0;
  }
  unsigned count() const noexcept {
    return count_;
  }

private:
  std::uint64_t bits_ = 0;
  unsigned count_ = 0;
};

/// After a value: closes what ends here, and goes to where the next value
/// begins. @returns npos where the text is broken; `open` is empty when the
/// outermost value has ended.
std::size_t after_value(std::string_view text, std::size_t at,
                        open_containers& open) noexcept {
  while (open.count() > 0) {
    at = skip_blanks(text, at);
    const char c = peek(text, at);
    if (c == ',') {
      at = skip_blanks(text, at + 1);
      return open.in_object() ? skip_key(text, at) : at;
    }
    if (c != (open.in_object() ? '}' : ']'))
      return npos;
    open.pop();
    ++at;
  }
  return at;
}

void append_utf8(std::uint32_t code, std::string& out) {
  const auto put = [&out](std::uint32_t byte) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

/// @pre Four hex digits stand at `at`.
std::uint32_t hex4(std::string_view text, std::size_t at) noexcept {
  std::uint32_t result = 0;
  for (std::size_t i = at; i < at + 4; ++i)
    result = result << 4 | static_cast<std::uint32_t>(hex_digit(text[i]));
  return result;
}

/// The \u escape at `at`, or the pair of them. @returns False for a lone
/// surrogate. Moves `at` past what it took.
bool unescape_unicode(std::string_view raw, std::size_t& at, std::string& out) {
  std::uint32_t code = hex4(raw, at + 2);
  at += 6;
  if (code < 0xd800 || code > 0xdfff) {
    append_utf8(code, out);
    return true;
  }
  if (code < 0xdc00 && peek(raw, at) == '\\' && peek(raw, at + 1) == 'u') {
    const std::uint32_t low = hex4(raw, at + 2);
    if (low >= 0xdc00 && low <= 0xdfff) {
      at += 6;
      append_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
      return true;
    }
  }
  append_utf8(0xfffd, out);
  return false;
}

char unescape_simple(char escape) noexcept {
  switch (escape) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return escape;
  }
}

} // namespace

extent skip_value(std::string_view text, std::size_t from,
                  unsigned depth) noexcept {
  if (depth > depth_max)
    depth = depth_max;
  open_containers open;
  std::size_t at = from;
  do {
    const char c = peek(text, at);
    if (c == '{' || c == '[') {
      if (open.count() == depth)
        return {at, fault::too_deep};
      at = skip_blanks(text, at + 1);
      if (peek(text, at) == (c == '{' ? '}' : ']')) {
        ++at;
      } else {
        open.push(c == '{');
        if (c == '{')
          at = skip_key(text, at);
        if (at == npos)
          return {from, fault::syntax};
        continue;
      }
    } else {
      at = skip_scalar(text, at);
      if (at == npos)
        return {from, fault::syntax};
    }
    at = after_value(text, at, open);
    if (at == npos)
      return {from, fault::syntax};
  } while (open.count() > 0);
  return {at, fault::none};
}

fault parse(std::string_view text, unsigned depth, value& out) noexcept {
  const std::size_t begin = skip_blanks(text, 0);
  const extent found = skip_value(text, begin, depth);
  if (found.why != fault::none)
    return found.why;
  if (skip_blanks(text, found.end) != text.size())
    return fault::syntax;
  out = {kind_of(text[begin]), text.substr(begin, found.end - begin)};
  return fault::none;
}

bool unescape(std::string_view raw, std::string& out) {
  raw = raw.substr(1, raw.size() - 2);
  bool exact = true;
  std::size_t at = 0;
  while (at < raw.size()) {
    const std::size_t slash = std::min(raw.find('\\', at), raw.size());
    out.append(raw, at, slash - at);
    at = slash;
    if (at == raw.size())
      break;
    if (raw[at + 1] == 'u') {
      exact = unescape_unicode(raw, at, out) && exact;
    } else {
      out.push_back(unescape_simple(raw[at + 1]));
      at += 2;
    }
  }
  return exact;
}

bool walker::stop(fault why) noexcept {
  why_ = why;
  at_ = text_.size();
  return false;
}

bool walker::read_key() {
  const std::size_t end = skip_string(text_, at_);
  if (end == npos)
    return stop(fault::syntax);
  const auto raw = text_.substr(at_, end - at_);
  key_exact_ = true;
  if (raw.find('\\') == npos) {
    key_ = raw.substr(1, raw.size() - 2);
  } else {
    key_text_.clear();
    key_exact_ = unescape(raw, key_text_);
    key_ = key_text_;
  }
  at_ = skip_blanks(text_, end);
  if (peek(text_, at_) != ':')
    return stop(fault::syntax);
  at_ = skip_blanks(text_, at_ + 1);
  return true;
}

bool walker::next() {
  const char close = object_ ? '}' : ']';
  if (at_ >= text_.size())
    return false;
  if (first_) {
    at_ = skip_blanks(text_, 1);
    if (peek(text_, at_) == close)
      return stop(fault::none);
  } else {
    at_ = skip_blanks(text_, at_);
    if (peek(text_, at_) == close)
      return stop(fault::none);
    if (peek(text_, at_) != ',')
      return stop(fault::syntax);
    at_ = skip_blanks(text_, at_ + 1);
  }
  first_ = false;
  if (object_ && !read_key())
    return false;
  const extent found = skip_value(text_, at_, depth_);
  if (found.why != fault::none)
    return stop(found.why);
  item_ = {kind_of(text_[at_]), text_.substr(at_, found.end - at_)};
  at_ = found.end;
  return true;
}

bool to_uint(std::string_view number, std::uint64_t& out) noexcept {
  const char* const end = number.data() + number.size();
  const auto whole = std::from_chars(number.data(), end, out);
  if (whole.ec == std::errc{} && whole.ptr == end)
    return true;
  double real = 0;
  const auto parsed = std::from_chars(number.data(), end, real);
  if (parsed.ec != std::errc{} || parsed.ptr != end)
    return false;
  // 2^64 itself is the first double that does not fit.
  if (!(real >= 0) || real >= 18446744073709551616.0
      || std::floor(real) != real)
    return false;
  out = static_cast<std::uint64_t>(real);
  return true;
}

} // namespace vartalap::net::json
