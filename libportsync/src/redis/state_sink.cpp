// SPDX-License-Identifier: Apache-2.0
#include <portsync/redis/state_sink.hpp>
#include <utility>

#include "os/process_guard.hpp"
#include "redis/answers.hpp"
#include "redis/batch.hpp"
#include "redis/checked_table.hpp"
#include "redis/connection.hpp"
#include "redis/error_reply.hpp"
#include "redis/read_back.hpp"

namespace portsync::redis {
namespace {

constexpr std::size_t max_rows = 512;  // unanswered rows: with more, cache misses cost more than fewer turns save

class RedisStateSink final : public StateSink, public StoreWords {
 public:
  explicit RedisStateSink(StateSinkOptions options)
      : options_(checked_table(std::move(options))),
        connection_(options_.connection),
        batch_(options_),
        read_back_(options_) {}

  [[nodiscard]] int fd() const noexcept override { return connection_.fd(); }
  [[nodiscard]] std::error_code process() override;

  [[nodiscard]] std::error_code start(Observer& observer) override;
  [[nodiscard]] std::error_code read_back(Scope scope, const std::vector<std::string_view>& ports) override;
  [[nodiscard]] std::error_code put(const PortRecord& record, const PortRecord* stored, Revision revision) override;
  [[nodiscard]] std::error_code erase(std::string_view port, Revision revision) override;
  [[nodiscard]] std::error_code flush() override;
  [[nodiscard]] std::size_t room() const noexcept override { return can_write() ? max_rows - answers_.rows() : 0; }
  [[nodiscard]] SinkStatistics statistics() const override;

  [[nodiscard]] const std::string& error_text() const noexcept override { return error_text_; }
  [[nodiscard]] const std::string& trouble() const noexcept override;
  [[nodiscard]] bool trouble_ends_by_reading() const noexcept override {
    return !unread_rows_.empty() || !index_trouble_.empty();
  }

 private:
  [[nodiscard]] bool can_write() const noexcept { return reported_open_ && connection_.open(); }
  [[nodiscard]] std::error_code may_add() const noexcept;

  bool report_opened();
  bool report_result();
  bool report_closed();
  bool report_read_back();
  bool report_read_back(ReadBack::Step step);
  void on_closed();
  void on_opened();

  void on_reply(const Reply& reply);
  void note_index(const Answers::Outcome& outcome);
  void note_read_back();
  void give_up();

  const StateSinkOptions options_;
  Connection connection_;
  Batch batch_;
  Answers answers_;
  ReadBack read_back_;
  Observer* observer_ = nullptr;
  ErasureObserver* erasures_ = nullptr;  // observer_, if it implements this interface
  bool reported_open_ = false;
  bool opened_ = false;  // on_open() is due, after a due on_closed()
  bool closed_ = false;  // on_closed() is due, after the known results
  std::error_code close_error_;
  std::string close_text_;
  std::string run_id_;         // of the last server that was open
  std::string error_text_;     // of the event that is being reported
  bool reading_all_ = true;    // the latest read_back()
  std::string unread_rows_;    // see trouble()
  std::string index_trouble_;  // see trouble()
  Answers::Row result_;        // kept for its memory

  SinkStatistics statistics_;
  os::ProcessFlag processing_;
};

std::error_code RedisStateSink::start(Observer& observer) {
  if (observer_ != nullptr) return portsync::Errc::already_started;
  observer_ = &observer;
  erasures_ = dynamic_cast<ErasureObserver*>(&observer);
  connection_.start();
  return {};
}

std::error_code RedisStateSink::process() {
  const os::ProcessGuard guard(processing_);
  Connection::Turn turn(connection_);
  while (turn.more()) {
    if (report_result() || report_closed() || report_opened() || report_read_back()) continue;
    switch (turn.next()) {
      case Connection::Event::none:
      case Connection::Event::message:  // cannot occur: not enabled
        return {};
      case Connection::Event::opened:
        on_opened();
        break;
      case Connection::Event::reply:
        on_reply(connection_.reply());
        break;
      case Connection::Event::closed:
        on_closed();
        break;
    }
  }
  return {};
}

// Reports a lost connection if the server process is another one after an idle close, because nothing is known about
// the contents of that process.
void RedisStateSink::on_opened() {
  opened_ = true;
  const std::string& run_id = connection_.identity().run_id;
  if (close_error_ == portsync::Errc::try_again && (run_id.empty() || run_id != run_id_)) {
    closed_ = true;
    close_error_ = Errc::end_of_file;
    close_text_ = "Redis was restarted, or is another server";
  }
  run_id_ = run_id;
}

bool RedisStateSink::report_opened() {
  if (!opened_) return false;
  opened_ = false;
  reported_open_ = true;
  close_error_.clear();
  answers_.on_opened();
  observer_->on_open();
  return true;
}

// Rows whose refusal is known are reported before on_closed(). The result of the others is unknown, which is what
// on_closed() reports.
void RedisStateSink::on_closed() {
  closed_ = true;
  close_error_ = connection_.error();
  close_text_ = connection_.error_text();
  if (close_error_ == Errc::idle && reported_open_) close_error_ = portsync::Errc::try_again;
  reported_open_ = opened_ = false;
  answers_.on_closed();
  batch_.clear();
  read_back_.abort();
}

bool RedisStateSink::report_result() {
  if (!answers_.take_result(result_)) return false;
  if (erasures_ != nullptr && !result_.others.empty()) erasures_->on_fields_lost(result_.port, result_.others);
  if (result_.error) {
    if (result_.error != portsync::Errc::try_again) ++statistics_.refused;
    error_text_ =
        connection_.shown(result_.error, options_.table + options_.separator + result_.port + ": " + result_.text);
    connection_.note_error(result_.error, error_text_);
  }
  observer_->on_result(result_.port, result_.revision, result_.error);
  return true;
}

bool RedisStateSink::report_closed() {
  if (!closed_) return false;
  closed_ = false;
  error_text_ = close_text_;
  observer_->on_closed(close_error_);
  return true;
}

bool RedisStateSink::report_read_back() {
  if (!read_back_.active() || !can_write()) return false;
  CommandBuffer& out = connection_.commands();
  const std::size_t before = out.commands();
  const ReadBack::Step step = read_back_.advance(out);
  answers_.on_reads_sent(out.commands() - before);
  return report_read_back(step);
}

bool RedisStateSink::report_read_back(ReadBack::Step step) {
  switch (step) {
    case ReadBack::Step::none:
      return false;
    case ReadBack::Step::row:
      observer_->on_row(read_back_.row());
      break;
    case ReadBack::Step::ended:
      note_read_back();
      observer_->on_read_back(read_back_.error());
      break;
    case ReadBack::Step::nonsense:
      give_up();
      break;
  }
  return true;
}

std::error_code RedisStateSink::read_back(Scope scope, const std::vector<std::string_view>& ports) {
  if (!can_write()) return portsync::Errc::not_open;
  if (read_back_.active()) return portsync::Errc::busy;
  reading_all_ = scope == Scope::all;
  batch_.suspend_index(false);
  read_back_.begin(scope, ports, !index_trouble_.empty());
  if (!processing_) connection_.wake();
  return {};
}

std::error_code RedisStateSink::may_add() const noexcept {
  if (!can_write()) return portsync::Errc::not_open;
  if (room() == 0) return portsync::Errc::no_room;
  return {};
}

std::error_code RedisStateSink::put(const PortRecord& record, const PortRecord* stored, Revision revision) {
  if (const auto error = may_add()) return error;
  answers_.add(record.port, revision, false).unanswered = batch_.put(record, stored);
  return {};
}

std::error_code RedisStateSink::erase(std::string_view port, Revision revision) {
  if (const auto error = may_add()) return error;
  Answers::Row& erased = answers_.add(port, revision, true);
  erased.looks = batch_.looks();
  erased.unanswered = batch_.erase(port);
  return {};
}

std::error_code RedisStateSink::flush() {
  if (!can_write()) return portsync::Errc::not_open;
  const Batch::Layout layout = batch_.finish(connection_.commands(), !answers_.plain());
  answers_.on_batch_sent(layout, os::now());
  if (layout.rows + layout.index_commands > 0) {
    ++statistics_.batches;
    connection_.send();
  } else if (!processing_) {
    connection_.wake();  // rows without any command get a result too
  }
  return {};
}

void RedisStateSink::on_reply(const Reply& reply) {
  const Answers::Outcome outcome = answers_.on_reply(reply);
  if (!outcome.fits) return give_up();
  if (outcome.error) {
    if (ends_connection(static_cast<Errc>(outcome.error.value())))
      return connection_.close(outcome.error, outcome.text);
    if (!is_exec_abort(outcome.text)) connection_.note_error(outcome.error, outcome.text);
  }
  note_index(outcome);
  if (outcome.stuck) {
    connection_.commands().add({"DISCARD"});
    answers_.on_discard_sent();
  }
  if (outcome.batch_since) {
    const auto time = os::now() - *outcome.batch_since;
    connection_.note_round_trip(std::chrono::duration_cast<std::chrono::microseconds>(time));
  }
  if (outcome.is_read) (void)report_read_back(read_back_.on_reply(reply));
}

void RedisStateSink::note_index(const Answers::Outcome& outcome) {
  // A write that succeeds says nothing of the entries that were refused before. The read-back of all rows, which is
  // then due, compares them.
  if (outcome.index_refusal.empty()) return;
  batch_.suspend_index(true);
  index_trouble_ = connection_.shown(
      outcome.error, "the index cannot be kept, " + options_.table + ": " + std::string(outcome.index_refusal));
  connection_.note_error(outcome.error, index_trouble_);
}

// Stores the result of a read-back. A failed read-back does not change unread_rows_ and index_trouble_.
void RedisStateSink::note_read_back() {
  if (const std::error_code error = read_back_.error()) {
    error_text_ = connection_.shown(error, read_back_.error_text());
    return connection_.note_error(error, error_text_);
  }
  // A reading of some rows can find a trouble. Only a reading of all of them can find that there is none.
  const std::string& unread = read_back_.unread_rows();
  if (reading_all_ || !unread.empty()) unread_rows_ = connection_.shown(Errc::noperm, unread);
  const std::string& refusal = read_back_.index_refusal();
  if (!refusal.empty()) {
    batch_.suspend_index(true);
    index_trouble_ = connection_.shown(Errc::noperm, "the index cannot be kept, " + refusal);
  } else if (reading_all_ && !batch_.index_suspended()) {
    index_trouble_.clear();
  }
  if (!trouble().empty()) connection_.note_error(Errc::noperm, trouble());
}

const std::string& RedisStateSink::trouble() const noexcept {
  if (!unread_rows_.empty()) return unread_rows_;
  return index_trouble_.empty() ? connection_.late_writes() : index_trouble_;
}

void RedisStateSink::give_up() {
  connection_.close(Errc::protocol, "a reply that does not fit the command");
}

SinkStatistics RedisStateSink::statistics() const {
  SinkStatistics result = statistics_;
  const ConnectionStatistics& connection = connection_.statistics();
  result.commands = connection.commands;
  result.bytes_sent = connection.bytes_sent;
  result.opens = connection.opens;
  result.timeouts = connection.timeouts;
  result.round_trip = connection.round_trip;
  result.last_error = connection.last_error;
  result.index_failures = answers_.index_failures() + read_back_.index_failures();
  result.open = reported_open_;
  return result;
}

}  // namespace

std::unique_ptr<StateSink> make_state_sink(StateSinkOptions options) {
  return std::make_unique<RedisStateSink>(std::move(options));
}

}  // namespace portsync::redis
