// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <portsync/pollable.hpp>
#include <string>
#include <vector>

#include "sonic/seen_server.hpp"
#include "sonic/start_decision.hpp"

namespace portsync::sonic {

// Decides the course of a start, from the first connection until links pass: which databases are read and when, which
// links are set down, and what is written in which order. Each function is one event. It returns the caller's tasks in
// the order in which the caller must do them. Pure: the time and every reply are arguments.
//
//   reading ──all read──► setting_down ──► writing_ports ──► writing_config_done ──► writing_restore_count ──► running
//      ▲                       │                │                    │                        │
//      └── a refusal, or a connection that was lost or opened ───────┴────────────────────────┘      stop(): ended
//
// The start skips a writing phase that has nothing to write.
class PortStart {
 public:
  enum class Phase : std::uint8_t {
    reading,                // reads the databases, and waits for the first snapshot of the links
    setting_down,           // sets down the links that a stopped swss left behind
    writing_ports,          // writes the ports into APPL_DB
    writing_config_done,    // writes PortConfigDone
    writing_restore_count,  // writes the count into STATE_DB
    running,                // links pass
    ended,                  // reads and writes nothing any more
  };
  enum class Source : std::uint8_t { config_db, appl_db, state_db };
  enum class Task : std::uint8_t {
    read_initialized,  // CONFIG_DB_INITIALIZED: on_initialized() or on_not_initialized()
    read_ports,        // those of CONFIG_DB: on_config()
    read_appl,         // on_loader_found() or on_no_loader(), on_config_done(), on_init_done(), then on_appl()
    read_state,        // on_state()
    report_started,    // decision() is made; collect the links to set down
    set_down,          // set down the next link; on_all_down() if none is left
    write_ports,       // this and the next two: on_written()
    write_config_done,
    write_restore_count,
    run,                 // links pass
    end_data_lost,       // APPL_DB's server was restarted and PortConfigDone is gone
    end_another_loader,  // another_loader()
  };
  using Tasks = std::vector<Task>;
  // What a start waits for.
  enum class Wait : std::uint8_t { nothing, loader, initialized, config_db, links, appl_db, state_db, writes };

  // `poll_interval`: the pause after a refusal, and while another loader is there.
  explicit PortStart(std::chrono::milliseconds poll_interval) : poll_interval_(poll_interval) {}

  // A database is open. All that was read or written before, in any database, may be out of date.
  [[nodiscard]] Tasks on_open(Source source, TimePoint now);
  [[nodiscard]] Tasks on_closed(Source source, TimePoint now);
  // The first snapshot of the links is complete.
  [[nodiscard]] Tasks on_snapshot(TimePoint now);
  [[nodiscard]] Tasks on_not_initialized(TimePoint now);
  [[nodiscard]] Tasks on_initialized();
  [[nodiscard]] Tasks on_config(bool dpu, std::size_t ports, TimePoint now);
  // The oldest client of APPL_DB that loads ports is not ours.
  [[nodiscard]] Tasks on_loader_found(const std::string& name, TimePoint now);
  void on_no_loader();
  // Whether PortConfigDone, published or staged, is in the server process of this run_id.
  [[nodiscard]] Tasks on_config_done(bool there, const std::string& run_id);
  void on_init_done(bool there) { evidence_.port_init_done = there; }
  // All of APPL_DB was read.
  [[nodiscard]] Tasks on_appl(TimePoint now);
  [[nodiscard]] Tasks on_state(bool warm_enabled, std::optional<std::string> restore_count, TimePoint now);
  [[nodiscard]] Tasks on_all_down();
  // The server process of this run_id has acknowledged the writes of the current phase.
  [[nodiscard]] Tasks on_written(const std::string& run_id);
  // An open database refused a read or a write. The start begins again after a pause.
  void on_refused(TimePoint now) { try_again(now, poll_interval_); }
  [[nodiscard]] Tasks on_time(TimePoint now);
  void stop();

  // Returns when to call on_time(); std::nullopt: not before another event.
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  // Returns the number of the current attempt. The caller ignores replies to requests of an earlier one.
  [[nodiscard]] std::uint64_t attempt() const noexcept { return attempt_; }
  [[nodiscard]] Wait waits_for() const noexcept;
  [[nodiscard]] const Decision& decision() const noexcept { return decision_; }
  [[nodiscard]] const std::string& another_loader() const noexcept { return another_loader_; }
  [[nodiscard]] const SeenServer& seen() const noexcept { return seen_; }
  // PortConfigDone was seen in one server process, and then in another: the server was restarted with its data.
  [[nodiscard]] bool server_was_restarted() const noexcept { return server_was_restarted_; }

 private:
  enum class Reading : std::uint8_t { closed, open, asking, done };

  [[nodiscard]] Reading& reading(Source source) { return readings_.at(static_cast<std::size_t>(source)); }
  [[nodiscard]] Reading reading(Source source) const { return readings_.at(static_cast<std::size_t>(source)); }
  [[nodiscard]] bool before_running() const { return phase_ != Phase::running && phase_ != Phase::ended; }
  void begin_again();
  void try_again(TimePoint now, std::chrono::milliseconds pause);
  Tasks read_what_is_due(TimePoint now);
  void ask(Source source, Task task, Tasks& tasks);
  void decide_start(Tasks& tasks);
  Tasks enter(Phase phase, Task task);
  Tasks write_config_done() { return enter(Phase::writing_config_done, Task::write_config_done); }
  Tasks write_restore_count();
  Tasks end(Task task);

  const std::chrono::milliseconds poll_interval_;
  Phase phase_ = Phase::reading;
  std::uint64_t attempt_ = 0;
  std::array<Reading, 3> readings_{};
  std::optional<TimePoint> poll_at_;
  std::size_t ports_ = 0;
  Evidence evidence_;
  Decision decision_;
  std::optional<std::string> restore_count_;  // the count that this start has, or may have, written
  SeenServer seen_;
  std::string another_loader_;
  std::optional<TimePoint> another_loader_since_;
  bool snapshot_ = false;
  bool uninitialized_ = false;  // CONFIG_DB's latest reply was on_not_initialized()
  bool started_ = false;        // and report_started was returned
  bool server_was_restarted_ = false;
};

}  // namespace portsync::sonic
