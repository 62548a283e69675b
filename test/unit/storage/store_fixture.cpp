#include "test/unit/storage/store_fixture.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace vartalap::test {

temporary_directory::temporary_directory() {
  std::string name = std::filesystem::current_path() / "storage-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    throw std::runtime_error{"no temporary directory"};
  path_ = name;
}

temporary_directory::~temporary_directory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

bool recorded_log::enabled(core::log_level) const noexcept {
  return true;
}

void recorded_log::write(core::log_level, std::string_view,
                         std::string_view text) {
  const std::lock_guard lock{mutex_};
  lines_.emplace_back(text);
}

bool recorded_log::contains(std::string_view part) const {
  const std::lock_guard lock{mutex_};
  return std::any_of(lines_.begin(), lines_.end(), [&](const auto& line) {
    return line.find(part) != std::string::npos;
  });
}

void recorded_sink::completed(unsigned shard,
                              std::vector<storage::completion> batch) {
  if (on_completed)
    on_completed();
  const std::lock_guard lock{mutex_};
  per_shard[shard] += batch.size();
  all.insert(all.end(), batch.begin(), batch.end());
  changed_.notify_all();
}

void recorded_sink::storage_failed(const std::string&) {
  const std::lock_guard lock{mutex_};
  ++failures;
  changed_.notify_all();
}

void recorded_sink::expired(std::string user,
                            std::vector<core::server_id> ids) {
  const std::lock_guard lock{mutex_};
  auto& known = expirations[user];
  known.insert(known.end(), ids.begin(), ids.end());
  changed_.notify_all();
}

void recorded_sink::wait_for(std::size_t completions) {
  wait_until([&] { return all.size() >= completions; });
}

void recorded_sink::wait_until(const std::function<bool()>& condition) {
  std::unique_lock lock{mutex_};
  if (!changed_.wait_for(lock, std::chrono::minutes{1}, condition))
    throw std::runtime_error{"the store did not answer within a minute"};
}

std::vector<storage::outcome> recorded_sink::of(core::server_id id) {
  const std::lock_guard lock{mutex_};
  std::vector<storage::outcome> out;
  for (const auto& done : all)
    if (done.serverid == id && done.was_put)
      out.push_back(done.result);
  return out;
}

std::size_t recorded_sink::count(storage::outcome result) {
  const std::lock_guard lock{mutex_};
  return static_cast<std::size_t>(
    std::count_if(all.begin(), all.end(),
                  [&](const auto& done) { return done.result == result; }));
}

store_fixture::store_fixture() {
  options.max_bytes = 256 * core::MiB;
  options.settle_after = core::milliseconds{3'600'000};
  options.sweep_interval = core::milliseconds{3'600'000};
  hooks.free_bytes_min = 0;
  hooks.space = [](const std::string&) {
    return storage::disk_space{100 * core::GiB, 50 * core::GiB};
  };
}

void store_fixture::open() {
  store = std::make_unique<storage::lmdb_store>(directory.data(), options, ttl,
                                                2, sink, log, hooks);
}

void store_fixture::reopen() {
  store.reset();
  open();
}

void store_fixture::put(const core::envelope_ptr& message,
                        std::vector<std::string> acked, bool raise) {
  run({storage::op::put{message, std::move(acked), raise}});
}

void store_fixture::run(std::vector<storage::operation> operations) {
  std::vector<storage::request> batch;
  for (auto& what : operations)
    batch.push_back({0, 0, std::move(what)});
  asked += batch.size();
  store->submit(std::move(batch));
  sink.wait_for(asked);
}

void store_fixture::wait_for_journal(std::uint64_t records) {
  // Every commit tells of the journal's size before it answers: harmless
  // operations until it is small enough.
  for (int tries = 0; store->status().journal_records > records; ++tries) {
    if (tries > 100'000)
      throw std::runtime_error{"the journal is not settled"};
    run({storage::op::put_device{"settle-probe", {"d", 0, {}, 0}}});
  }
}

std::vector<std::string> store_fixture::raised() {
  std::vector<std::string> out;
  std::string from;
  do {
    auto page = store->list_pushes(from, 7);
    for (auto& [user, record] : page.records)
      out.push_back(std::move(user));
    from = std::move(page.next);
  } while (!from.empty());
  return out;
}

std::vector<core::server_id> store_fixture::pending(std::string_view user) {
  std::vector<core::server_id> out;
  for (const auto& record : store->snapshot(user).pending)
    out.push_back(record.serverid);
  return out;
}

held_writer::held_writer(store_fixture& on)
  : fixture_(on), gate_(std::make_shared<gate>()) {
  fixture_.sink.on_completed
    = [gate = gate_, opened = gate_->opened.get_future().share()] {
        if (!std::exchange(gate->reached, true)) {
          gate->closed.set_value();
          opened.wait();
        }
      };
  submit(std::vector<storage::operation>{
    storage::op::put_device{"holder", {"d", 0, {}, 0}}});
  gate_->closed.get_future().wait();
}

void held_writer::submit(std::vector<storage::operation> operations) {
  std::vector<storage::request> batch;
  for (auto& what : operations)
    batch.push_back({0, 0, std::move(what)});
  submit(std::move(batch));
}

void held_writer::submit(std::vector<storage::request> batch) {
  fixture_.asked += batch.size();
  fixture_.store->submit(std::move(batch));
}

void held_writer::release() {
  gate_->opened.set_value();
  fixture_.sink.wait_for(fixture_.asked);
}

core::wall_ms wall_now() {
  return static_cast<core::wall_ms>(
    std::chrono::duration_cast<core::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch())
      .count());
}

core::envelope_ptr make_message(const std::string& user, unsigned n,
                                std::size_t content_bytes, core::wall_ms at) {
  auto out = std::make_shared<core::envelope>();
  out->id = "m" + std::to_string(n);
  out->from = "alice";
  out->to = user;
  out->content.assign(content_bytes, static_cast<char>('a' + n % 26));
  out->meta = {{"action", "message", false}, {"_m.n", "1", true}};
  out->timestamp = 1'700'000'000'000 + n;
  out->server_timestamp = at == 0 ? wall_now() : at;
  out->serverid = {out->server_timestamp << 16 | (n & 0xffff), n};
  return out;
}

} // namespace vartalap::test
