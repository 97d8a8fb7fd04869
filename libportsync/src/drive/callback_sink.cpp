// SPDX-License-Identifier: Apache-2.0
#include <deque>
#include <portsync/state_sink.hpp>
#include <utility>
#include <vector>

#include "os/event_set.hpp"
#include "os/process_guard.hpp"

namespace portsync {
namespace {

constexpr std::size_t most_unanswered = 1024;

// Passes rows to the functions at once. As in every sink, process() delivers the results.
class CallbackSink final : public StateSink {
 public:
  CallbackSink(std::function<std::error_code(const PortRecord&)> put,
               std::function<std::error_code(std::string_view)> erase)
      : put_(std::move(put)), erase_(std::move(erase)) {}

  [[nodiscard]] int fd() const noexcept override { return events_.fd(); }

  [[nodiscard]] std::error_code process() override {
    const os::ProcessGuard guard(processing_);
    epoll_event ready[os::EventSet::max_events];
    events_.poll(ready);
    if (observer_ == nullptr) return Errc::not_started;
    if (!std::exchange(statistics_.open, true)) {
      ++statistics_.opens;
      observer_->on_open();
    }
    try {
      answer();
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
    add_result(record.port, revision, put_(record));
    return {};
  }

  [[nodiscard]] std::error_code erase(std::string_view port, Revision revision) override {
    if (const std::error_code error = ready_for_row()) return error;
    add_result(port, revision, erase_(port));
    return {};
  }

  [[nodiscard]] std::error_code flush() override {
    if (!statistics_.open) return Errc::not_open;
    ++statistics_.batches;
    events_.arm(os::now());
    return {};
  }

  [[nodiscard]] std::size_t room() const noexcept override { return most_unanswered - results_.size(); }

  [[nodiscard]] SinkStatistics statistics() const override { return statistics_; }

 private:
  struct Result {
    std::string port;
    Revision revision;
    std::error_code error;
  };

  void answer() {
    while (!results_.empty()) {
      const Result result = std::move(results_.front());
      results_.pop_front();
      observer_->on_result(result.port, result.revision, result.error);
    }
  }

  [[nodiscard]] std::error_code ready_for_row() const {
    if (!statistics_.open) return Errc::not_open;
    return room() == 0 ? make_error_code(Errc::no_room) : std::error_code{};
  }

  void add_result(std::string_view port, Revision revision, std::error_code error) {
    ++statistics_.commands;
    if (error) {
      ++statistics_.refused;
      statistics_.last_error = error.message();
    }
    results_.push_back({std::string(port), revision, error});
  }

  std::function<std::error_code(const PortRecord&)> put_;
  std::function<std::error_code(std::string_view)> erase_;
  os::EventSet events_;
  Observer* observer_ = nullptr;
  std::deque<Result> results_;
  SinkStatistics statistics_;
  os::ProcessFlag processing_;
};

}  // namespace

std::unique_ptr<StateSink> make_callback_sink(std::function<std::error_code(const PortRecord&)> put,
                                              std::function<std::error_code(std::string_view)> erase) {
  return std::make_unique<CallbackSink>(std::move(put), std::move(erase));
}

}  // namespace portsync
