// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace portsync::os {

// Blocks every signal of the calling thread while it lives. A thread that is made meanwhile inherits that: a signal
// meant for the program must not be taken by a thread that it knows nothing of.
class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

// A thread that runs one job at a time and sleeps between them. It is made by the first start() and ends after the
// object has gone; nobody ever waits for it. What Background<Result> stands on.
class BackgroundThread {
 public:
  struct Job {
    virtual ~Job() = default;
    virtual void run() noexcept = 0;
  };

  // Throws std::system_error (no descriptor).
  BackgroundThread();
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  // A job that was started goes on alone: the thread owns it and the state that the two share.
  ~BackgroundThread();

  // Not while another runs. Throws std::system_error (no thread); nothing has been started then.
  void start(std::unique_ptr<Job> job);
  // From start() to take().
  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] bool finished() const;
  // When finished.
  [[nodiscard]] std::unique_ptr<Job> take();
  // Readable when finished; the same for the object's life.
  [[nodiscard]] int fd() const noexcept;

 private:
  struct Shared;
  static void run_jobs(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;
  bool has_thread_ = false;
  bool running_ = false;
};

// Runs a function that may block for long (in the kernel, in DNS) beside the loop, one call at a time:
//
//   Background<std::error_code> background;      // watch background.fd()
//   background.start([socket] { return send_and_wait(*socket); });
//   …                                            // fd() is readable: the call has returned
//   const std::error_code error = background.take();
//
// A call that was started is made. Destroying the object does not wait for it: the thread keeps what the call has
// captured, and drops the result. So the function must own, or share, whatever it touches. What it has captured is
// destroyed, on the thread, before the call counts as finished. To be used by one thread.
template <typename Result>
class Background {
 public:
  // Not while another call runs. Throws std::system_error (no thread); then nothing runs.
  template <typename Work>
  void start(Work work) {
    thread_.start(std::make_unique<Call<Work>>(std::move(work)));
  }
  [[nodiscard]] bool running() const noexcept { return thread_.running(); }
  // The call has returned or thrown, and take() has not been called.
  [[nodiscard]] bool finished() const { return thread_.finished(); }
  // When finished: what the call returned. Throws what it threw.
  [[nodiscard]] Result take() {
    const std::unique_ptr<BackgroundThread::Job> job = thread_.take();
    auto& outcome = static_cast<Outcome&>(*job);
    if (outcome.error) std::rethrow_exception(outcome.error);
    return std::move(*outcome.result);
  }
  // Readable when finished; the same for the object's life.
  [[nodiscard]] int fd() const noexcept { return thread_.fd(); }

 private:
  struct Outcome : BackgroundThread::Job {
    std::optional<Result> result;
    std::exception_ptr error;
  };
  template <typename Work>
  struct Call final : Outcome {
    explicit Call(Work&& function) : work(std::move(function)) {}
    void run() noexcept override {
      try {
        this->result.emplace((*work)());
      } catch (...) {
        this->error = std::current_exception();
      }
      work.reset();
    }
    std::optional<Work> work;
  };

  BackgroundThread thread_;
};

}  // namespace portsync::os
