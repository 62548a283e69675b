#include "runtime/dump.hpp"

#include "storage/environment.hpp"
#include "storage/record_format.hpp"

#include <algorithm>
#include <exception>
#include <ostream>
#include <string_view>
#include <vector>

namespace vartalap::runtime {

namespace {

/// Reads the tables in one transaction and makes a line of each record.
class dumper {
public:
  explicit dumper(MDB_env* env)
    : txn_(storage::begin_read(env)),
      all_(storage::open_tables(txn_.get(), false)) {
    add_messages(all_.journal, "journal");
    add_messages(all_.mailboxes, "mailboxes");
    add_devices();
    add_removals();
    std::sort(lines_.begin(), lines_.end());
  }

  const std::vector<std::string>& lines() const noexcept {
    return lines_;
  }
  const std::vector<std::string>& damaged() const noexcept {
    return damaged_;
  }

private:
  static std::string line(const char* kind, std::string_view user,
                          std::string_view what) {
    return std::string(kind) + '\t' + std::to_string(core::bucket_of(user))
           + '\t' + std::string(user) + '\t' + std::string(what);
  }

  void add_messages(storage::table where, const char* name) {
    std::uint64_t number = 0;
    storage::cursor at{txn_.get(), where};
    for (auto more = at.first(); more; more = at.next()) {
      ++number;
      const auto record = storage::read_record(at.key(), at.value());
      if (!record) {
        damaged_.push_back(std::string(name) + " record "
                           + std::to_string(number));
        continue;
      }
      auto acked = record->acked_names();
      std::sort(acked.begin(), acked.end());
      std::string devices;
      for (const auto& one : acked)
        devices += (devices.empty() ? "" : ",") + one;
      lines_.push_back(line("message", record->user, record->serverid.to_hex())
                       + '\t' + (devices.empty() ? "-" : devices));
    }
  }

  void add_devices() {
    std::uint64_t number = 0;
    storage::cursor at{txn_.get(), all_.devices};
    for (auto more = at.first(); more; more = at.next()) {
      ++number;
      const auto parts = storage::split_user_key(at.key());
      if (parts && storage::read_device(at.key(), parts->rest, at.value()))
        lines_.push_back(line("device", parts->user, parts->rest));
      else
        damaged_.push_back("devices record " + std::to_string(number));
    }
  }

  void add_removals() {
    std::uint64_t number = 0;
    storage::cursor at{txn_.get(), all_.removed};
    for (auto more = at.first(); more; more = at.next()) {
      ++number;
      const auto one = storage::read_removal(at.key(), at.value());
      if (one && one->device.empty())
        lines_.push_back(
          line("removal", one->user, "message\t" + one->serverid.to_hex()));
      else if (one)
        lines_.push_back(line("removal", one->user, "device\t" + one->device));
      else
        damaged_.push_back("removals record " + std::to_string(number));
    }
  }

  storage::txn_ptr txn_;
  storage::tables all_;
  std::vector<std::string> lines_;
  std::vector<std::string> damaged_;
};

} // namespace

int run_dump(const std::string& data, std::ostream& out,
             std::ostream& problems) {
  try {
    const auto env = storage::open_for_reading(data);
    const dumper found(env.get());
    for (const auto& one : found.lines())
      out << one << '\n';
    for (const auto& one : found.damaged())
      problems << "dump: " << one << " is damaged: `vartalap verify " << data
               << "` tells more\n";
    return found.damaged().empty() ? 0 : 1;
  } catch (const std::exception& error) {
    problems << "dump: " << error.what() << '\n';
    return 2;
  }
}

} // namespace vartalap::runtime
