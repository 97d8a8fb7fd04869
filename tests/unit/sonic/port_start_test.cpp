// SPDX-License-Identifier: Apache-2.0
// Every transition of a start, without a database.
#define BOOST_TEST_MODULE port_start
#include "sonic/port_start.hpp"

#include <boost/test/unit_test.hpp>
#include <ostream>
#include <string>
#include <vector>

using namespace portsync;
using namespace portsync::sonic;
using namespace std::chrono_literals;

namespace portsync::sonic {

std::ostream& operator<<(std::ostream& out, PortStart::Phase phase) {
  return out << "phase " << static_cast<int>(phase);
}
std::ostream& operator<<(std::ostream& out, PortStart::Wait wait) {
  return out << "wait " << static_cast<int>(wait);
}

std::ostream& operator<<(std::ostream& out, const PortStart::Tasks& tasks) {
  for (const PortStart::Task task : tasks) out << "task " << static_cast<int>(task) << ' ';
  return out;
}

}  // namespace portsync::sonic

namespace {

using Phase = PortStart::Phase;
using Source = PortStart::Source;
using Task = PortStart::Task;
using Tasks = PortStart::Tasks;
using Wait = PortStart::Wait;

constexpr std::chrono::milliseconds interval = 1'000ms;
constexpr Source sources[] = {Source::config_db, Source::appl_db, Source::state_db};
constexpr Phase before_running[] = {Phase::reading, Phase::setting_down, Phase::writing_ports,
                                    Phase::writing_config_done, Phase::writing_restore_count};
constexpr Phase all_phases[] = {
    Phase::reading, Phase::setting_down, Phase::writing_ports, Phase::writing_config_done, Phase::writing_restore_count,
    Phase::running};

struct Fixture {
  PortStart start{interval};
  TimePoint now{1h};

  // The default contents of the databases.
  bool config_done = false;
  bool init_done = false;
  bool warm = false;
  bool dpu = false;
  std::size_t ports = 2;
  std::optional<std::string> restore_count;
  std::string run_id = "a";

  void open_all() {
    for (const Source source : sources) (void)start.on_open(source, now);
  }
  Tasks read_config() {
    (void)start.on_initialized();
    return start.on_config(dpu, ports, now);
  }
  Tasks read_appl() {
    if (const Tasks tasks = start.on_config_done(config_done, run_id); !tasks.empty()) return tasks;
    start.on_init_done(init_done);
    return start.on_appl(now);
  }
  Tasks read_state() { return start.on_state(warm, restore_count, now); }
  // Returns the tasks after the last reply.
  Tasks read_all() {
    open_all();
    (void)start.on_snapshot(now);
    (void)read_config();
    (void)read_appl();
    return read_state();
  }
  // Advances a cold start that writes everything to this phase.
  void go_to(Phase phase) {
    if (phase == Phase::reading) return;
    (void)read_all();
    if (phase == Phase::setting_down) return;
    (void)start.on_all_down();
    while (start.phase() != phase) (void)start.on_written(run_id);
  }
  void go_to_end() {
    while (start.phase() != Phase::running) (void)start.on_written(run_id);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_cold_start_reads_sets_down_and_writes_in_this_order, Fixture) {
  BOOST_TEST(start.on_time(now) == Tasks{});
  BOOST_TEST(start.on_open(Source::appl_db, now) == Tasks{});
  BOOST_TEST(start.on_open(Source::state_db, now) == Tasks{});
  BOOST_TEST(start.on_open(Source::config_db, now) == Tasks{Task::read_initialized});
  BOOST_TEST(start.on_time(now) == Tasks{});  // requested once only
  BOOST_TEST(start.on_initialized() == Tasks{Task::read_ports});
  // APPL_DB is read later. Otherwise its contents would be out of date when the links are known.
  BOOST_TEST(start.on_config(false, 2, now) == Tasks{});
  BOOST_TEST(start.on_snapshot(now) == (Tasks{Task::read_appl, Task::read_state}));
  BOOST_TEST(start.on_config_done(false, "a") == Tasks{});
  BOOST_TEST(start.on_appl(now) == Tasks{});
  BOOST_TEST(start.phase() == Phase::reading);
  BOOST_TEST(start.on_state(false, std::nullopt, now) == (Tasks{Task::report_started, Task::set_down}));
  BOOST_TEST(start.phase() == Phase::setting_down);
  BOOST_TEST(start.decision().set_leftovers_down);
  BOOST_TEST(!start.deadline().has_value());  // the end of setting down is an event
  BOOST_TEST(start.on_time(now) == Tasks{});
  BOOST_TEST(start.on_all_down() == Tasks{Task::write_ports});
  BOOST_TEST(start.phase() == Phase::writing_ports);
  BOOST_TEST(!start.seen().known());
  BOOST_TEST(start.on_written("a") == Tasks{Task::write_config_done});
  BOOST_TEST(start.phase() == Phase::writing_config_done);
  BOOST_TEST(!start.seen().known());  // not before the acknowledgement
  BOOST_TEST(start.on_written("a") == Tasks{Task::write_restore_count});
  BOOST_TEST(start.seen().is_another("b"));
  BOOST_TEST(start.on_written("a") == Tasks{Task::run});
  BOOST_TEST(start.phase() == Phase::running);
  BOOST_TEST(start.on_written("a") == Tasks{});
  BOOST_TEST(start.on_time(now + 1h) == Tasks{});
  BOOST_TEST(!start.deadline().has_value());
}

BOOST_FIXTURE_TEST_CASE(what_there_is_nothing_to_write_of_is_passed_over, Fixture) {
  ports = 0;
  restore_count = "0";
  (void)read_all();
  BOOST_TEST(start.on_all_down() == Tasks{Task::write_config_done});
  BOOST_TEST(start.on_written("a") == Tasks{Task::run});
}

BOOST_FIXTURE_TEST_CASE(adopted_only_the_count_is_written, Fixture) {
  config_done = true;
  BOOST_TEST(read_all() == (Tasks{Task::report_started, Task::set_down}));
  BOOST_TEST(to_string(start.decision().mode) == "adopted");
  BOOST_TEST(start.decision().say_init_done);
  BOOST_TEST(start.on_all_down() == Tasks{Task::write_restore_count});
  BOOST_TEST(start.on_written("a") == Tasks{Task::run});
}

BOOST_FIXTURE_TEST_CASE(adopted_with_its_count_nothing_is_written, Fixture) {
  config_done = init_done = true;
  restore_count = "0";
  (void)read_all();
  BOOST_TEST(!start.decision().say_init_done);
  BOOST_TEST(start.on_all_down() == Tasks{Task::run});
}

BOOST_FIXTURE_TEST_CASE(a_warm_start_is_decided_from_what_was_read, Fixture) {
  warm = config_done = true;
  restore_count = "2";
  (void)read_all();
  BOOST_TEST(to_string(start.decision().mode) == "warm");
  BOOST_TEST(start.decision().restore_count.value() == "3");
}

BOOST_FIXTURE_TEST_CASE(a_start_on_a_dpu_is_decided_from_what_was_read, Fixture) {
  dpu = true;
  (void)read_all();
  BOOST_TEST(to_string(start.decision().mode) == "dpu");
}

BOOST_FIXTURE_TEST_CASE(a_config_db_that_is_not_initialized_is_asked_again, Fixture) {
  open_all();
  BOOST_TEST(start.waits_for() == Wait::config_db);
  BOOST_TEST(start.on_not_initialized(now) == Tasks{});
  BOOST_TEST(start.waits_for() == Wait::initialized);
  BOOST_TEST((start.deadline().value() == now + 100ms));
  BOOST_TEST(start.on_time(now + 99ms) == Tasks{});
  BOOST_TEST(start.on_time(now + 100ms) == Tasks{Task::read_initialized});
  BOOST_TEST(start.waits_for() == Wait::initialized);  // until the next reply
  BOOST_TEST(start.on_initialized() == Tasks{Task::read_ports});
  BOOST_TEST(start.waits_for() == Wait::config_db);
  (void)start.on_not_initialized(now);
  (void)start.on_closed(Source::config_db, now);
  BOOST_TEST(start.waits_for() == Wait::config_db);
}

BOOST_FIXTURE_TEST_CASE(what_it_waits_for_goes_from_one_to_the_next, Fixture) {
  BOOST_TEST(start.waits_for() == Wait::config_db);
  open_all();
  (void)read_config();
  BOOST_TEST(start.waits_for() == Wait::links);
  (void)start.on_snapshot(now);
  BOOST_TEST(start.waits_for() == Wait::appl_db);
  (void)read_appl();
  BOOST_TEST(start.waits_for() == Wait::state_db);
  (void)read_state();
  BOOST_TEST(start.waits_for() == Wait::writes);
  (void)start.on_all_down();
  BOOST_TEST(start.waits_for() == Wait::writes);
  go_to_end();
  BOOST_TEST(start.waits_for() == Wait::nothing);
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_lost_begins_a_start_anew_wherever_it_stood) {
  for (const Phase phase : before_running) {
    if (phase == Phase::reading) continue;  // see the next case
    for (const Source source : sources) {
      Fixture at;
      at.go_to(phase);
      BOOST_TEST_CONTEXT(phase << ", database " << static_cast<int>(source)) {
        const std::uint64_t attempt = at.start.attempt();
        (void)at.start.on_closed(source, at.now);
        BOOST_TEST(at.start.phase() == Phase::reading);
        BOOST_TEST(at.start.attempt() == attempt + 1);
        (void)at.start.on_open(source, at.now);
        BOOST_TEST(at.start.attempt() == attempt + 2);
        (void)at.read_config();
        (void)at.read_appl();
        BOOST_TEST(at.read_state() == Tasks{Task::set_down});  // reported once
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_database_that_is_lost_while_it_is_read_is_read_again_alone, Fixture) {
  open_all();
  const std::uint64_t attempt = start.attempt();
  (void)start.on_closed(Source::state_db, now);
  BOOST_TEST(start.attempt() == attempt);
  BOOST_TEST(start.on_initialized() == Tasks{Task::read_ports});
  BOOST_TEST(start.waits_for() == Wait::config_db);
}

BOOST_AUTO_TEST_CASE(a_refusal_begins_a_start_anew_after_a_pause_wherever_it_stood) {
  for (const Phase phase : before_running) {
    Fixture at;
    at.go_to(phase);
    if (phase == Phase::reading) at.open_all();
    BOOST_TEST_CONTEXT(phase) {
      const std::uint64_t attempt = at.start.attempt();
      at.start.on_refused(at.now);
      BOOST_TEST(at.start.phase() == Phase::reading);
      BOOST_TEST(at.start.attempt() == attempt + 1);
      BOOST_TEST((at.start.deadline().value() == at.now + interval));
      BOOST_TEST(at.start.on_time(at.now + interval - 1ms) == Tasks{});
      BOOST_TEST(at.start.on_time(at.now + interval) == Tasks{Task::read_initialized});
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_count_whose_answer_was_lost_is_not_counted_twice, Fixture) {
  warm = config_done = true;
  restore_count = "2";
  (void)read_all();
  BOOST_TEST(start.on_all_down() == Tasks{Task::write_restore_count});
  (void)start.on_closed(Source::state_db, now);
  (void)start.on_open(Source::state_db, now);
  restore_count = "3";  // the earlier write was executed
  (void)read_config();
  (void)read_appl();
  (void)read_state();
  BOOST_TEST(start.decision().restore_count.value() == "3");
}

BOOST_FIXTURE_TEST_CASE(a_second_try_finds_its_own_port_config_done, Fixture) {
  go_to(Phase::writing_restore_count);
  start.on_refused(now);
  config_done = true;
  now += interval;
  (void)start.on_time(now);
  (void)read_config();
  (void)read_appl();
  BOOST_TEST(read_state() == Tasks{Task::set_down});
  BOOST_TEST(start.on_all_down() == Tasks{Task::write_restore_count});
  BOOST_TEST(start.on_written(run_id) == Tasks{Task::run});
}

BOOST_AUTO_TEST_CASE(port_config_done_that_was_seen_and_is_gone_in_another_server_is_lost_data) {
  struct Row {
    const char* first;  // run_id
    bool seen;
    const char* second;
    bool lost;
  };
  for (const Row& row : {Row{"a", true, "b", true}, Row{"a", true, "a", false}, Row{"a", false, "b", false},
                         Row{"", true, "b", false}, Row{"a", true, "", false}}) {
    Fixture at;
    at.open_all();
    (void)at.start.on_snapshot(at.now);
    (void)at.read_config();
    at.config_done = row.seen;
    at.run_id = row.first;
    (void)at.read_appl();
    (void)at.start.on_closed(Source::appl_db, at.now);
    (void)at.start.on_open(Source::appl_db, at.now);
    (void)at.read_config();
    at.config_done = false;
    at.run_id = row.second;
    BOOST_TEST_CONTEXT("from " << row.first << " to " << row.second << ", seen " << row.seen) {
      BOOST_TEST(at.read_appl() == (row.lost ? Tasks{Task::end_data_lost} : Tasks{}));
      BOOST_TEST((at.start.phase() == Phase::ended) == row.lost);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_server_that_was_restarted_with_its_data_is_remembered, Fixture) {
  config_done = true;
  (void)read_all();
  BOOST_TEST(!start.server_was_restarted());
  (void)start.on_closed(Source::appl_db, now);
  (void)start.on_open(Source::appl_db, now);
  (void)read_config();
  run_id = "b";
  (void)read_appl();
  BOOST_TEST(start.server_was_restarted());
  (void)read_state();
  BOOST_TEST(start.phase() == Phase::setting_down);
}

BOOST_FIXTURE_TEST_CASE(another_loader_is_waited_for_and_then_given_way_to, Fixture) {
  open_all();
  (void)start.on_snapshot(now);
  (void)read_config();
  BOOST_TEST(start.on_loader_found("other", now) == Tasks{});
  BOOST_TEST(start.waits_for() == Wait::loader);
  BOOST_TEST(read_appl() == Tasks{});
  BOOST_TEST(start.phase() == Phase::reading);
  BOOST_TEST((start.deadline().value() == now + interval));
  BOOST_TEST(start.on_loader_found("other", now + 3 * interval - 1ms) == Tasks{});
  BOOST_TEST(start.on_loader_found("other", now + 3 * interval) == Tasks{Task::end_another_loader});
  BOOST_TEST(start.another_loader() == "other");
  BOOST_TEST(start.phase() == Phase::ended);
}

BOOST_FIXTURE_TEST_CASE(a_loader_that_has_gone_is_forgotten, Fixture) {
  open_all();
  (void)start.on_snapshot(now);
  (void)read_config();
  (void)start.on_loader_found("other", now);
  (void)read_appl();
  now += interval;
  BOOST_TEST(start.on_time(now) == Tasks{Task::read_initialized});
  (void)read_config();
  start.on_no_loader();
  BOOST_TEST(start.waits_for() == Wait::appl_db);
  BOOST_TEST(start.on_loader_found("a third", now + 3 * interval) == Tasks{});  // its time limit begins now
  start.on_no_loader();
  BOOST_TEST(read_appl() == Tasks{});
  BOOST_TEST(read_state() == (Tasks{Task::report_started, Task::set_down}));
}

BOOST_AUTO_TEST_CASE(stopped_it_does_nothing_more) {
  for (const Phase phase : all_phases) {
    Fixture at;
    at.go_to(phase);
    const std::uint64_t attempt = at.start.attempt();
    at.start.stop();
    BOOST_TEST_CONTEXT(phase) {
      BOOST_TEST(at.start.phase() == Phase::ended);
      BOOST_TEST(at.start.attempt() == attempt + 1);
      BOOST_TEST(at.start.waits_for() == Wait::nothing);
      BOOST_TEST(at.start.on_time(at.now + 1h) == Tasks{});
      BOOST_TEST(at.start.on_open(Source::config_db, at.now) == Tasks{});
      BOOST_TEST(at.start.on_closed(Source::config_db, at.now) == Tasks{});
      BOOST_TEST(at.start.on_snapshot(at.now) == Tasks{});
      BOOST_TEST(at.start.on_written("a") == Tasks{});
      BOOST_TEST(!at.start.deadline().has_value());
      BOOST_TEST(at.start.phase() == Phase::ended);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(while_it_runs_a_connection_begins_nothing_anew, Fixture) {
  go_to(Phase::running);
  for (const Source source : sources) {
    BOOST_TEST(start.on_closed(source, now) == Tasks{});
    BOOST_TEST(start.on_open(source, now) == Tasks{});
  }
  BOOST_TEST(start.phase() == Phase::running);
}
