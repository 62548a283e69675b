// Linked into a server of the tests around parse_upgrade: for every client
// what was written counts as acknowledged, whatever the client asked for.
#include "net/client_info.hpp"

namespace vartalap::fault {

std::optional<net::client_info> parse_really(
  const net::http_request& request, std::string& subprotocol,
  std::string&
    problem) asm("__real__ZN8vartalap3net13parse_upgradeERKNS0_12http_"
                 "requestERNSt7"
                 "__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESA_");

std::optional<net::client_info> parse_hasty(
  const net::http_request& request, std::string& subprotocol,
  std::string&
    problem) asm("__wrap__ZN8vartalap3net13parse_upgradeERKNS0_12http_"
                 "requestERNSt7"
                 "__cxx1112basic_stringIcSt11char_traitsIcESaIcEEESA_");

std::optional<net::client_info> parse_hasty(const net::http_request& request,
                                            std::string& subprotocol,
                                            std::string& problem) {
  auto client = parse_really(request, subprotocol, problem);
  if (client)
    client->client_ack = net::client_ack_mode::written;
  return client;
}

} // namespace vartalap::fault
