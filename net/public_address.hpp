#pragma once

struct sockaddr;

namespace vartalap::net {

/// True for an address of the public internet: not loopback, not of a private
/// or shared network, not link-local, multicast or reserved; the same of IPv4
/// addresses inside IPv6 ones. What a client names as its push service must be
/// one, or it could have the node call its neighbours.
bool is_public(const sockaddr& address) noexcept;

} // namespace vartalap::net
