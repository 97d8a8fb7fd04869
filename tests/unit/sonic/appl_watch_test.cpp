// SPDX-License-Identifier: Apache-2.0
// Every transition of ApplWatch, without a database.
#define BOOST_TEST_MODULE appl_watch
#include "sonic/appl_watch.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <ostream>
#include <string>

using namespace portsync;
using namespace portsync::sonic;
using namespace std::chrono_literals;

namespace portsync::sonic {

std::ostream& operator<<(std::ostream& out, ApplWatch::Server server) {
  return out << "server " << static_cast<int>(server);
}
std::ostream& operator<<(std::ostream& out, ApplWatch::ConfigDone config_done) {
  return out << "PortConfigDone " << static_cast<int>(config_done);
}
std::ostream& operator<<(std::ostream& out, ApplWatch::InitDone init_done) {
  return out << "PortInitDone " << static_cast<int>(init_done);
}
std::ostream& operator<<(std::ostream& out, ApplWatch::Consumers consumers) {
  return out << "consumers " << static_cast<int>(consumers);
}
std::ostream& operator<<(std::ostream& out, ApplWatch::Asked check) {
  return out << "check " << static_cast<int>(check);
}

std::ostream& operator<<(std::ostream& out, const ApplWatch::Tasks& tasks) {
  for (const ApplWatch::Task task : tasks) out << "task " << static_cast<int>(task) << ' ';
  return out;
}

}  // namespace portsync::sonic

namespace {

using Asked = ApplWatch::Asked;
using ConfigDone = ApplWatch::ConfigDone;
using Consumers = ApplWatch::Consumers;
using Found = ApplWatch::Found;
using InitDone = ApplWatch::InitDone;
using Names = ApplWatch::Names;
using Server = ApplWatch::Server;
using Task = ApplWatch::Task;
using Tasks = ApplWatch::Tasks;

constexpr ApplWatch::Timing timing{1s, 30s, 60s, 600s};
constexpr Found both_absent{false, false};
constexpr Found config_there{true, false};
constexpr Found both_there{true, true};

struct Fixture {
  Fixture() { seen.note("a"); }

  void begin(Names ports = {"Ethernet0"}, bool write_init_done = true) {
    watch.begin({std::move(ports), write_init_done, warm, seen, restarted}, now);
  }
  void have_all_ports() {
    begin();
    watch.on_port("Ethernet0");
  }
  void go_to(InitDone state) {
    have_all_ports();
    if (state == InitDone::wanted) return;
    (void)watch.on_rows_stored(now);
    if (state == InitDone::asking) return;
    (void)watch.on_looked_before_init(true, true, now);
    if (state == InitDone::writing) return;
    state == InitDone::unsure ? watch.on_init_failed(false, now) : (void)watch.on_init_written();
  }
  void have_check_refused() {
    begin();
    watch.on_waiting("Ethernet0");
    (void)watch.on_time(now);
    (void)watch.take_names();
    (void)watch.on_check_failed(true, now);
  }
  Tasks reconnect(const Found& found, const std::string& run_id = "a") {
    watch.on_closed();
    watch.on_open();
    (void)watch.on_time(now);
    return watch.on_looked(found, run_id, now);
  }

  ApplWatch watch{timing};
  SeenServer seen;
  bool warm = false;
  bool restarted = false;
  TimePoint now{1h};
};

}  // namespace

// ---- links that wait for their port

BOOST_FIXTURE_TEST_CASE(a_name_that_waits_is_checked_and_then_subscribed_to, Fixture) {
  begin();
  BOOST_TEST(watch.on_time(now) == Tasks{});
  watch.on_waiting("Ethernet0");
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
  BOOST_TEST((watch.take_names() == Names{"Ethernet0"}));
  BOOST_TEST(watch.check() == Asked::asking);
  BOOST_TEST(watch.on_time(now) == Tasks{});
  BOOST_TEST(watch.on_checked({}, now) == Tasks{Task::subscribe});
  BOOST_TEST(watch.check() == Asked::idle);
  BOOST_TEST((watch.deadline().value() == now + 1s));  // keyspace events may be off
}

BOOST_FIXTURE_TEST_CASE(names_that_are_all_there_need_no_subscription, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  (void)watch.on_time(now);
  BOOST_TEST(watch.on_checked({"Ethernet0"}, now) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(a_name_that_comes_while_others_are_checked_is_checked_next, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  (void)watch.on_time(now);
  (void)watch.take_names();
  watch.on_waiting("Ethernet4");
  BOOST_TEST(watch.on_time(now) == Tasks{});
  (void)watch.on_checked({"Ethernet0"}, now);
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
  BOOST_TEST((watch.take_names() == Names{"Ethernet4"}));
}

BOOST_FIXTURE_TEST_CASE(a_name_that_no_link_has_any_more_is_not_checked, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  watch.on_settled("Ethernet0");
  BOOST_TEST(watch.on_time(now) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(an_event_of_a_row_has_its_name_checked, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  (void)watch.on_time(now);
  (void)watch.take_names();
  (void)watch.on_checked({}, now);
  watch.on_row_event("Ethernet4", "hset");  // no link waits under this name
  watch.on_row_event("Ethernet0", "del");
  BOOST_TEST(watch.on_time(now) == Tasks{});
  watch.on_row_event("Ethernet0", "hset");
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
  (void)watch.take_names();
  (void)watch.on_checked({}, now);
  watch.on_subscribed();  // earlier events were missed
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
}

BOOST_FIXTURE_TEST_CASE(names_are_polled_ever_more_rarely, Fixture) {
  begin({}, false);
  watch.on_waiting("Ethernet0");
  (void)watch.on_time(now);
  for (const std::chrono::seconds interval : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    (void)watch.take_names();
    (void)watch.on_checked({}, now);
    BOOST_TEST(watch.on_time(now + interval - 1ms).empty());
    now += interval;
    const Tasks tasks = watch.on_time(now);
    BOOST_TEST((std::find(tasks.begin(), tasks.end(), Task::check) != tasks.end()));
  }
  watch.on_waiting("Ethernet4");  // the interval is short again for a new name
  (void)watch.take_names();
  (void)watch.on_checked({}, now);
  (void)watch.on_time(now + 1s);
  BOOST_TEST((watch.take_names() == (Names{"Ethernet0", "Ethernet4"})));
}

BOOST_FIXTURE_TEST_CASE(when_no_link_waits_any_more_the_subscription_ends, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  (void)watch.on_time(now);
  (void)watch.take_names();
  (void)watch.on_checked({}, now);
  watch.on_settled("Ethernet0");
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::unsubscribe});
  BOOST_TEST(watch.on_time(now + 9s) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(a_refused_check_is_over_when_one_succeeds, Fixture) {
  have_check_refused();
  BOOST_TEST(watch.check() == Asked::refused);
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::check});
  BOOST_TEST(watch.check() == Asked::asking_again);
  BOOST_TEST(watch.on_check_failed(true, now) == Tasks{});  // the first failure has subscribed
  BOOST_TEST(watch.check() == Asked::refused);
  (void)watch.on_time(now + 9s);
  BOOST_TEST(watch.on_checked({"Ethernet0"}, now) == (Tasks{Task::forget_reports, Task::report_resumed}));
  BOOST_TEST(watch.check() == Asked::idle);
}

BOOST_FIXTURE_TEST_CASE(a_refused_check_is_over_when_no_link_waits, Fixture) {
  have_check_refused();
  watch.on_settled("Ethernet0");
  BOOST_TEST(watch.on_time(now + 1s) == (Tasks{Task::forget_reports, Task::report_resumed, Task::unsubscribe}));
  BOOST_TEST(watch.check() == Asked::idle);
}

BOOST_FIXTURE_TEST_CASE(a_check_that_was_lost_is_no_refusal, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  (void)watch.on_time(now);
  (void)watch.take_names();
  BOOST_TEST(watch.on_check_failed(false, now) == Tasks{Task::subscribe});
  BOOST_TEST(watch.check() == Asked::idle);
  (void)reconnect(config_there);
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
}

// ---- the connection, and PortConfigDone

BOOST_FIXTURE_TEST_CASE(without_a_connection_nothing_is_asked, Fixture) {
  have_all_ports();
  watch.on_waiting("Ethernet4");
  watch.on_closed();
  BOOST_TEST(watch.server() == Server::away);
  BOOST_TEST(watch.on_time(now + 1h) == Tasks{});
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(a_check_and_a_look_whose_answers_are_lost_are_done_again, Fixture) {
  begin();
  watch.on_waiting("Ethernet0");
  BOOST_TEST(watch.on_time(now + 600s) == (Tasks{Task::report_missing, Task::look, Task::check}));
  watch.on_closed();
  BOOST_TEST(watch.check() == Asked::idle);
  watch.on_open();
  BOOST_TEST(watch.on_time(now + 600s) == Tasks{Task::look});
  have_check_refused();
  (void)watch.on_time(now + 1s);
  watch.on_closed();
  BOOST_TEST(watch.check() == Asked::refused);
}

BOOST_FIXTURE_TEST_CASE(after_a_reconnect_it_looks_before_anything_else, Fixture) {
  have_all_ports();
  watch.on_waiting("Ethernet4");
  watch.on_closed();
  watch.on_open();
  BOOST_TEST(watch.server() == Server::unsure);
  BOOST_TEST(watch.on_time(now) == Tasks{Task::look});
  BOOST_TEST(watch.on_time(now) == Tasks{});
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
  BOOST_TEST(watch.on_looked(config_there, "b", now) == (Tasks{Task::forget_reports, Task::report_resumed}));
  BOOST_TEST(watch.server() == Server::known);
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
  (void)watch.take_names();
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
  BOOST_TEST(watch.on_checked({"Ethernet4"}, now) == Tasks{});
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{Task::look_before_init});
}

BOOST_FIXTURE_TEST_CASE(a_look_that_is_refused_is_done_again_after_a_pause, Fixture) {
  have_all_ports();
  watch.on_open();
  (void)watch.on_time(now);
  watch.on_look_failed(now);
  BOOST_TEST(watch.server() == Server::unsure);
  BOOST_TEST((watch.deadline().value() == now + 1s));
  BOOST_TEST(watch.on_time(now + 999ms) == Tasks{});
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::look});
}

BOOST_FIXTURE_TEST_CASE(a_refused_look_from_time_to_time_is_over_when_one_succeeds, Fixture) {
  have_all_ports();
  BOOST_TEST(watch.on_time(now += 600s) == Tasks{Task::look});
  watch.on_look_failed(now);
  BOOST_TEST(watch.on_time(now += 1s) == Tasks{Task::look});
  watch.on_look_failed(now);
  BOOST_TEST(watch.on_time(now += 1s) == Tasks{Task::look});
  BOOST_TEST(watch.on_looked(config_there, "a", now) == (Tasks{Task::forget_reports, Task::report_resumed}));
  BOOST_TEST(watch.on_time(now += 1s) == Tasks{});
  BOOST_TEST(watch.on_time(now += 600s) == Tasks{Task::look});
  BOOST_TEST(watch.on_looked(config_there, "a", now) == Tasks{});
}

BOOST_AUTO_TEST_CASE(what_a_look_finds) {
  const Tasks nothing{};
  const Tasks resumed{Task::forget_reports, Task::report_resumed};
  const Tasks gone{Task::report_config_gone};
  const Tasks gone_after_reconnect{Task::report_config_gone, Task::forget_reports};
  const Tasks still_gone{Task::forget_reports};
  const Tasks lost{Task::end_data_lost};
  struct Row {
    ConfigDone before;
    bool reconnected;
    const char* run_id;
    bool there;
    const Tasks& tasks;
  };
  const Row rows[] = {
      {ConfigDone::there, false, "a", true, nothing},
      {ConfigDone::there, false, "a", false, gone},
      {ConfigDone::gone, false, "a", true, resumed},
      {ConfigDone::gone, false, "a", false, nothing},
      {ConfigDone::there, true, "a", true, resumed},
      {ConfigDone::there, true, "a", false, gone_after_reconnect},
      {ConfigDone::there, true, "b", true, resumed},
      {ConfigDone::there, true, "b", false, lost},
      {ConfigDone::there, true, "", false, gone_after_reconnect},
      {ConfigDone::gone, true, "a", true, resumed},
      {ConfigDone::gone, true, "a", false, still_gone},
      {ConfigDone::gone, true, "b", true, resumed},
      {ConfigDone::gone, true, "b", false, lost},
  };
  for (const Row& row : rows) {
    Fixture at;
    at.begin();
    if (row.before == ConfigDone::gone) (void)at.watch.on_looked(both_absent, "a", at.now);
    const Found found{row.there, false};
    BOOST_TEST_CONTEXT(row.before << ", reconnected " << row.reconnected << ", run_id " << row.run_id << ", there "
                                  << row.there) {
      BOOST_TEST((row.reconnected ? at.reconnect(found, row.run_id) : at.watch.on_looked(found, row.run_id, at.now)) ==
                 row.tasks);
      if (row.tasks == lost) continue;
      BOOST_TEST((at.watch.config_done() == ConfigDone::there) == row.there);
      BOOST_TEST(at.watch.server() == Server::known);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(port_config_done_is_looked_for_from_time_to_time, Fixture) {
  begin({}, false);
  BOOST_TEST((watch.deadline().value() == now + 600s));
  BOOST_TEST(watch.on_time(now + 600s) == Tasks{Task::look});
  BOOST_TEST(!watch.deadline().has_value());  // none during a look
  (void)watch.on_looked(both_there, "a", now + 600s);
  BOOST_TEST((watch.deadline().value() == now + 1200s));
}

BOOST_FIXTURE_TEST_CASE(a_later_server_is_the_one_whose_loss_counts, Fixture) {
  begin();
  (void)reconnect(config_there, "b");
  BOOST_TEST(reconnect(both_absent, "b") == (Tasks{Task::report_config_gone, Task::forget_reports}));
}

BOOST_FIXTURE_TEST_CASE(after_a_restart_with_its_data_consumers_are_counted_and_deaf_ones_reported, Fixture) {
  begin({}, false);
  (void)reconnect(config_there, "b");
  BOOST_TEST(watch.consumers() == Consumers::doubted);
  BOOST_TEST((watch.deadline().value() == now + 1s));  // they get some time to subscribe again
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::count_consumers});
  BOOST_TEST(watch.on_consumers(0, now + 1s) == Tasks{Task::report_deaf});
  BOOST_TEST(watch.consumers() == Consumers::deaf);
  BOOST_TEST(watch.on_time(now + 2s) == Tasks{Task::count_consumers});
  BOOST_TEST(watch.on_consumers(0, now + 2s) == Tasks{});
  BOOST_TEST(watch.on_consumers(0, now + 61s) == Tasks{Task::report_deaf});
  BOOST_TEST(watch.on_consumers(1, now + 62s) == Tasks{Task::report_heard});
  BOOST_TEST(watch.consumers() == Consumers::listening);
  BOOST_TEST(watch.on_time(now + 63s) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(a_restart_while_the_ports_were_loaded_counts_too, Fixture) {
  restarted = true;
  begin({}, false);
  BOOST_TEST(watch.consumers() == Consumers::doubted);
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::count_consumers});
}

BOOST_FIXTURE_TEST_CASE(a_count_that_is_lost_with_its_connection_is_no_absence_of_consumers, Fixture) {
  begin({}, false);
  (void)reconnect(config_there, "b");
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::count_consumers});
  watch.on_count_lost();
  watch.on_closed();
  BOOST_TEST(watch.consumers() == Consumers::doubted);
  (void)reconnect(config_there, "b");
  const Tasks tasks = watch.on_time(now + 2s);
  BOOST_TEST((std::count(tasks.begin(), tasks.end(), Task::count_consumers) == 1));
  BOOST_TEST(watch.on_consumers(1, now + 2s) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(consumers_that_came_back_were_never_deaf, Fixture) {
  begin({}, false);
  (void)reconnect(config_there, "b");
  (void)watch.on_time(now + 1s);
  BOOST_TEST(watch.on_consumers(2, now + 1s) == Tasks{});
  BOOST_TEST(watch.consumers() == Consumers::listening);
}

BOOST_FIXTURE_TEST_CASE(a_lost_connection_to_the_same_server_leaves_consumers_alone, Fixture) {
  begin({}, false);
  (void)reconnect(config_there, "a");
  BOOST_TEST(watch.consumers() == Consumers::listening);
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(a_count_of_consumers_that_was_lost_is_done_again, Fixture) {
  begin({}, false);
  (void)reconnect(config_there, "b");
  (void)watch.on_time(now + 1s);
  watch.on_closed();
  watch.on_open();
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::look});
  (void)watch.on_looked(config_there, "b", now + 1s);
  BOOST_TEST(watch.on_time(now + 1s) == Tasks{Task::count_consumers});
}

// ---- PortInitDone

BOOST_FIXTURE_TEST_CASE(port_init_done_needs_every_port_and_its_row, Fixture) {
  begin({"Ethernet0", "Ethernet4"});
  watch.on_port("Ethernet0");
  BOOST_TEST(!watch.wants_rows());
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
  BOOST_TEST((watch.missing() == Names{"Ethernet4"}));
  watch.on_port("Ethernet4");
  BOOST_TEST(watch.wants_rows());
  BOOST_TEST(watch.on_time(now) == Tasks{});  // time alone causes no write
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{Task::look_before_init});
  BOOST_TEST(watch.init_done() == InitDone::asking);
  BOOST_TEST(!watch.wants_rows());
  BOOST_TEST(watch.on_looked_before_init(true, true, now) == Tasks{Task::write_init_done});
  BOOST_TEST(watch.init_done() == InitDone::writing);
  BOOST_TEST(watch.on_init_written() == (Tasks{Task::forget_reports, Task::report_init_done}));
  BOOST_TEST(watch.init_done() == InitDone::done);
  BOOST_TEST(!watch.wants_rows());
}

BOOST_FIXTURE_TEST_CASE(port_init_done_waits_for_the_rows_of_links_that_pass_during_the_look, Fixture) {
  go_to(InitDone::asking);
  BOOST_TEST(watch.on_looked_before_init(true, false, now) == Tasks{});
  BOOST_TEST(watch.init_done() == InitDone::wanted);
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{Task::look_before_init});
  BOOST_TEST(watch.on_looked_before_init(true, true, now) == Tasks{Task::write_init_done});
}

BOOST_FIXTURE_TEST_CASE(port_init_done_waits_for_the_check_of_a_link_that_waits, Fixture) {
  go_to(InitDone::asking);
  watch.on_waiting("Ethernet0");  // its link was made anew
  BOOST_TEST(watch.on_looked_before_init(true, true, now) == Tasks{});
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
  BOOST_TEST(watch.on_time(now) == Tasks{Task::check});
  (void)watch.take_names();
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
  (void)watch.on_checked({"Ethernet0"}, now);
  watch.on_settled("Ethernet0");
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{Task::look_before_init});
  BOOST_TEST(watch.on_looked_before_init(true, true, now) == Tasks{Task::write_init_done});
}

BOOST_FIXTURE_TEST_CASE(port_init_done_does_not_wait_for_a_link_of_no_port, Fixture) {
  go_to(InitDone::wanted);
  watch.on_waiting("Ethernet4");
  (void)watch.on_time(now);
  (void)watch.take_names();
  (void)watch.on_checked({}, now);
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{Task::look_before_init});
}

BOOST_FIXTURE_TEST_CASE(port_init_done_that_was_there_is_not_written, Fixture) {
  begin({}, false);
  BOOST_TEST(watch.init_done() == InitDone::done);
  BOOST_TEST(!watch.wants_rows());
}

BOOST_FIXTURE_TEST_CASE(a_swss_that_was_started_anew_gets_no_port_init_done, Fixture) {
  go_to(InitDone::asking);
  BOOST_TEST(watch.on_looked_before_init(false, true, now) == Tasks{});
  BOOST_TEST(watch.init_done() == InitDone::wanted);
  BOOST_TEST(watch.on_time(now) == Tasks{Task::look});  // at once, so that it is reported
  BOOST_TEST(watch.on_looked(both_absent, "a", now) == Tasks{Task::report_config_gone});
  BOOST_TEST(!watch.wants_rows());
  BOOST_TEST(watch.on_rows_stored(now) == Tasks{});
  (void)watch.on_looked(config_there, "a", now);
  BOOST_TEST(watch.wants_rows());
}

BOOST_AUTO_TEST_CASE(what_a_failure_makes_of_port_init_done) {
  struct Row {
    InitDone before;
    InitDone after;
  };
  for (const Row& row : {Row{InitDone::asking, InitDone::wanted}, Row{InitDone::writing, InitDone::unsure}}) {
    for (const bool refused : {false, true}) {
      Fixture at;
      at.go_to(row.before);
      at.watch.on_init_failed(refused, at.now);
      BOOST_TEST_CONTEXT(row.before << ", refused " << refused) {
        BOOST_TEST(at.watch.init_done() == row.after);
        BOOST_TEST(at.watch.wants_rows());
        BOOST_TEST(at.watch.on_rows_stored(at.now).empty() == refused);  // a refusal causes a pause
        if (refused) BOOST_TEST(at.watch.on_rows_stored(at.now + 1s) == Tasks{Task::look_before_init});
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_reconnect_makes_of_port_init_done_whose_answer_was_lost) {
  struct Row {
    bool found;
    bool warm;
    InitDone after;
  };
  for (const Row& row : {Row{true, false, InitDone::done}, Row{false, false, InitDone::wanted},
                         Row{true, true, InitDone::wanted}, Row{false, true, InitDone::wanted}}) {
    Fixture at;
    at.warm = row.warm;
    at.go_to(InitDone::unsure);
    Tasks expected{Task::forget_reports, Task::report_resumed};
    if (row.after == InitDone::done) expected.push_back(Task::report_init_done);
    BOOST_TEST_CONTEXT("found " << row.found << ", warm " << row.warm) {
      BOOST_TEST(at.reconnect({true, row.found}) == expected);
      BOOST_TEST(at.watch.init_done() == row.after);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_port_init_done_of_another_writer_does_not_count, Fixture) {
  go_to(InitDone::wanted);
  (void)reconnect(both_there);
  BOOST_TEST(watch.init_done() == InitDone::wanted);
}

// ---- missing ports

BOOST_FIXTURE_TEST_CASE(missing_ports_are_reported_from_time_to_time, Fixture) {
  begin();
  BOOST_TEST((watch.deadline().value() == now + 30s));
  BOOST_TEST(watch.on_time(now + 30s - 1ms) == Tasks{});
  BOOST_TEST(watch.on_time(now + 30s) == Tasks{Task::report_missing});
  BOOST_TEST((watch.deadline().value() == now + 90s));
  BOOST_TEST(watch.on_time(now + 90s) == Tasks{Task::report_missing});
  watch.on_port("Ethernet0");
  BOOST_TEST(watch.on_time(now + 150s) == Tasks{});
}

BOOST_FIXTURE_TEST_CASE(missing_ports_that_were_reported_are_again_when_appl_db_is_back, Fixture) {
  begin();
  (void)watch.on_time(now + 30s);
  BOOST_TEST(reconnect(config_there) == (Tasks{Task::forget_reports, Task::report_resumed, Task::report_missing}));
}

BOOST_FIXTURE_TEST_CASE(while_port_config_done_is_gone_no_port_is_missing, Fixture) {
  begin();
  (void)watch.on_looked(both_absent, "a", now);
  BOOST_TEST(watch.on_time(now + 30s) == Tasks{});
}
