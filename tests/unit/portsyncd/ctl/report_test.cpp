// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE report
#include "ctl/report.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>

#include "ctl/answer.hpp"
#include "ctl/error.hpp"
#include "ctl/exit_status.hpp"
#include "ctl/shown.hpp"
#include "ctl/table.hpp"

using namespace portsyncctl;

namespace {

constexpr std::int64_t now = 1'764'000'000'000;
constexpr Style plain{false, now};
constexpr Style coloured{true, now};

struct Utc {
  Utc() { ::setenv("TZ", "UTC", 1); }
};

PortAnswer make_port(const std::string& name) {
  PortAnswer port;
  port.name = name;
  port.ifindex = 7;
  port.admin = "up";
  port.oper = "down";
  port.mtu = 9100;
  port.mac = "02:00:00:00:00:01";
  port.flaps_last_minute = 1;
  port.flaps_last_hour = 20;
  port.flaps = 300;
  port.last_change = now - 200'000;
  port.in_sync = true;
  port.compared = now - 12'000;
  return port;
}

}  // namespace

BOOST_GLOBAL_FIXTURE(Utc);

BOOST_AUTO_TEST_CASE(times_are_written_as_people_do) {
  BOOST_TEST(ago({}, now) == "never");
  BOOST_TEST(ago(now, now) == "now");
  BOOST_TEST(ago(now + 5000, now) == "now");  // the clocks differ, or one was set
  BOOST_TEST(ago(now - 999, now) == "now");
  BOOST_TEST(ago(now - 1999, now) == "1 s ago");
  BOOST_TEST(ago(now - 119'000, now) == "119 s ago");
  BOOST_TEST(ago(now - 120'000, now) == "2 min ago");
  BOOST_TEST(ago(now - 7'199'000, now) == "119 min ago");
  BOOST_TEST(ago(now - 7'200'000, now) == "2 h ago");
  BOOST_TEST(ago(now - 172'800'000, now) == "2 days ago");
  BOOST_TEST(duration(250) == "250 ms");
  BOOST_TEST(duration(1540) == "1.5 s");
  BOOST_TEST(duration(12'999) == "12 s");
}

BOOST_AUTO_TEST_CASE(a_port_has_a_line) {
  PortAnswer other = make_port("Ethernet100");
  other.master = "PortChannel1";
  other.last_change.reset();
  other.in_sync = false;
  BOOST_TEST(report(std::vector<PortAnswer>{make_port("Ethernet0"), other}, plain) ==
             "NAME         IFINDEX  ADMIN  OPER   MTU  MAC                MASTER        FLAPS/MIN  FLAPS/H  FLAPS  "
             "LAST CHANGE  IN SYNC\n"
             "Ethernet0          7  up     down  9100  02:00:00:00:00:01  -                     1       20    300  "
             "3 min ago    yes\n"
             "Ethernet100        7  up     down  9100  02:00:00:00:00:01  PortChannel1          1       20    300  "
             "never        no\n");
}

BOOST_AUTO_TEST_CASE(on_a_terminal_a_list_says_when_its_rows_were_compared) {
  const std::vector<PortAnswer> ports{make_port("Ethernet0")};
  BOOST_TEST(report(ports, {false, now, true}) == report(ports, plain) + "Rows read back and compared: 12 s ago\n");
}

BOOST_AUTO_TEST_CASE(the_row_of_one_port_is_what_was_read_now) {
  PortAnswer port = make_port("Ethernet0");
  port.row = Fields{{"state", "ok"}, {"netdev_oper_status", "up"}, {"mtu", "9100"}};
  BOOST_TEST(report(port, plain).find("    Row, read now:  oper up, mtu 9100\n") != std::string::npos);
  port.row.reset();
  port.in_sync = false;
  BOOST_TEST(report(port, plain).find("    Row, read now:  none\n          In sync:  no\n") != std::string::npos);
  port.row_error = "NOPERM this user has no permissions to run the 'hmget' command";
  port.in_sync.reset();
  BOOST_TEST(report(port, plain)
                 .find("not read: NOPERM this user has no permissions to run the 'hmget' command\n"
                       "          In sync:  not known\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_status_is_written_in_words) {
  StatusAnswer status;
  status.health = {"Degraded", "why"};
  status.version = "1.2.3";
  status.mode = "mirror";
  status.store = "Redis at /run/redis.sock";
  status.store_error = "Connection refused";
  status.log_level = "info";
  status.pid = 42;
  status.ports = 1;
  status.pending = 2;
  status.started = now - 60'000;
  BOOST_TEST(report(status, plain) ==
             "       Health:  Degraded: why\n"
             "        Store:  Redis at /run/redis.sock, not connected: Connection refused\n"
             "        Ports:  1 port, 2 rows pending, 0 flaps\n"
             " Links listed:  never\n"
             "Rows compared:  never\n"
             "      Started:  2025-11-24 15:59:00 (60 s ago)\n"
             "      Version:  1.2.3, mirror mode, PID 42\n"
             "    Log level:  info\n");
  BOOST_TEST(report(status, coloured).find("\x1b[33mDegraded: why\x1b[0m") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_event_shows_what_has_changed_of_the_row) {
  Event event;
  event.name = "port_changed";
  event.time = now + 7;
  event.port = "Ethernet0";
  event.row_before = Fields{{"state", "ok"}, {"netdev_oper_status", "up"}};
  event.row_now = Fields{{"state", "ok"}, {"netdev_oper_status", "down"}};
  event.cause = "notified";
  event.latency_us = 137;
  BOOST_TEST(report(event, plain) == "16:00:00.007  Ethernet0  oper up -> down  (notified, 0.14 ms)\n");
  event.row_before.reset();
  BOOST_TEST(report(event, plain) == "16:00:00.007  Ethernet0  row state ok, oper down  (notified, 0.14 ms)\n");
  event.row_before = event.row_now;
  BOOST_TEST(report(event, plain) == "16:00:00.007  Ethernet0  written again  (notified, 0.14 ms)\n");
  event.row_now.reset();
  BOOST_TEST(report(event, plain) == "16:00:00.007  Ethernet0  row removed  (notified, 0.14 ms)\n");
  Event dropped;
  dropped.name = "dropped";
  dropped.time = now;
  dropped.count = 1200;
  BOOST_TEST(report(dropped, plain) == "16:00:00.000  1200 events not shown: they came too fast\n");
}
