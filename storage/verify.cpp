#include "storage/verify.hpp"

#include "storage/environment.hpp"
#include "storage/push_format.hpp"
#include "storage/record_format.hpp"
#include "storage/write_batch.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace vartalap::storage {

namespace {

constexpr std::size_t problems_max = 1000;

// One pass over all tables in one read transaction.
class verifier {
public:
  explicit verifier(MDB_env* env)
    : txn_(begin_read(env)), all_(open_tables(txn_.get(), false)) {
  }

  verify_report run() {
    check_journal();
    check_mailboxes();
    check_devices();
    check_contents();
    check_pushes();
    check_removals();
    check_notes();
    check_rows();
    return std::move(report_);
  }

private:
  void problem(const std::string& text) {
    ++report_.damaged;
    if (report_.problems.size() < problems_max)
      report_.problems.push_back(text);
  }

  void check_journal() {
    cursor at{txn_.get(), all_.journal};
    for (auto more = at.first(); more; more = at.next()) {
      ++report_.journal_records;
      const auto name = "journal record "
                        + (at.key().size() == 8
                             ? std::to_string(sequence_of(at.key()))
                             : std::string{"with a bad key"});
      const auto record = read_record(at.key(), at.value());
      if (record)
        check_message(name, *record);
      else
        problem(name + ": wrong checksum");
    }
  }

  void check_mailboxes() {
    std::string user;
    cursor at{txn_.get(), all_.mailboxes};
    for (auto more = at.first(); more; more = at.next()) {
      ++report_.mailbox_records;
      const auto name = "mailbox record "
                        + std::to_string(report_.mailbox_records);
      const auto parts = split_user_key(at.key());
      if (!parts || parts->rest.size() != 16) {
        problem(name + ": bad key");
        continue;
      }
      if (parts->user != user) {
        user = parts->user;
        ++report_.mailboxes;
      }
      const auto record = read_record(at.key(), at.value());
      if (!record) {
        problem(name + ": wrong checksum");
        continue;
      }
      const auto id = core::server_id::from_bytes(
        reinterpret_cast<const std::uint8_t*>(parts->rest.data()));
      if (record->user != parts->user || record->serverid != id)
        problem(name + ": its key names another message");
      check_message(name, *record);
    }
  }

  void check_message(const std::string& name, const record_view& record) {
    std::string_view content;
    if (record.content) {
      ++references_[std::string{*record.content}];
      const auto found = read_content(txn_.get(), all_, *record.content);
      if (!found) {
        problem(name + ": its content is missing or damaged");
        return;
      }
      content = *found;
    }
    if (!decode_envelope(record, content))
      problem(name + ": cannot be decoded");
  }

  void check_devices() {
    cursor at{txn_.get(), all_.devices};
    for (auto more = at.first(); more; more = at.next()) {
      ++report_.devices;
      const auto parts = split_user_key(at.key());
      if (!parts || !read_device(at.key(), parts->rest, at.value()))
        problem("device record " + std::to_string(report_.devices)
                + ": damaged");
    }
  }

  void check_pushes() {
    std::uint64_t pushes = 0;
    cursor at{txn_.get(), all_.push};
    for (auto more = at.first(); more; more = at.next()) {
      ++pushes;
      if (!split_user_key(at.key()) || !read_push(at.key(), at.value()))
        problem("push record " + std::to_string(pushes) + ": damaged");
    }
  }

  void check_removals() {
    if (all_.removed == no_table)
      return;
    std::uint64_t removals = 0;
    cursor at{txn_.get(), all_.removed};
    for (auto more = at.first(); more; more = at.next()) {
      ++removals;
      if (!read_removal(at.key(), at.value()))
        problem("tombstone " + std::to_string(removals) + ": damaged");
    }
  }

  void check_notes() {
    if (!read_members(txn_.get(), all_))
      problem("member list: damaged");
    if (all_.peers == no_table)
      return;
    cursor at{txn_.get(), all_.peers};
    for (auto more = at.first(); more; more = at.next())
      if (!read_peer(at.key(), at.value()))
        problem("note on node " + std::string{at.key()} + ": damaged");
  }

  void check_rows() {
    if (all_.rows == no_table)
      return;
    std::uint64_t rows = 0;
    cursor at{txn_.get(), all_.rows};
    for (auto more = at.first(); more; more = at.next()) {
      ++rows;
      if (!split_user_key(at.key()) || !read_checked(at.key(), at.value()))
        problem("row " + std::to_string(rows) + " of a user: damaged");
    }
  }

  void check_contents() {
    std::uint64_t contents = 0;
    cursor at{txn_.get(), all_.content_refs};
    for (auto more = at.first(); more; more = at.next()) {
      ++contents;
      const auto count = read_number(at.value());
      const auto found = references_.find(std::string{at.key()});
      const auto real = found == references_.end() ? 0 : found->second;
      // More than there are costs room; fewer would lose messages.
      if (count != real)
        problem("content " + std::to_string(contents) + ": counts "
                + std::to_string(count) + " references, has "
                + std::to_string(real));
      if (!read_content(txn_.get(), all_, at.key()))
        problem("content " + std::to_string(contents) + ": missing or damaged");
    }
    if (contents != record_count(txn_.get(), all_.content))
      problem("there are contents without a count");
  }

  txn_ptr txn_;
  tables all_;
  verify_report report_;
  std::map<std::string, std::uint64_t> references_;
};

} // namespace

verify_report verify_environment(MDB_env* env) {
  return verifier{env}.run();
}

verify_report verify(const std::string& directory) {
  const auto env = open_for_reading(directory);
  return verify_environment(env.get());
}

} // namespace vartalap::storage
