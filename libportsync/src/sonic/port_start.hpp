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

// A start, from the first connection until links pass: which databases are read and when, what is set down, what is
// written and in which order. Each function is one event; it returns what the caller has to do, in that order. Pure:
// the time and every answer are arguments.
//
//   reading ──all read──► setting_down ──► writing_ports ──► writing_config_done ──► writing_restore_count ──► running
//      ▲                       │                │                    │                        │
//      └── a refusal, or a connection that was lost or opened ───────┴────────────────────────┘      stop(): ended
//
// The writing phases that have nothing to write are passed over.
class PortStart {
 public:
  enum class Phase : std::uint8_t {
    reading,                // of the databases, and of the first snapshot of the links
    setting_down,           // what a stopped swss has left behind
    writing_ports,          // into APPL_DB
    writing_config_done,    // PortConfigDone
    writing_restore_count,  // into STATE_DB
    running,                // links pass
    ended,                  // nothing is read or written any more
  };
  enum class Source : std::uint8_t { config_db, appl_db, state_db };
  enum class Task : std::uint8_t {
    read_initialized,  // CONFIG_DB_INITIALIZED: on_initialized() or on_not_initialized()
    read_ports,        // of CONFIG_DB: on_config()
    read_appl,         // on_loader_found() or on_no_loader(), on_config_done(), on_init_done(), then on_appl()
    read_state,        // on_state()
    report_started,    // decision() is made; list what it says is to be set down
    set_down,          // some of it; on_all_down() when nothing is left
    write_ports,       // these three: on_written()
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

  // A database can be read. Nothing that was read of any of them, or written, is known to hold.
  [[nodiscard]] Tasks on_open(Source source, TimePoint now);
  [[nodiscard]] Tasks on_closed(Source source, TimePoint now);
  // The first snapshot of the links is complete.
  [[nodiscard]] Tasks on_snapshot(TimePoint now);
  [[nodiscard]] Tasks on_not_initialized(TimePoint now);
  [[nodiscard]] Tasks on_initialized();
  [[nodiscard]] Tasks on_config(bool dpu, std::size_t ports, TimePoint now);
  // The oldest client of APPL_DB that loads ports is another one than ours.
  [[nodiscard]] Tasks on_loader_found(const std::string& name, TimePoint now);
  void on_no_loader();
  // PortConfigDone, in either form, in the server process of this run_id.
  [[nodiscard]] Tasks on_config_done(bool there, const std::string& run_id);
  void on_init_done(bool there) { evidence_.port_init_done = there; }
  // All of APPL_DB was read.
  [[nodiscard]] Tasks on_appl(TimePoint now);
  [[nodiscard]] Tasks on_state(bool warm_enabled, std::optional<std::string> restore_count, TimePoint now);
  [[nodiscard]] Tasks on_all_down();
  // What the phase writes is acknowledged, by the server process of this run_id.
  [[nodiscard]] Tasks on_written(const std::string& run_id);
  // A read or a write was refused by a database that is open: the start begins again after a pause.
  void on_refused(TimePoint now) { try_again(now, poll_interval_); }
  [[nodiscard]] Tasks on_time(TimePoint now);
  void stop();

  // When on_time() has something to do; std::nullopt: not before another event.
  [[nodiscard]] std::optional<TimePoint> deadline() const;

  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  // Answers to what an earlier attempt asked for are of no use.
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
  std::optional<std::string> restore_count_;  // as this start has, or may have, written it
  SeenServer seen_;
  std::string another_loader_;
  std::optional<TimePoint> another_loader_since_;
  bool snapshot_ = false;
  bool uninitialized_ = false;  // CONFIG_DB said so
  bool started_ = false;        // and reported
  bool server_was_restarted_ = false;
};

}  // namespace portsync::sonic
