#include "core/crc32c.hpp"
#include "net/peer_fields.hpp"
#include "net/peer_messages.hpp"

#include <concepts>
#include <limits>
#include <type_traits>

#include <msgpack.hpp>

namespace vartalap::net {

namespace {

using core::envelope;
using core::envelope_ptr;
using core::server_id;

template <class T>
concept with_fields = requires(T& x) {
  fields(x, [](auto&...) {});
};

template <class T>
concept number = std::integral<T> && !std::same_as<T, bool>;

/// What msgpack writes to.
struct text_stream {
  std::string& out;
  void write(const char* bytes, std::size_t n) {
    out.append(bytes, n);
  }
};

class writer {
public:
  explicit writer(std::string& out) : stream_{out}, pack_(stream_) {
  }

  template <class... Ts>
  void array(const Ts&... all) {
    pack_.pack_array(sizeof...(Ts));
    (write(all), ...);
  }

  template <class T>
  void write(const T& x) {
    if constexpr (std::is_same_v<T, bool>)
      x ? pack_.pack_true() : pack_.pack_false();
    else if constexpr (std::is_enum_v<T>)
      write(static_cast<std::underlying_type_t<T>>(x));
    else if constexpr (number<T>)
      pack_.pack_uint64(static_cast<std::uint64_t>(x));
    else
      // Reading and writing share the list of fields; writing changes none.
      fields(const_cast<T&>(x), [this](auto&... all) { this->array(all...); });
  }

  void write(const std::string& text) {
    bytes(text);
  }

  void write(const server_id& id) {
    const auto raw = id.to_bytes();
    bytes({reinterpret_cast<const char*>(raw.data()), raw.size()});
  }

  void write(const envelope_ptr& message) {
    write(*message);
  }

  void write(const std::pair<std::string, std::string>& two) {
    array(two.first, two.second);
  }

  template <class T>
  void write(const std::vector<T>& all) {
    pack_.pack_array(static_cast<std::uint32_t>(all.size()));
    for (const auto& one : all)
      write(one);
  }

  template <class... Ts>
  void write(const std::variant<Ts...>& what) {
    pack_.pack_array(2);
    write(what.index());
    std::visit([this](const auto& one) { this->write(one); }, what);
  }

private:
  void bytes(std::string_view raw) {
    pack_.pack_bin(static_cast<std::uint32_t>(raw.size()));
    pack_.pack_bin_body(raw.data(), static_cast<std::uint32_t>(raw.size()));
  }

  text_stream stream_;
  msgpack::packer<text_stream> pack_;
};

/// What is not in the enumeration would be an index into nothing elsewhere.
constexpr bool is_known(core::refusal x) {
  return static_cast<std::size_t>(x) < core::refusal_count;
}
constexpr bool is_known(core::ack_status x) {
  return x <= core::ack_status::relayed;
}
constexpr bool is_known(core::durability) {
  return true; // 1 + N: disk and N nodes
}
constexpr bool is_known(core::effect::close_reason x) {
  return x <= core::effect::close_reason::erased;
}
constexpr bool is_known(core::node_phase x) {
  return x <= core::node_phase::draining;
}
constexpr bool is_known(core::push_platform x) {
  return static_cast<std::size_t>(x) < core::push_platforms;
}
constexpr bool is_known(core::content_kind x) {
  return x <= core::content_kind::json;
}
constexpr bool is_known(core::channel x) {
  return x <= core::channel::group || x == core::channel::other;
}
constexpr bool is_known(core::message_type x) {
  return x <= core::message_type::notification || x == core::message_type::error
         || x == core::message_type::custom
         || x == core::message_type::group_record
         || x == core::message_type::group_command || is_outgoing(x);
}

/// Every function throws msgpack::type_error for what is something else.
class reader {
public:
  template <class T>
  static void read(const msgpack::object& from, T& x) {
    if constexpr (std::is_same_v<T, bool>) {
      x = from.as<bool>();
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> value{};
      read(from, value);
      x = static_cast<T>(value);
      need(is_known(x));
    } else if constexpr (number<T>) {
      x = from.as<T>();
    } else {
      fields(x, [&from](auto&... all) {
        need(from.type == msgpack::type::ARRAY
             && from.via.array.size >= sizeof...(all));
        const auto* at = from.via.array.ptr;
        (read(*at++, all), ...);
      });
    }
  }

  static void read(const msgpack::object& from, std::string& text) {
    text = bytes(from);
  }

  static void read(const msgpack::object& from, server_id& id) {
    const auto raw = bytes(from);
    need(raw.size() == 16);
    id = server_id::from_bytes(
      reinterpret_cast<const std::uint8_t*>(raw.data()));
  }

  static void read(const msgpack::object& from, envelope_ptr& message) {
    auto made = std::make_shared<envelope>();
    read(from, *made);
    message = std::move(made);
  }

  static void read(const msgpack::object& from,
                   std::pair<std::string, std::string>& two) {
    need(from.type == msgpack::type::ARRAY && from.via.array.size == 2);
    read(from.via.array.ptr[0], two.first);
    read(from.via.array.ptr[1], two.second);
  }

  template <class T>
  static void read(const msgpack::object& from, std::vector<T>& all) {
    need(from.type == msgpack::type::ARRAY);
    all.resize(from.via.array.size);
    for (std::uint32_t i = 0; i < from.via.array.size; ++i)
      read(from.via.array.ptr[i], all[i]);
  }

  template <class... Ts>
  static void read(const msgpack::object& from, std::variant<Ts...>& what) {
    need(from.type == msgpack::type::ARRAY && from.via.array.size == 2);
    std::size_t kind = 0;
    read(from.via.array.ptr[0], kind);
    need(kind < sizeof...(Ts));
    std::size_t i = 0;
    ((i++ == kind ? read(from.via.array.ptr[1], what.template emplace<Ts>())
                  : void()),
     ...);
  }

private:
  static void need(bool holds) {
    if (!holds)
      throw msgpack::type_error();
  }

  static std::string_view bytes(const msgpack::object& from) {
    need(from.type == msgpack::type::BIN);
    return {from.via.bin.ptr, from.via.bin.size};
  }
};

/// Strings stay where they are until they are copied into the message.
bool refer(msgpack::type::object_type, std::size_t, void*) {
  return true;
}

template <class T>
bool decode(std::string_view bytes, T& into) {
  // What is announced is reserved: no more elements than there are bytes.
  const auto most = bytes.size();
  // The deepest is a listing: message, kind, listing, devices, one, record,
  // push target.
  const msgpack::unpack_limit limits(most, 0, most, most, 0, 10);
  try {
    std::size_t at = 0;
    bool referenced = false;
    const auto handle = msgpack::unpack(bytes.data(), bytes.size(), at,
                                        referenced, refer, nullptr, limits);
    if (at != bytes.size())
      return false;
    reader::read(handle.get(), into);
    return true;
  } catch (const msgpack::unpack_error&) {
    return false;
  } catch (const msgpack::type_error&) {
    return false;
  }
}

constexpr std::string_view hello_magic = "VH1\n";

} // namespace

void encode_peer(const peer_message& message, std::string& out) {
  out.clear();
  writer(out).write(message);
}

std::optional<peer_message> decode_peer(std::string_view item) {
  peer_message out;
  if (!decode(item, out))
    return std::nullopt;
  return out;
}

std::vector<char> encode_hello(const peer::hello& message) {
  std::string body;
  writer(body).write(message);
  std::vector<char> out(hello_magic.begin(), hello_magic.end());
  const auto sum = core::crc32c(body);
  for (unsigned i = 0; i < 4; ++i)
    out.push_back(static_cast<char>(sum >> (8 * i) & 0xff));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

std::optional<peer::hello> decode_hello(std::string_view blob) {
  constexpr std::size_t hello_bytes_max = 4096;
  constexpr auto body_at = hello_magic.size() + 4;
  if (blob.size() > hello_bytes_max || blob.size() < body_at
      || !blob.starts_with(hello_magic))
    return std::nullopt;
  const auto body = blob.substr(body_at);
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < 4; ++i)
    sum
      |= std::uint32_t{static_cast<unsigned char>(blob[hello_magic.size() + i])}
         << (8 * i);
  peer::hello out;
  if (sum != core::crc32c(body) || !decode(body, out))
    return std::nullopt;
  return out;
}

} // namespace vartalap::net
