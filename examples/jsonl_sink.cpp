// SPDX-License-Identifier: Apache-2.0
// A complete StateSink in one file: rows as lines of JSON on standard output, for a reader that may be slow.
//
//   g++ -std=c++17 jsonl_sink.cpp -o jsonl_sink $(pkg-config --cflags --libs portsync)
//   ./jsonl_sink | jq -c .
//
// If a function per row is enough, use make_callback_sink(), which is less work. This sink has to wait for its reader.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <portsync/netlink/link_source.hpp>
#include <portsync/synchronizer.hpp>
#include <string>

#include "run.hpp"

using namespace portsync;

class LineSink final : public StateSink {
 public:
  ~LineSink() override {
    ::close(wake_);
    ::close(epoll_);
  }

  // The descriptor never changes. It is readable when there is something to do and when the reader has room again.
  int fd() const noexcept override { return epoll_; }

  std::error_code start(Observer& observer) override {
    if (observer_ != nullptr) return Errc::already_started;
    observer_ = &observer;
    epoll_event event{EPOLLIN, {}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
    return wake();
  }

  // The only function that calls the observer. It never blocks and does a bounded amount of work.
  std::error_code process() override {
    if (observer_ == nullptr) return Errc::not_started;
    eventfd_t ignored = 0;
    ::eventfd_read(wake_, &ignored);
    if (!std::exchange(statistics_.open, true)) observer_->on_open();
    for (int lines = 0; !rows_.empty() && writable(); ++lines) {
      if (lines == 100) return wake();
      if (::write(STDOUT_FILENO, rows_.front().line.data(), rows_.front().line.size()) < 0) {
        if (errno == EINTR) continue;
        return {errno, std::system_category()};  // final: the reader is gone
      }
      const Row row = std::move(rows_.front());
      rows_.pop_front();
      observer_->on_result(row.port, row.revision, {});
    }
    // Watch standard output only while rows wait. epoll refuses a regular file, which is always writable.
    epoll_event event{EPOLLOUT, {}};
    ::epoll_ctl(epoll_, rows_.empty() ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, STDOUT_FILENO, &event);
    return {};
  }

  // Collects rows; only process() writes them out.
  std::error_code put(const PortRecord& record, const PortRecord*, Revision revision) override {
    std::string members;
    for (const Field& field : record.fields) members += ",\"" + std::string(field.name) + "\":" + field.value;
    return add(record.port, members, revision);
  }
  std::error_code erase(std::string_view port, Revision revision) override {
    return add(port, ",\"removed\":true", revision);
  }
  std::error_code flush() override { return wake(); }
  std::size_t room() const noexcept override { return 1000 - rows_.size(); }

  std::error_code read_back(Scope, const std::vector<std::string_view>&) override { return Errc::not_supported; }
  SinkStatistics statistics() const override { return statistics_; }

 private:
  struct Row {
    std::string port, line;
    Revision revision;
  };
  std::error_code add(std::string_view port, const std::string& members, Revision revision) {
    if (!statistics_.open) return Errc::not_open;
    if (room() == 0) return Errc::no_room;
    std::string line = "{\"port\":\"";
    for (const char c : port) (c == '"' || c == '\\' ? line += '\\' : line) += c;
    rows_.push_back({std::string(port), line + '"' + members + "}\n", revision});
    return {};
  }
  std::error_code wake() { return ::eventfd_write(wake_, 1), std::error_code{}; }
  // A line is shorter than PIPE_BUF, so a writable pipe accepts it whole, even if the descriptor is a blocking one.
  static bool writable() {
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    return ::poll(&output, 1, 0) > 0;
  }

  const int epoll_ = ::epoll_create1(EPOLL_CLOEXEC), wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Observer* observer_ = nullptr;
  std::deque<Row> rows_;  // not written yet
  SinkStatistics statistics_;
};

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  const auto source = netlink::make_link_source();
  LineSink sink;
  Synchronizer synchronizer(*source, {});
  const Projection values_are_json = [](const LinkState& link, PortRecord& record) {
    record.port = link.name;
    record.fields = {{"up", link.running() ? "true" : "false"}, {"mtu", std::to_string(link.mtu.value_or(0))}};
  };
  synchronizer.set_listener([](const SyncEvent& event) {  // other sinks, if there were any, would continue
    if (event.kind == SyncEvent::Kind::sink_closed) std::exit(1);
  });
  synchronizer.add_sink(sink, values_are_json, "lines");
  return run(synchronizer, synchronizer.start());
}
