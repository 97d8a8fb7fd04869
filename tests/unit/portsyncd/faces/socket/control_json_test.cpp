// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE control_json
#include "faces/socket/control_json.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "support/cpp/fakes.hpp"

using namespace portsyncd;
using control_json::Method;
using control_json::parse;
using Kind = ControlError::Kind;

namespace {

bool is_garbage(const std::string& line) {
  return std::holds_alternative<control_json::Garbage>(parse(line));
}

std::string invalid_argument(const std::string& line) {
  const auto parsed = parse(line);
  const auto* error = std::get_if<ControlError>(&parsed);
  return error != nullptr && error->kind == Kind::invalid_argument ? error->text : "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_is_a_method_and_its_argument) {
  const auto ports = std::get<control_json::Request>(parse(R"({"method":"ports","pattern":"Ethernet*"})"));
  BOOST_TEST((ports.method == Method::ports));
  BOOST_TEST(ports.argument == "Ethernet*");
  BOOST_TEST(std::get<control_json::Request>(parse(R"({"method":"ports"})")).argument.empty());
  BOOST_TEST(std::get<control_json::Request>(parse(R"( {"force":true , "method":"resync"} )")).force);
  BOOST_TEST(!std::get<control_json::Request>(parse(R"({"method":"resync"})")).force);
  BOOST_TEST((std::get<control_json::Request>(parse(R"({"method":"log_level","level":"debug"})")).argument == "debug"));
}

BOOST_AUTO_TEST_CASE(a_pattern_has_at_most_64_bytes_because_a_long_bracket_takes_milliseconds) {
  const auto with = [](const std::string& pattern) {
    return invalid_argument(R"({"method":"ports","pattern":")" + pattern + R"("})");
  };
  BOOST_TEST(with("*[" + std::string(61, 'x') + "]").empty());
  BOOST_TEST(with("*[" + std::string(62, 'x') + "]") == "pattern: expected at most 64 bytes");
}

BOOST_AUTO_TEST_CASE(what_changes_something_is_known) {
  for (const auto method :
       {Method::status, Method::ports, Method::port, Method::statistics, Method::health, Method::monitor}) {
    BOOST_TEST(!control_json::changes_something(method));
  }
  for (const auto method : {Method::resync, Method::audit, Method::reload, Method::log_level}) {
    BOOST_TEST(control_json::changes_something(method));
  }
}

BOOST_AUTO_TEST_CASE(a_request_that_asks_for_what_there_is_not_is_an_error) {
  BOOST_TEST(invalid_argument(R"({"method":"explode"})") == "no such method: \"explode\"");
  BOOST_TEST(invalid_argument(R"({"method":"ports","patern":"x"})") == "ports has no argument \"patern\"");
  BOOST_TEST(invalid_argument(R"({"method":"port"})") == "port needs the argument \"name\"");
  BOOST_TEST(invalid_argument(R"({"method":"port","name":7})") == "name: expected a string");
  BOOST_TEST(invalid_argument(R"({"method":"resync","force":"yes"})") == "force: expected true or false");
}

BOOST_AUTO_TEST_CASE(garbage_is_known_as_such) {
  for (const std::string line :
       {"", "x", "{", "[]", "7", "null", "{}", R"({"method":7})", R"({"method":{}})", R"({"method":["a"]})",
        R"({"method":"status"} x)", "{\"method\":\"\xff\"}", "GET / HTTP/1.1"}) {
    BOOST_TEST(is_garbage(line), line);
  }
}

BOOST_AUTO_TEST_CASE(a_deep_document_is_garbage) {
  BOOST_TEST(is_garbage(R"({"method":"port","name":[["x"]]})"));
  BOOST_TEST(is_garbage(std::string(4000, '[')));
  BOOST_TEST(is_garbage(std::string(2000, '[') + std::string(2000, ']')));
  std::string objects;
  for (int i = 0; i < 500; ++i) objects += R"({"a":)";
  BOOST_TEST(is_garbage(objects));
}

BOOST_AUTO_TEST_CASE(a_name_of_any_bytes_is_written) {
  auto link = portsync::test::make_link(7, "Eth\xff\n\"\\");
  link.alternative_names = {"\xc3\xa9", "\xc3"};
  portsync::PortStatus port;
  port.name = link.name;
  port.link = &link;
  const std::string text = control_json::text_of(port, std::nullopt);
  BOOST_TEST(has(text, "\"name\":\"Eth\xef\xbf\xbd\\n\\\"\\\\\""));
  BOOST_TEST(has(text, "\"alternative_names\":[\"\xc3\xa9\",\"\xef\xbf\xbd\"]"));
  BOOST_TEST(!has(text, "\n"));
}

BOOST_AUTO_TEST_CASE(what_the_kernel_did_not_say_is_null) {
  auto link = portsync::test::make_link(7, "Ethernet0");
  link.mtu.reset();
  portsync::PortStatus port;
  port.name = link.name;
  port.link = &link;
  const std::string text = control_json::text_of(port, std::nullopt);
  for (const char* part : {R"("mtu":null)", R"("last_change_unix_ms":null)", R"("carrier_changes":null)",
                           R"("oper":"up")", R"("in_sync":false)", R"("mac":"")"}) {
    BOOST_TEST(has(text, part), part);
  }
}

BOOST_AUTO_TEST_CASE(an_event_has_the_fields_of_the_row) {
  const portsync::PortRecord before{"Ethernet0", {{"mtu", "1500"}, {"@index", "up"}}};
  const portsync::PortRecord now{"Ethernet0", {{"mtu", "9100"}, {"admin", "\"up\""}}};
  Control::PortChange change;
  change.port = "Ethernet0";
  change.before = &before;
  change.now = &now;
  change.events = 2;
  BOOST_TEST(has(control_json::event_line(change),
                 R"("port":"Ethernet0","before":{"mtu":"1500"},"now":{"mtu":"9100","admin":"up"},"cause":"notified")"));
  change.now = nullptr;
  BOOST_TEST(has(control_json::event_line(change), R"("now":null)"));
}

BOOST_AUTO_TEST_CASE(lines_are_whole) {
  BOOST_TEST(control_json::result_line("[]") == "{\"ok\":true,\"result\":[]}\n");
  BOOST_TEST(control_json::error_line({Kind::not_possible, "a\nb"}) ==
             "{\"ok\":false,\"error\":{\"kind\":\"not_possible\",\"text\":\"a\\nb\"}}\n");
  BOOST_TEST(has(control_json::dropped_line(7), "\"dropped\":7}\n"));
}
