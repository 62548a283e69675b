#include "core/link_channel.hpp"

#include "core/crc32c.hpp"

#include <algorithm>
#include <cstring>

namespace vartalap::core {

namespace {

constexpr char magic[2] = {'V', 'L'};
constexpr std::uint8_t kind_data = 1;  ///< has a number
constexpr std::uint8_t kind_alive = 2; ///< acknowledges, shows life

// Where the parts of a header lie.
constexpr std::size_t at_version = 2;
constexpr std::size_t at_kind = 3;
constexpr std::size_t at_crc = 4;
constexpr std::size_t at_session = 8;
constexpr std::size_t at_number = 16;
constexpr std::size_t at_ack = 24;
constexpr std::size_t at_clock = 32;

constexpr std::size_t length_bytes = 4;

// Of the queue's front, before it is worth moving the rest.
constexpr std::size_t queue_slack = 1 * MiB;

template <class T>
void put(char* at, T number) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    at[i] = static_cast<char>(number >> (8 * i) & 0xff);
}

template <class T>
T get(const char* at) noexcept {
  T out = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out |= static_cast<T>(static_cast<T>(static_cast<unsigned char>(at[i]))
                          << (8 * i));
  return out;
}

std::uint32_t sum_of(std::string_view blob) noexcept {
  return crc32c(blob.substr(at_session), crc32c(blob.substr(0, at_crc)));
}

} // namespace

void link_channel::open(std::uint64_t session, mono_time now) {
  close();
  session_ = session;
  spoke_ = now;
  heard_ = now;
  sent_ = now - rules_.gather;
}

void link_channel::close() {
  session_ = 0;
  queue_ = {};
  queue_at_ = 0;
  flying_.clear();
  flying_bytes_ = 0;
  last_out_ = 0;
  last_in_ = 0;
  acked_in_ = 0;
  unacked_bytes_ = 0;
  ack_due_ = mono_time::max();
  partial_.clear();
}

bool link_channel::add(std::string_view item) {
  if (!is_open() || queue_.size() - queue_at_ > rules_.queue_bytes)
    return false;
  char length[length_bytes];
  put(length, static_cast<std::uint32_t>(item.size()));
  queue_.append(length, sizeof length);
  queue_.append(item);
  ++figures_.items_out;
  return true;
}

bool link_channel::has_window() const noexcept {
  return flying_.empty() || flying_bytes_ < rules_.window_bytes;
}

mono_time link_channel::data_due() const noexcept {
  const auto waiting = queue_.size() - queue_at_;
  if (waiting == 0 || !has_window())
    return mono_time::max();
  const auto full
    = std::min(rules_.gather_bytes, rules_.blob_bytes - header_bytes);
  return waiting >= full ? mono_time::min() : sent_ + rules_.gather;
}

void link_channel::write_header(std::vector<char>& blob,
                                std::uint64_t clock) const {
  std::memcpy(blob.data(), magic, sizeof magic);
  put(blob.data() + at_version, version);
  put(blob.data() + at_session, session_);
  put(blob.data() + at_ack, last_in_);
  put(blob.data() + at_clock, clock);
}

bool link_channel::next(mono_time now, std::uint64_t clock,
                        std::vector<char>& blob) {
  if (!is_open())
    return false;
  const auto waiting = queue_.size() - queue_at_;
  const auto is_data = data_due() <= now;
  const auto owes_ack
    = last_in_ != acked_in_
      && (ack_due_ <= now || unacked_bytes_ >= rules_.ack_bytes);
  if (!is_data && !owes_ack && now - spoke_ < rules_.heartbeat)
    return false;
  const auto body
    = is_data ? std::min(waiting, rules_.blob_bytes - header_bytes) : 0;
  blob.reserve(header_bytes + body);
  blob.assign(header_bytes, 0);
  write_header(blob, clock);
  if (is_data) {
    put(blob.data() + at_number, ++last_out_);
    const auto* from = queue_.data() + queue_at_;
    blob.insert(blob.end(), from, from + body);
    queue_at_ += body;
    sent_ = now;
    flying_.push_back({last_out_, blob.size(), now});
    flying_bytes_ += blob.size();
    if (queue_at_ == queue_.size() || queue_at_ > queue_slack) {
      queue_.erase(0, queue_at_);
      queue_at_ = 0;
    }
  }
  put(blob.data() + at_kind, is_data ? kind_data : kind_alive);
  put(blob.data() + at_crc, sum_of({blob.data(), blob.size()}));
  acked_in_ = last_in_;
  unacked_bytes_ = 0;
  ack_due_ = mono_time::max();
  spoke_ = now;
  ++figures_.blobs_out;
  figures_.bytes_out += blob.size();
  return true;
}

link_channel::verdict
link_channel::receive(std::span<const char> blob, mono_time now,
                      std::vector<std::string_view>& items) {
  items.clear();
  const std::string_view bytes{blob.data(), blob.size()};
  if (bytes.size() < header_bytes || bytes.size() > rules_.blob_bytes
      || std::memcmp(bytes.data(), magic, sizeof magic) != 0
      || get<std::uint8_t>(bytes.data() + at_version) != version)
    return verdict::broken;
  if (get<std::uint64_t>(bytes.data() + at_session) != session_ || !is_open())
    return verdict::stale;
  if (get<std::uint32_t>(bytes.data() + at_crc) != sum_of(bytes))
    return verdict::broken;
  heard_ = now;
  peer_clock_ = get<std::uint64_t>(bytes.data() + at_clock);
  ++figures_.blobs_in;
  figures_.bytes_in += bytes.size();
  take_ack(get<std::uint64_t>(bytes.data() + at_ack), now);
  if (get<std::uint8_t>(bytes.data() + at_kind) != kind_data)
    return verdict::ok;
  if (get<std::uint64_t>(bytes.data() + at_number) != last_in_ + 1)
    return verdict::broken;
  ++last_in_;
  unacked_bytes_ += bytes.size();
  ack_due_ = std::min(ack_due_, now + rules_.ack_after);
  return take_body(bytes.substr(header_bytes), items) ? verdict::ok
                                                      : verdict::broken;
}

void link_channel::take_ack(std::uint64_t upto, mono_time now) {
  while (!flying_.empty() && flying_.front().number <= upto) {
    flying_bytes_ -= flying_.front().bytes;
    const auto took = now - flying_.front().when;
    auto& smooth = figures_.round_trip;
    smooth = smooth.count() == 0 ? took : (smooth * 7 + took) / 8;
    flying_.pop_front();
  }
}

bool link_channel::take_body(std::string_view body,
                             std::vector<std::string_view>& items) {
  if (!partial_.empty()) {
    partial_.append(body);
    whole_.swap(partial_);
    partial_.clear();
    body = whole_;
  }
  while (body.size() >= length_bytes) {
    const auto size = get<std::uint32_t>(body.data());
    if (size > rules_.item_bytes)
      return false;
    if (body.size() - length_bytes < size)
      break;
    items.push_back(body.substr(length_bytes, size));
    body.remove_prefix(length_bytes + size);
  }
  partial_.assign(body);
  figures_.items_in += items.size();
  return true;
}

mono_time link_channel::next_deadline() const noexcept {
  if (!is_open())
    return mono_time::max();
  return std::min({data_due(), ack_due_, spoke_ + rules_.heartbeat,
                   heard_ + rules_.dead_after});
}

link_channel::figures link_channel::look() const noexcept {
  auto out = figures_;
  out.queued = queue_.size() - queue_at_;
  out.in_flight = flying_bytes_;
  return out;
}

} // namespace vartalap::core
