#include "core/crc32c.hpp"
#include "net/peer_messages.hpp"
#include "test/fuzz/codec_invariants.hpp"

#include <cstring>
#include <string>

using namespace vartalap;

namespace {

/// The bytes after the head of a hello; its checksum is made right first.
void hello(std::string_view body) {
  std::string blob("VH1\n????");
  const auto sum = core::crc32c(body);
  for (unsigned i = 0; i < 4; ++i)
    blob[4 + i] = static_cast<char>(sum >> (8 * i) & 0xFF);
  const auto took = net::decode_hello(blob.append(body));
  if (!took)
    return;
  const auto again = net::encode_hello(*took);
  const auto back = net::decode_hello({again.data(), again.size()});
  // What is longer is refused, and numbers may have become longer.
  fuzz::require(back || again.size() > 4096, "a hello is read again");
  fuzz::require(!back || back->name == took->name, "a hello keeps its name");
}

} // namespace

/// Any bytes as what a node says to another: an item of a link, and a hello.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  const std::string item{bytes, bytes + size};
  hello(item);
  const auto took = net::decode_peer(item);
  if (!took)
    return 0;
  std::string once;
  net::encode_peer(*took, once);
  const auto back = net::decode_peer(once);
  fuzz::require(back.has_value(), "what was taken is taken again");
  fuzz::require(back->index() == took->index(), "its kind stays");
  std::string twice;
  net::encode_peer(*back, twice);
  fuzz::require(once == twice, "its fields stay");
  return 0;
}
