// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace portsync::os {

// Blocks every signal of the calling thread during its lifetime. A thread created meanwhile inherits the mask, so that
// it never takes a signal meant for the program.
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

// A thread that runs one job at a time and sleeps between them. The first start() creates it, and it ends after the
// object is gone. Nothing ever waits for it. Background<Result> is built on it.
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
  // A running job continues: the thread owns it and the state that thread and object share.
  ~BackgroundThread();

  // Starts a job. Must not be called while another runs. Throws std::system_error (no thread); then nothing was
  // started.
  void start(std::unique_ptr<Job> job);
  // Returns true from start() to take().
  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] bool finished() const;
  // Returns the job. Call it when finished() is true.
  [[nodiscard]] std::unique_ptr<Job> take();
  // Returns a descriptor that is readable when the job has finished; the same for the object's life.
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
// Every started call is completed. Destroying the object does not wait for it: the thread keeps the captures of the
// function and drops the result. So the function must own or share whatever it touches. Its captures are destroyed, on
// the thread, before the call counts as finished. Only one thread may use the object.
template <typename Result>
class Background {
 public:
  // Starts a call. Must not be called while another runs. Throws std::system_error (no thread); then nothing runs.
  template <typename Work>
  void start(Work work) {
    thread_.start(std::make_unique<Call<Work>>(std::move(work)));
  }
  [[nodiscard]] bool running() const noexcept { return thread_.running(); }
  // Returns true when the call has returned or thrown, and take() has not been called.
  [[nodiscard]] bool finished() const { return thread_.finished(); }
  // Returns the result of the call, or throws what it threw. Call it when finished() is true.
  [[nodiscard]] Result take() {
    const std::unique_ptr<BackgroundThread::Job> job = thread_.take();
    auto& outcome = static_cast<Outcome&>(*job);
    if (outcome.error) std::rethrow_exception(outcome.error);
    return std::move(*outcome.result);
  }
  // Returns a descriptor that is readable when the call has finished; the same for the object's life.
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
