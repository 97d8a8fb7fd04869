// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <portsync/json_lines_sink.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <deque>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "os/event_set.hpp"
#include "os/file.hpp"
#include "os/process_guard.hpp"
#include "os/socket.hpp"

namespace portsync {
namespace {

constexpr std::size_t most_unanswered = 1024;
constexpr std::uint32_t output_id = 1;

// A name may contain any bytes, but JSON must be valid UTF-8: other bytes are replaced.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_regular_file(int fd) {
  struct stat status {};
  if (os::fstat(fd, &status) < 0) throw std::system_error(errno, std::system_category(), "JSON lines descriptor");
  return S_ISREG(status.st_mode);
}

// A terminal that polls as writable may take one byte and block for the rest. So it is opened anew, non-blocking.
os::Descriptor own_terminal(int fd) {
  if (!os::isatty(fd)) return {};
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return os::Descriptor(os::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

// Returns true for an error that may pass: the file system is full, the quota is used up, or the file has its maximum
// size. The descriptor is intact, and space may be freed.
bool has_no_room(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG || error == ENOBUFS || error == ENOMEM;
}

// Lines wait in one buffer. A row is acknowledged when the descriptor has taken the last byte of its line. When there
// is no space, every waiting row is refused with the error. The caller tries again, with the row's state at that time.
//
// The descriptor is borrowed and may be shared, so it is not made non-blocking. A write of at most PIPE_BUF bytes to a
// pipe or socket that polls as writable does not block, and a write to a file never blocks for long. Such a write ends
// at the end of a line where possible, so that a program that ends between two writes leaves whole lines.
class JsonLinesSink final : public StateSink {
 public:
  explicit JsonLinesSink(const JsonLinesOptions& options)
      : options_(options),
        is_file_(is_regular_file(options.fd)),
        terminal_(own_terminal(options.fd)),
        output_(terminal_ ? terminal_.get() : options.fd) {}

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }

  [[nodiscard]] std::error_code process() override {
    const os::ProcessGuard guard(processing_);
    epoll_event ready[os::EventSet::max_events];
    events_.poll(ready);
    if (observer_ == nullptr) return Errc::not_started;
    if (closed_) return {};
    if (!std::exchange(statistics_.open, true)) {
      ++statistics_.opens;
      observer_->on_open();
    }
    try {
      write_out();
      answer();
      refuse();
      if (gone_) close();
    } catch (...) {
      events_.arm(os::now());  // the next call delivers the remaining results
      throw;
    }
    return {};
  }

  [[nodiscard]] std::error_code start(Observer& observer) override {
    if (observer_ != nullptr) return Errc::already_started;
    observer_ = &observer;
    events_.arm(os::now());
    return {};
  }

  [[nodiscard]] std::error_code read_back(Scope, const std::vector<std::string_view>&) override {
    return Errc::not_supported;
  }

  [[nodiscard]] std::error_code put(const PortRecord& record, const PortRecord*, Revision revision) override {
    if (const std::error_code error = ready_for_row()) return error;
    begin_line();
    buffer_ += R"({"event":"put","port":)" + json_text(record.port);
    for (const Field& field : record.fields) {
      buffer_ += ",\"";
      buffer_ += field.name;
      buffer_ += "\":";
      buffer_ += field.value;
    }
    end_line(record.port, revision);
    return {};
  }

  [[nodiscard]] std::error_code erase(std::string_view port, Revision revision) override {
    if (const std::error_code error = ready_for_row()) return error;
    begin_line();
    buffer_ += R"({"event":"erase","port":)" + json_text(port);
    end_line(port, revision);
    return {};
  }

  [[nodiscard]] std::error_code flush() override {
    if (!statistics_.open) return Errc::not_open;
    ++statistics_.batches;
    write_out();
    if (written_ > 0 || full_ || gone_) events_.arm(os::now());  // process() delivers the results
    return {};
  }

  [[nodiscard]] std::size_t room() const noexcept override {
    return buffer_.size() > options_.max_buffered_bytes ? 0 : most_unanswered - std::min(most_unanswered, rows_.size());
  }

  [[nodiscard]] SinkStatistics statistics() const override { return statistics_; }

 private:
  struct Row {
    std::string port;
    Revision revision;
    std::size_t bytes;  // of its line
  };

  [[nodiscard]] std::error_code ready_for_row() const {
    if (!statistics_.open) return Errc::not_open;
    return room() == 0 ? make_error_code(Errc::no_room) : std::error_code{};
  }

  void begin_line() {
    if (owes_feed_ && rows_.empty()) buffer_ += '\n';
  }

  void end_line(std::string_view port, Revision revision) {
    buffer_ += "}\n";
    ++statistics_.commands;
    rows_.push_back({std::string(port), revision, buffer_.size() - line_start_});
    line_start_ = buffer_.size();
  }

  [[nodiscard]] bool writable() const {
    pollfd poll_fd{output_, POLLOUT, 0};
    return is_file_ || (os::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLOUT | POLLERR | POLLHUP)) != 0);
  }

  // Returns at most PIPE_BUF waiting bytes, up to the end of a line, or part of a line that is longer than that.
  [[nodiscard]] std::string_view next_piece(std::size_t sent) const {
    const std::string_view piece = std::string_view(buffer_).substr(sent, PIPE_BUF);
    const std::size_t end = piece.rfind('\n');
    return end == std::string_view::npos ? piece : piece.substr(0, end + 1);
  }

  void write_out() {
    if (full_ || gone_) return;
    std::size_t sent = 0;
    while (sent < buffer_.size() && !full_ && !gone_ && writable()) {
      const std::string_view piece = next_piece(sent);
      const ssize_t count = os::write(output_, piece.data(), piece.size());
      if (count >= 0) {
        sent += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR) {
        std::error_code& trouble = has_no_room(errno) ? full_ : gone_;
        trouble = {errno, std::system_category()};
        statistics_.last_error = trouble.message();
      }
    }
    buffer_.erase(0, sent);
    line_start_ = buffer_.size();
    written_ += sent;
    statistics_.bytes_sent += sent;
    if (!rows_.empty() && written_ >= rows_.front().bytes) owes_feed_ = false;
    if (full_) take_back_part_of_a_line();
    wait_for_room(!buffer_.empty() && !full_ && !gone_);
  }

  // Watches the descriptor only while something waits for it.
  void wait_for_room(bool wanted) {
    if (wanted == watching_) return;
    if (wanted) {
      events_.add(output_, EPOLLOUT, output_id);
    } else {
      events_.remove(output_);
    }
    watching_ = wanted;
  }

  // Discards the waiting lines, because the caller offers a row's newest state again.
  void refuse() {
    if (full_) {
      refusal_ = std::exchange(full_, {});
      buffer_.clear();
      line_start_ = 0;
      std::move(rows_.begin(), rows_.end(), std::back_inserter(refused_));
      rows_.clear();
    }
    while (!refused_.empty()) {
      const Row row = std::move(refused_.front());
      refused_.pop_front();
      observer_->on_result(row.port, row.revision, refusal_);
    }
  }

  // Removes the first bytes of a line that did not fit, so that the file ends with a whole line again, and does so
  // before a reader is likely to see them. This fails if another program has written behind them, or if the output is
  // no regular file. Then a line feed is owed, unless it is all that was written.
  void take_back_part_of_a_line() {
    std::size_t part = written_;
    for (const Row& row : rows_) {
      if (part < row.bytes) break;
      part -= row.bytes;
    }
    if (part == 0) return;
    written_ -= part;
    const auto size = static_cast<off_t>(part);
    const off_t end = is_file_ ? os::lseek(output_, 0, SEEK_CUR) : -1;
    struct stat status {};
    const bool is_last = end >= size && os::fstat(output_, &status) == 0 && status.st_size == end;
    if (is_last && os::ftruncate(output_, end - size) == 0 && os::lseek(output_, end - size, SEEK_SET) >= 0) return;
    owes_feed_ = !(owes_feed_ && part == 1);  // the line feed alone was written
  }

  void close() {
    closed_ = true;
    statistics_.open = false;
    rows_.clear();
    buffer_.clear();
    observer_->on_closed(gone_);
  }

  void answer() {
    while (!rows_.empty() && written_ >= rows_.front().bytes) {
      const Row row = std::move(rows_.front());
      rows_.pop_front();
      written_ -= row.bytes;
      observer_->on_result(row.port, row.revision, {});
    }
  }

  JsonLinesOptions options_;
  bool is_file_;
  os::Descriptor terminal_;
  int output_;
  os::EventSet events_;
  Observer* observer_ = nullptr;
  std::string buffer_;
  std::deque<Row> rows_;        // not acknowledged yet
  std::deque<Row> refused_;     // not acknowledged either, and their lines are discarded
  std::error_code refusal_;     // why
  std::size_t line_start_ = 0;  // in buffer_
  std::size_t written_ = 0;     // bytes of rows_ that the descriptor has taken
  std::error_code full_;        // why the descriptor takes nothing now; the waiting rows have not been refused yet
  std::error_code gone_;        // why the descriptor will take nothing any more
  SinkStatistics statistics_;
  // The output ended in the middle of a line before the line of rows_.front(), which therefore begins with a line feed.
  bool owes_feed_ = false;
  bool closed_ = false;  // and on_closed() was called
  bool watching_ = false;
  os::ProcessFlag processing_;
};

template <typename Integer>
std::string number(const std::optional<Integer>& value) {
  return value ? std::to_string(*value) : "null";
}

std::string names(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const std::string& value : values) text += (text.size() > 1 ? "," : "") + json_text(value);
  return text + "]";
}

}  // namespace

std::unique_ptr<StateSink> make_json_lines_sink(const JsonLinesOptions& options) {
  return std::make_unique<JsonLinesSink>(options);
}

Projection json_lines_projection() {
  return [](const LinkState& link, PortRecord& record) {
    record.port = link.name;
    record.fields = {
        {"ifindex", std::to_string(link.ifindex)},
        {"admin_status", json_text(up_or_down(link.admin_up()))},
        {"netdev_oper_status", json_text(up_or_down(link.running()))},
        {"lower_up", link.lower_up() ? "true" : "false"},
        {"operstate", json_text(to_string(link.operstate))},
        {"flags", std::to_string(link.flags)},
        {"mtu", number(link.mtu)},
        {"carrier_changes", number(link.carrier_changes)},
        {"carrier_up_count", number(link.carrier_up_count)},
        {"carrier_down_count", number(link.carrier_down_count)},
        {"address", json_text(to_string(link.address))},
        {"master", std::to_string(link.master)},
        {"parent", std::to_string(link.parent)},
        {"parent_netnsid", number(link.parent_netnsid)},
        {"kind", json_text(link.kind)},
        {"slave_kind", json_text(link.slave_kind)},
        {"phys_port_name", json_text(link.phys_port_name)},
        {"alternative_names", names(link.alternative_names)},
    };
  };
}

}  // namespace portsync
