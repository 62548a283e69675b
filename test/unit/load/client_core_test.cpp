#include "core/ids.hpp"
#include "load/client_core.hpp"

#include <catch2/catch.hpp>

#include <optional>

using namespace vartalap;
using namespace vartalap::load;

namespace {

void put_str(std::string& out, std::string_view text) {
  out.push_back(static_cast<char>(0xd9));
  out.push_back(static_cast<char>(text.size()));
  out.append(text);
}

/// Keeps frames; plays the server that answers them.
struct wire final : frame_sink {
  std::vector<std::string> frames;
  void write(std::string_view frame) override {
    frames.emplace_back(frame);
  }
};

struct fixture {
  checker book{2, 1};
  payload_maker payloads{42, 64};
  shard_stats stats;
  measured_window window;
  client_context context{book, payloads, stats, window, 1000, true};
  client_core alice{context, 0, 0};
  client_core bob{context, 1, 0};
  wire out;

  fixture() {
    window.begin_us = 0;
  }

  std::string id_of(std::uint32_t seq) const {
    std::string id;
    payloads.append_id({0, seq}, id);
    return id;
  }

  std::string order_of(std::uint32_t seq) const {
    return core::server_id{seq + 1, 7}.to_hex();
  }

  std::string confirmation(std::uint32_t seq) const {
    std::string frame("\x92\x00", 2);
    put_str(frame, id_of(seq));
    return frame;
  }

  std::string error(std::uint32_t seq, std::string_view code) const {
    std::string frame("\x93\x09", 2);
    put_str(frame, id_of(seq));
    put_str(frame, code);
    return frame;
  }

  /// Alice's `seq`-th message as it reaches bob.
  std::string delivery(std::uint32_t seq, std::string_view to = "u1",
                       std::string_view from = "u0") const {
    std::string content;
    payloads.make({{0, seq}, 100}, content);
    std::string frame("\x9b\x02", 2);
    put_str(frame, id_of(seq));
    put_str(frame, to);
    frame.append("\x01\x00\xc4", 3);
    frame.push_back(static_cast<char>(content.size()));
    frame.append(content);
    frame.append("\x01\xc0", 2);
    put_str(frame, from);
    put_str(frame, order_of(seq));
    frame.push_back('\x01');
    return frame;
  }

  void submit(int count) {
    for (int i = 0; i < count; ++i)
      alice.submit(1, 100, 100, out);
  }

  /// Which of alice's messages the frames from `first` on are.
  std::vector<std::uint32_t> seqs_from(std::size_t first) const {
    std::vector<std::uint32_t> result;
    for (std::size_t i = first; i < out.frames.size(); ++i)
      for (std::uint32_t seq = 0; seq < 10; ++seq)
        if (out.frames[i].find(id_of(seq)) != std::string::npos)
          result.push_back(seq);
    return result;
  }
};

using seqs = std::vector<std::uint32_t>;

} // namespace

TEST_CASE("client_core keeps what is sent while offline and sends it later") {
  fixture f;
  f.submit(3);
  CHECK(f.out.frames.empty());
  CHECK(f.alice.unconfirmed() == 3);
  f.alice.on_open(200, f.out);
  CHECK(f.seqs_from(0) == seqs{0, 1, 2});
  CHECK(f.stats.resends == 0);
}

TEST_CASE("client_core resends the unconfirmed in order, with the same bytes, "
          "before anything new") {
  fixture f;
  f.alice.on_open(0, f.out);
  f.submit(4);
  f.alice.on_frame(f.confirmation(1), 300);
  const auto first = f.out.frames;
  f.alice.on_closed();
  f.alice.submit(1, 100, 100, f.out);
  f.alice.on_open(400, f.out);
  CHECK(f.seqs_from(4) == seqs{0, 2, 3, 4});
  CHECK(f.out.frames[4] == first[0]);
  CHECK(f.out.frames[6] == first[3]);
  CHECK(f.stats.resends == 3);
  CHECK(f.alice.unconfirmed() == 4);
}

TEST_CASE("client_core resends on a live connection after ten seconds, no "
          "sooner") {
  fixture f;
  f.alice.on_open(0, f.out);
  f.submit(2);
  const auto due = 100 + client_core::resend_after_us;
  CHECK(f.alice.resend_due(due - 1, f.out) == due);
  CHECK(f.out.frames.size() == 2);
  f.alice.resend_due(due, f.out);
  CHECK(f.seqs_from(2) == seqs{0, 1});
}

TEST_CASE("client_core counts one confirmation once") {
  fixture f;
  f.alice.on_open(0, f.out);
  f.submit(1);
  f.alice.on_frame(f.confirmation(0), 350);
  f.alice.on_frame(f.confirmation(0), 360);
  CHECK(f.stats.confirmed == 1);
  CHECK(f.alice.unconfirmed() == 0);
  CHECK(f.stats.confirm.max() == 250);
  CHECK(f.book.judge().confirmed == 1);
}

TEST_CASE("client_core tries again what is refused for now, and drops what is "
          "refused for good") {
  fixture f;
  f.alice.on_open(0, f.out);
  f.submit(2);
  f.alice.on_frame(f.error(0, "unavailable"), 200);
  f.alice.on_frame(f.error(1, "forbidden"), 200);
  CHECK(f.alice.unconfirmed() == 1);
  CHECK(f.book.judge().refused == 1);
  CHECK(f.stats.refusals["unavailable"] == 1);
  f.alice.resend_due(200 + client_core::retry_refused_us, f.out);
  CHECK(f.seqs_from(2) == seqs{0});
}

TEST_CASE("client_core acknowledges all of a run in one frame, repeats too") {
  fixture f;
  f.submit(2);
  f.bob.on_open(0, f.out);
  f.bob.on_frame(f.delivery(0), 400);
  f.bob.on_frame(f.delivery(1), 400);
  f.bob.on_frame(f.delivery(0), 400);
  f.bob.write_acks(f.out);
  REQUIRE(f.out.frames.size() == 1);
  std::string expected;
  encode_ack(f.order_of(0) + f.order_of(1) + f.order_of(0), expected);
  CHECK(f.out.frames[0] == expected);
  f.bob.write_acks(f.out);
  CHECK(f.out.frames.size() == 1);
  const auto v = f.book.judge();
  CHECK(v.arrived == 2);
  CHECK(v.duplicated_raw == 1);
  CHECK(f.stats.e2e.max() == 300);
}

TEST_CASE("client_core does not acknowledge what came before it lost the "
          "connection") {
  fixture f;
  f.submit(1);
  f.bob.on_open(0, f.out);
  f.bob.on_frame(f.delivery(0), 400);
  f.bob.on_closed();
  f.bob.on_open(500, f.out);
  f.bob.write_acks(f.out);
  CHECK(f.out.frames.empty());
}

TEST_CASE("client_core that dies before it acknowledges keeps or forgets") {
  fixture f;
  f.submit(1);
  f.bob.on_open(0, f.out);
  const bool forget = GENERATE(true, false);
  f.bob.die_before_ack(forget);
  f.bob.on_frame(f.delivery(0), 400);
  f.bob.write_acks(f.out);
  CHECK(f.bob.withheld() == 1);
  CHECK(f.out.frames.empty());
  f.bob.on_closed();
  f.bob.on_open(500, f.out);
  f.bob.on_frame(f.delivery(0), 600);
  f.bob.write_acks(f.out);
  CHECK(f.out.frames.size() == 1);
  CHECK(f.book.judge().arrived == 1);
  CHECK(f.book.judge().duplicated_raw == (forget ? 0 : 1));
}

TEST_CASE("client_core tells damaged, misdirected and foreign deliveries "
          "apart") {
  fixture f;
  f.submit(1);
  f.bob.on_open(0, f.out);
  auto frame = f.delivery(0);
  SECTION("damaged") {
    const auto at = frame.find('\xc4');
    frame[at + 40] = static_cast<char>(frame[at + 40] ^ 1);
    f.bob.on_frame(frame, 400);
    CHECK(f.book.judge().unexpected == 1);
  }
  SECTION("for somebody else") {
    f.bob.on_frame(f.delivery(0, "u9"), 400);
    CHECK(f.book.judge().unexpected == 1);
  }
  SECTION("under another sender's name") {
    f.bob.on_frame(f.delivery(0, "u1", "u5"), 400);
    CHECK(f.book.judge().unexpected == 1);
  }
  SECTION("of another run") {
    const auto at = frame.find(f.id_of(0));
    frame[at] = 'f';
    f.bob.on_frame(frame, 400);
    CHECK(f.book.judge().foreign == 1);
    CHECK_FALSE(f.book.judge().broken());
  }
  SECTION("unreadable") {
    f.bob.on_frame("\xc1", 400);
    CHECK(f.book.judge().unexpected == 1);
  }
  CHECK(f.book.judge().arrived == 0);
}

TEST_CASE("client_core records no latency outside the window") {
  fixture f;
  f.window.begin_us = 101;
  f.submit(1);
  f.bob.on_open(0, f.out);
  f.bob.on_frame(f.delivery(0), 400);
  CHECK(f.stats.e2e.count() == 0);
  CHECK(f.stats.arrived == 1);
  CHECK(f.stats.window_arrived == 1);
}

TEST_CASE(
  "client_core is served once a confirmation came over its connection") {
  fixture f;
  CHECK_FALSE(f.alice.is_served());
  f.alice.on_open(0, f.out);
  CHECK(f.alice.is_served()); // Nothing waits for anybody.
  f.submit(2);
  f.alice.on_closed();
  CHECK_FALSE(f.alice.is_served());
  f.alice.on_open(200, f.out);
  CHECK_FALSE(f.alice.is_served());
  f.alice.on_frame(f.error(0, "unavailable"), 250);
  CHECK_FALSE(f.alice.is_served());
  f.alice.on_frame(f.confirmation(1), 300);
  CHECK(f.alice.is_served());
}
