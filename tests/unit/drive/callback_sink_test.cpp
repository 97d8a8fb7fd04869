// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE callback_sink
#include <boost/test/unit_test.hpp>
#include <map>
#include <portsync/state_sink.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/cpp/sink_observer.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;

namespace {

struct Fixture {
  std::map<std::string, std::string> rows;
  std::error_code refusal;
  std::unique_ptr<StateSink> sink = make_callback_sink(
      [this](const PortRecord& record) {
        if (!refusal) rows[record.port] = record.fields.at(0).value;
        return refusal;
      },
      [this](std::string_view port) {
        if (!refusal) rows.erase(std::string(port));
        return refusal;
      });
  SinkObserver observer;
  const PortRecord up{"Ethernet0", {{"oper", "up"}}};

  void open() {
    BOOST_REQUIRE(!sink->start(observer));
    process_until(*sink, [this] { return observer.opens == 1; });
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(rows_go_to_the_functions_and_answers_come_from_process) {
  Fixture f;
  f.open();
  BOOST_TEST(!f.sink->put(f.up, nullptr, 1));
  BOOST_TEST(!f.sink->flush());
  BOOST_TEST(f.rows.at("Ethernet0") == "up");
  BOOST_TEST(f.observer.results.empty());
  process_until(*f.sink, [&f] { return f.observer.results.size() == 1; });
  BOOST_TEST(!f.sink->erase("Ethernet0", 2));
  BOOST_TEST(!f.sink->flush());
  process_until(*f.sink, [&f] { return f.observer.results.size() == 2; });
  BOOST_TEST(f.rows.empty());
  BOOST_TEST(f.observer.results[1].port == "Ethernet0");
  BOOST_TEST(f.observer.results[1].revision == 2U);
  BOOST_TEST(!readable(*f.sink));
}

BOOST_AUTO_TEST_CASE(an_error_of_a_function_is_a_refused_row) {
  Fixture f;
  f.open();
  f.refusal = {ENOSPC, std::system_category()};
  BOOST_TEST(!f.sink->put(f.up, nullptr, 1));
  BOOST_TEST(!f.sink->flush());
  process_until(*f.sink, [&f] { return f.observer.results.size() == 1; });
  BOOST_TEST((f.observer.results[0].error == f.refusal));
  BOOST_TEST(f.sink->statistics().refused == 1U);
  BOOST_TEST(f.sink->statistics().last_error == f.refusal.message());
}

BOOST_AUTO_TEST_CASE(an_observer_that_throws_loses_no_answer) {
  struct Thrower final : SinkObserver {
    void on_result(std::string_view port, Revision revision, std::error_code error) override {
      SinkObserver::on_result(port, revision, error);
      if (results.size() == 1) throw std::runtime_error("observer");
    }
  } thrower;
  Fixture f;
  BOOST_REQUIRE(!f.sink->start(thrower));
  process_until(*f.sink, [&] { return thrower.opens == 1; });
  for (Revision revision = 1; revision <= 5; ++revision) BOOST_REQUIRE(!f.sink->put(f.up, nullptr, revision));
  BOOST_REQUIRE(!f.sink->flush());
  BOOST_CHECK_THROW((void)f.sink->process(), std::runtime_error);
  process_until(*f.sink, [&] { return thrower.results.size() == 5; });
}

BOOST_AUTO_TEST_CASE(it_says_what_it_cannot_do) {
  Fixture f;
  BOOST_TEST((f.sink->process() == Errc::not_started));
  BOOST_TEST((f.sink->put(f.up, nullptr, 1) == Errc::not_open));
  BOOST_TEST((f.sink->flush() == Errc::not_open));
  f.open();
  BOOST_TEST((f.sink->start(f.observer) == Errc::already_started));
  BOOST_TEST((f.sink->read_back(Scope::all, {}) == Errc::not_supported));
  Revision revision = 0;
  while (f.sink->room() > 0) BOOST_REQUIRE(!f.sink->put(f.up, nullptr, ++revision));
  BOOST_TEST((f.sink->put(f.up, nullptr, ++revision) == Errc::no_room));
}
