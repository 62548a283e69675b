#include "test/fuzz/codec_invariants.hpp"

using namespace vartalap;

/// Any binary frame of a format=binary connection: decoded, then delivered in
/// every encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  const std::string frame{bytes, bytes + size};
  fuzz::require_sound(net::decode_protobuf(frame, {}, 1), size);
  return 0;
}
