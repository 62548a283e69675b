#include "test/fuzz/codec_invariants.hpp"

using namespace vartalap;

/// Any text frame: decoded, then delivered in every encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  const std::string text{bytes, bytes + size};
  fuzz::require_sound(net::decode_json(text, {}, 1), size);
  return 0;
}
