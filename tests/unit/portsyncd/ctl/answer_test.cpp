// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE answer
#include "ctl/answer.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "ctl/error.hpp"
#include "ctl/exit_status.hpp"
#include "ctl/shown.hpp"

using namespace portsyncctl;

namespace {

int error_status(const std::string& line) {
  try {
    check(line);
  } catch (const Error& error) {
    return error.status();
  }
  return 0;
}

const std::string port_json =
    R"({"name":"Ethernet0","ifindex":7,"admin":"up","oper":"down","operstate":"lowerlayerdown","mtu":9100,)"
    R"("mac":"02:00:00:00:00:01","master":"Po\u001b1","kind":"veth","slave_kind":"team","phys_port_name":"p1",)"
    R"("alternative_names":["etp1"],"carrier_changes":null,"carrier_up_count":3,"carrier_down_count":4,"in_sync":true,)"
    R"("flaps":{"last_minute":1,"last_hour":2,"total":3,"longest_outage_ms":1540,"last_change_unix_ms":null}})";

std::string result(const std::string& json) {
  return R"({"ok":true,"result":)" + json + "}";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_has_its_argument) {
  Options options;
  BOOST_TEST(request_line(options) == "{\"method\":\"status\"}\n");
  options.command = Command::resync;
  options.force = true;
  BOOST_TEST(request_line(options) == "{\"method\":\"resync\",\"force\":true}\n");
  options = {};
  options.command = Command::port;
  options.argument = "\"\n\xff";
  BOOST_TEST(request_line(options) == "{\"method\":\"port\",\"name\":\"\\\"\\n\xef\xbf\xbd\"}\n");
}

BOOST_AUTO_TEST_CASE(each_refusal_has_its_exit_status) {
  const auto refusal = [](const std::string& kind) {
    return R"({"ok":false,"error":{"kind":")" + kind + R"(","text":"why"}})";
  };
  BOOST_TEST(error_status(R"({"ok":true,"result":{}})") == exit_done);
  BOOST_TEST(error_status(refusal("no_such_port")) == exit_no_such_port);
  BOOST_TEST(error_status(refusal("access_denied")) == exit_denied);
  BOOST_TEST(error_status(refusal("not_possible")) == exit_failed);
  for (const std::string line : {"", "x", "[]", "{}", R"({"ok":7})", R"({"ok":false})"}) {
    BOOST_TEST(error_status(line) == exit_failed, line);
  }
  BOOST_CHECK_THROW((void)read_status(R"({"ok":true,"result":{}})"), Error);
}

BOOST_AUTO_TEST_CASE(what_a_terminal_would_obey_is_not_shown) {
  BOOST_TEST(shown("a\x1b[31m\n\x7f") == "a?[31m??");
  BOOST_TEST(shown("\xc2\x9b"
                   "31m \xc3\xa9 \xc2\xa0") == "?31m \xc3\xa9 \xc2\xa0");
  const std::string line = R"({"ok":true,"result":{"a\u001b":1}})";
  BOOST_TEST(read_counters(line).front().first == "a?");
  BOOST_TEST(result_document("{\"result\":{\"a\":\"\x7f\xc2\x9b\xc3\xa9\"}}") ==
             "{\n  \"a\": \"\\u007f\\u009b\\u00e9\"\n}\n");
}

BOOST_AUTO_TEST_CASE(each_command_has_its_method) {
  const auto line = [](Command command, const std::string& argument = "") {
    Options options;
    options.command = command;
    options.argument = argument;
    return request_line(options);
  };
  BOOST_TEST(line(Command::ports) == "{\"method\":\"ports\"}\n");
  BOOST_TEST(line(Command::ports, "Eth*") == "{\"method\":\"ports\",\"pattern\":\"Eth*\"}\n");
  BOOST_TEST(line(Command::monitor) == "{\"method\":\"monitor\"}\n");
  BOOST_TEST(line(Command::health) == "{\"method\":\"health\"}\n");
  BOOST_TEST(line(Command::stats) == "{\"method\":\"statistics\"}\n");
  BOOST_TEST(line(Command::audit) == "{\"method\":\"audit\"}\n");
  BOOST_TEST(line(Command::reload) == "{\"method\":\"reload\"}\n");
  BOOST_TEST(line(Command::log_level, "debug") == "{\"method\":\"log_level\",\"level\":\"debug\"}\n");
}

BOOST_AUTO_TEST_CASE(a_port_is_read_whole_and_null_is_not_known) {
  const PortAnswer port = read_port(result(port_json));
  BOOST_TEST(port.name == "Ethernet0");
  BOOST_TEST(port.ifindex == 7);
  BOOST_TEST(port.admin == "up");
  BOOST_TEST(port.oper == "down");
  BOOST_TEST(port.operstate == "lowerlayerdown");
  BOOST_TEST(port.mac == "02:00:00:00:00:01");
  BOOST_TEST(port.master == "Po?1");
  BOOST_TEST(port.kind == "veth");
  BOOST_TEST(port.slave_kind == "team");
  BOOST_TEST(port.phys_port_name == "p1");
  BOOST_TEST((port.alternative_names == std::vector<std::string>{"etp1"}));
  BOOST_TEST((port.mtu == 9100));
  BOOST_TEST(!port.carrier_changes.has_value());
  BOOST_TEST((port.carrier_up_count == 3));
  BOOST_TEST((port.carrier_down_count == 4));
  BOOST_TEST(port.flaps_last_minute == 1);
  BOOST_TEST(port.flaps_last_hour == 2);
  BOOST_TEST(port.flaps == 3);
  BOOST_TEST(port.longest_outage_ms == 1540);
  BOOST_TEST(!port.last_change.has_value());
  BOOST_TEST(port.in_sync.value_or(false));
  BOOST_TEST(read_ports(result("[" + port_json + "," + port_json + "]")).size() == 2U);
  BOOST_TEST(read_ports(result("[]")).empty());
}

BOOST_AUTO_TEST_CASE(a_verdict_comes_with_its_history) {
  const HealthAnswer answer = read_health(result(
      R"({"verdict":"Degraded","reason":"why","history":[{"time_unix_ms":5,"before":{"verdict":"Healthy","reason":""},)"
      R"("now":{"verdict":"Degraded","reason":"why"}}]})"));
  BOOST_TEST(answer.health.verdict == "Degraded");
  BOOST_TEST(answer.health.reason == "why");
  BOOST_REQUIRE_EQUAL(answer.history.size(), 1U);
  BOOST_TEST((answer.history[0].time == 5));
  BOOST_TEST(answer.history[0].before.verdict == "Healthy");
  BOOST_TEST(answer.history[0].now.reason == "why");
}

BOOST_AUTO_TEST_CASE(an_event_has_what_its_kind_has) {
  const Event changed =
      read_event(R"({"event":"port_changed","time_unix_ms":5,"port":"Ethernet0","before":null,"now":{"state":"ok"},)"
                 R"("cause":"notified","events":3,"latency_us":137})");
  BOOST_TEST((changed.time == 5));
  BOOST_TEST(changed.port == "Ethernet0");
  BOOST_TEST(!changed.row_before.has_value());
  BOOST_TEST((changed.row_now == Fields{{"state", "ok"}}));
  BOOST_TEST(changed.cause == "notified");
  BOOST_TEST(changed.count == 3);
  BOOST_TEST(changed.latency_us == 137);
  const Event health =
      read_event(R"({"event":"health_changed","time_unix_ms":5,"before":{"verdict":"Healthy","reason":""},)"
                 R"("now":{"verdict":"Unhealthy","reason":"why"}})");
  BOOST_TEST(health.health_before.verdict == "Healthy");
  BOOST_TEST(health.health_now.reason == "why");
  const Event resync = read_event(R"({"event":"resynchronized","time_unix_ms":5,"cause":"overrun","ports":4})");
  BOOST_TEST(resync.cause == "overrun");
  BOOST_TEST(resync.count == 4);
  BOOST_TEST(read_event(R"({"event":"store_changed","time_unix_ms":5,"open":true})").open);
  BOOST_TEST(read_event(R"({"event":"dropped","time_unix_ms":5,"dropped":6})").count == 6);
  BOOST_TEST(read_event(R"({"event":"of_a_later_version","time_unix_ms":5})").name == "of_a_later_version");
}

BOOST_AUTO_TEST_CASE(documents_are_the_answer_s_own_words_in_ascii) {
  BOOST_TEST(event_document("{\"event\":\"x\",\"port\":\"\xc3\xa9\"}") == "{\"event\":\"x\",\"port\":\"\\u00e9\"}\n");
  BOOST_CHECK_THROW((void)event_document("x"), Error);
  BOOST_CHECK_THROW((void)result_document("{}"), Error);
}
