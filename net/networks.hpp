#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vartalap::net {

/// A list of IP addresses and networks: "10.0.0.5", "10.0.0.0/8", "fd00::/8".
/// IPv4 written as IPv6 ("::ffff:10.0.0.5") is IPv4.
class networks {
public:
  /// @param texts What is none is left out; the configuration's check refuses
  ///              it.
  explicit networks(const std::vector<std::string>& texts);

  /// False too for what is no address.
  bool contain(std::string_view address) const;

  /// The client behind proxies of this list. Of X-Forwarded-For the last entry
  /// counts that no such proxy has as its own address: what stands before it
  /// comes from the client itself.
  /// @param peer Who has connected.
  /// @param forwarded The header, or nothing.
  std::string client_of(const std::string& peer,
                        std::string_view forwarded) const;

private:
  struct range {
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 128;
  };
  std::vector<range> all_;
};

} // namespace vartalap::net
