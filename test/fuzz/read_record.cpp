#include "core/crc32c.hpp"
#include "storage/push_format.hpp"
#include "storage/record_format.hpp"
#include "test/fuzz/codec_invariants.hpp"

#include <cstring>

using namespace vartalap;

/// Any bytes as a record of the journal, a device and a push record. The
/// checksum is made right first: otherwise nothing behind it would be reached.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  const storage::key_bytes key = storage::journal_key(1);
  std::string value{bytes, bytes + size};
  if (size >= 4) {
    const std::uint32_t sum
      = core::crc32c(std::string_view{value}.substr(4), core::crc32c(key));
    std::memcpy(value.data(), &sum, sizeof(sum));
  }
  storage::read_device(key, "phone", value);
  if (const auto push = storage::read_push(key, value)) {
    std::string again;
    storage::encode_push(again, key, *push);
    fuzz::require(storage::read_push(key, again).has_value(),
                  "a push record is written as it is read");
  }
  const auto record = storage::read_record(key, value);
  if (!record)
    return 0;
  record->to_pending();
  const auto message = storage::decode_envelope(*record, "content");
  fuzz::require(message == nullptr || message->to == record->user, "to stays");
  std::string moved;
  storage::append_moved(moved, storage::journal_key(2), value);
  fuzz::require(
    storage::read_record(storage::journal_key(2), moved).has_value(),
    "a moved record is whole");
  return 0;
}
