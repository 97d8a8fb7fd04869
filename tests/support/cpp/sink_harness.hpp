// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <portsync/state_sink.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace portsync::test {

// An object that a test drives in its own thread beside the object under test: a fake server, a proxy.
class Part {
 public:
  virtual ~Part() = default;
  virtual void watch(std::vector<pollfd>& watched) const = 0;
  // Does the work that can be done now. Never blocks.
  virtual void step() = 0;
};

// Stores the calls of a sink. The hooks run last, and may throw.
class RecordingObserver final : public StateSink::Observer {
 public:
  struct Result {
    std::string port;
    Revision revision = 0;
    std::error_code error;
  };
  using Fields = std::map<std::string, std::string>;

  void on_open() override {
    ++opens;
    open = true;
    if (when_open) when_open();
  }
  void on_row(const StoredRow& row) override {
    Fields fields;
    for (const auto& [name, value] : *row.fields) fields.emplace(name, value);
    if (!rows.emplace(row.port, std::move(fields)).second) ++rows_reported_twice;
    if (when_row) when_row();
  }
  void on_read_back(std::error_code error) override {
    ++read_backs;
    read_back = error;
    if (when_read_back) when_read_back();
  }
  void on_result(std::string_view port, Revision revision, std::error_code error) override {
    results.push_back({std::string(port), revision, error});
    if (when_result) when_result();
  }
  void on_closed(std::error_code error) override {
    ++closes;
    open = false;
    closed.push_back(error);
    if (when_closed) when_closed();
  }

  int opens = 0;
  int closes = 0;
  bool open = false;
  std::vector<std::error_code> closed;
  std::map<std::string, Fields> rows;
  int rows_reported_twice = 0;
  int read_backs = 0;
  std::error_code read_back;
  std::vector<Result> results;
  std::function<void()> when_open, when_row, when_read_back, when_result, when_closed;
};

// Drives a sink, and the parts beside it, until a condition holds. Never only sleeps.
class SinkHarness {
 public:
  static constexpr std::chrono::milliseconds patience{5000};

  explicit SinkHarness(std::unique_ptr<StateSink> driven, std::vector<Part*> beside = {})
      : sink(std::move(driven)), parts(std::move(beside)) {}

  void start() {
    if (sink->start(observer)) throw std::runtime_error("start");
  }

  // Runs until the condition holds. Returns false if it does not within the limit.
  bool run(const std::function<bool()>& until, std::chrono::milliseconds limit = patience) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!until()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      std::vector<pollfd> watched{{sink->fd(), POLLIN, 0}};
      for (const Part* part : parts) part->watch(watched);
      // 20 ms: `until` may query a server whose state no descriptor reports.
      ::poll(watched.data(), watched.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 20)));
      // The parts first. Otherwise, after a pause of this whole process, the sink would treat a part as late although
      // the part did not run.
      for (Part* part : parts) part->step();
      if (watched.front().revents == 0) continue;
      ++wakeups;
      if (const auto error = sink->process()) throw std::system_error(error, "process");
    }
    return true;
  }
  // Runs for this time.
  void run_for(std::chrono::milliseconds time) {
    (void)run([] { return false; }, time);
  }

  bool run_until_open(int times = 1) {
    return run([&] { return observer.opens >= times && observer.open; });
  }
  bool run_until_closed(int times = 1) {
    return run([&] { return observer.closes >= times; });
  }
  bool run_until_results(std::size_t count) {
    return run([&] { return observer.results.size() >= count; });
  }
  // Starts a read-back and runs until it has ended.
  bool read_back(Scope scope = Scope::all, const std::vector<std::string_view>& ports = {}) {
    observer.rows.clear();
    const int before = observer.read_backs;
    if (sink->read_back(scope, ports)) return false;
    return run([&] { return observer.read_backs > before; });
  }

  RecordingObserver observer;
  std::unique_ptr<StateSink> sink;
  std::vector<Part*> parts;
  std::uint64_t wakeups = 0;
  Revision revision = 0;  // the latest revision that store() or erase() used
};

}  // namespace portsync::test
