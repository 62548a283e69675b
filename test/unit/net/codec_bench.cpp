#include "net/codec.hpp"

#include <benchmark/benchmark.h>

/// What decoding and encoding one frame with 200 bytes of content costs.
namespace {

using namespace vartalap;
using net::encoding;

constexpr std::uint64_t now = 1'700'000'000'000;

core::envelope sample() {
  core::envelope result;
  result.id = "0b1f6c1e-5b7e-4a39-9f0a-2f1d6f3f0a11";
  result.from = "alice";
  result.to = "bob";
  result.timestamp = now;
  result.server_timestamp = now;
  result.serverid = {now << 16, 7};
  result.kind = core::content_kind::json;
  result.content = R"({"text":")" + std::string(189, 'x') + R"("})";
  return result;
}

void encode(benchmark::State& state, encoding how) {
  const auto message = sample();
  std::string out;
  for (auto _ : state) {
    out.clear();
    net::encode_delivery(how, message, out);
    benchmark::DoNotOptimize(out.data());
  }
}

template <class Decode>
void decode(benchmark::State& state, encoding how, Decode function) {
  std::string bytes;
  net::encode_delivery(how, sample(), bytes);
  for (auto _ : state) {
    auto decoded = function(bytes, net::codec_limits{}, now);
    benchmark::DoNotOptimize(decoded);
  }
}

} // namespace

BENCHMARK_CAPTURE(encode, msgpack, encoding::msgpack);
BENCHMARK_CAPTURE(encode, protobuf, encoding::protobuf);
BENCHMARK_CAPTURE(encode, json, encoding::json);
BENCHMARK_CAPTURE(encode, json_v2, encoding::json_v2);
BENCHMARK_CAPTURE(decode, msgpack, encoding::msgpack, net::decode_msgpack);
BENCHMARK_CAPTURE(decode, protobuf, encoding::protobuf, net::decode_protobuf);
BENCHMARK_CAPTURE(decode, json, encoding::json, net::decode_json);
BENCHMARK_MAIN();
