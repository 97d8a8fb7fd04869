// SPDX-License-Identifier: Apache-2.0
// How the engine handles a store's messages: refused rows and read-backs in the store's own words, troubles that fail
// no row, a connection that was closed while idle, and rows and fields that cannot be read.
#define BOOST_TEST_MODULE store_words
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "core/sync_engine.hpp"
#include "support/cpp/fakes.hpp"
#include "support/cpp/recorder.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using Kind = SyncEvent::Kind;

namespace {

// A store of one row that reports results at once. `text` accompanies its errors.
class Store final : public StateSink, public StoreWords {
 public:
  [[nodiscard]] int fd() const noexcept override { return -1; }
  [[nodiscard]] std::error_code process() override { return {}; }
  [[nodiscard]] std::error_code start(Observer& given) override {
    observer = &given;
    return {};
  }
  [[nodiscard]] std::error_code read_back(Scope scope, const std::vector<std::string_view>&) override {
    scopes.push_back(scope);
    return {};
  }
  [[nodiscard]] std::error_code put(const PortRecord& record, const PortRecord*, Revision revision) override {
    if (!open) return Errc::not_open;
    puts.push_back(record.port);
    last = revision;
    return {};
  }
  [[nodiscard]] std::error_code erase(std::string_view port, Revision revision) override {
    erases.emplace_back(port);
    last = revision;
    return {};
  }
  [[nodiscard]] std::error_code flush() override { return {}; }
  [[nodiscard]] std::size_t room() const noexcept override { return open ? 8 : 0; }
  [[nodiscard]] SinkStatistics statistics() const override { return {}; }
  [[nodiscard]] const std::string& error_text() const noexcept override { return text; }
  [[nodiscard]] const std::string& trouble() const noexcept override { return fault; }
  [[nodiscard]] bool trouble_ends_by_reading() const noexcept override { return ends_by_reading; }

  Observer* observer = nullptr;
  bool open = false;
  std::string text;
  std::string fault;
  bool ends_by_reading = false;
  std::vector<Scope> scopes;
  std::vector<std::string> puts;
  std::vector<std::string> erases;
  Revision last = 0;
};

const std::error_code refused{ENOSPC, std::system_category()};

struct Fixture {
  Fixture() : engine(source, {}) {
    engine.add_sink(store, test_projection(), "store");
    engine.set_listener([this](const SyncEvent& event) {
      recorder(event);
      texts.emplace_back(event.text);
    });
    engine.set_health_monitor(monitor);
    BOOST_REQUIRE(!engine.start(now));
    turn();
    source.snapshot_begin(Cause::initial);
    source.change(make_link(100, "Ethernet0"), Cause::initial);
    source.snapshot_end(Cause::initial);
    source.drained();
  }
  void turn(std::chrono::nanoseconds time = 1us) {
    now += time;
    source.now = now;
    engine.set_now(now);
    engine.run();
  }
  void open() {
    store.open = true;
    store.observer->on_open();
    turn();
  }
  using Fields = std::vector<std::pair<std::string_view, std::string_view>>;
  void found(const Fields& fields, std::string_view unread = {}, bool readable = true,
             std::string_view port = "Ethernet0") {
    store.observer->on_row({port, &fields, StoredRow::Owner::unknown, unread, readable});
  }
  void read(std::error_code error = {}) {
    store.observer->on_read_back(error);
    turn();
  }
  void stored(std::error_code error = {}) {
    store.observer->on_result("Ethernet0", store.last, error);
    turn();
  }
  // Opens the store, with a row that equals the link.
  void begin() {
    open();
    found(as_it_is);
    read();
    forget();
  }
  void audit() {
    BOOST_TEST(!engine.audit(Scope::listed));
    turn();
  }
  void forget() {
    recorder.events.clear();
    texts.clear();
    store.scopes.clear();
    store.puts.clear();
  }
  SinkReport report() {
    turn(2s);
    return monitor.reports.back().sinks.at(0);
  }

  const Fields as_it_is{{"oper", "up"}, {"mtu", "1500"}};
  TimePoint now{1h};
  FakeSource source;
  Store store;
  core::SyncEngine engine;
  Recorder recorder;
  RecordingMonitor monitor;
  std::vector<std::string> texts;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(words, Fixture)

BOOST_AUTO_TEST_CASE(a_refused_row_is_an_event_and_a_trouble_in_the_stores_words) {
  open();
  read();
  store.text = "PORT_TABLE|Ethernet0: WRONGTYPE Operation against a key";
  stored(refused);
  BOOST_TEST(recorder.count(Kind::row_refused) == 1U);
  BOOST_TEST(texts.back() == store.text);
  const std::string said = store.text;
  store.text = "something else, later";
  BOOST_TEST(report().error == said);
}

BOOST_AUTO_TEST_CASE(without_words_the_error_says_it) {
  open();
  read();
  stored(refused);
  BOOST_TEST(report().error == refused.message());
}

BOOST_AUTO_TEST_CASE(why_it_is_not_open_is_an_event_and_a_trouble_in_the_stores_words) {
  begin();
  store.text = "SELECT 99: ERR DB index is out of range";
  store.open = false;
  store.observer->on_closed(refused);
  BOOST_TEST(recorder.count(Kind::sink_closed) == 1U);
  BOOST_TEST(texts.back() == store.text);
  BOOST_TEST(report().error == store.text);
}

// With a renamed HMGET no audit ever completed, and nothing reported that.
BOOST_AUTO_TEST_CASE(a_read_back_that_fails_is_a_trouble_until_one_does_not) {
  begin();
  store.text = "PORT_TABLE: LOADING Redis is loading";
  audit();
  read(refused);
  BOOST_TEST(recorder.count(Kind::store_trouble) == 1U);
  BOOST_TEST(texts.back() == "rows cannot be read back, PORT_TABLE: LOADING Redis is loading");
  BOOST_TEST(report().compare_error == store.text);
  BOOST_TEST(report().open);
  turn(10s);
  found(as_it_is);
  read();
  BOOST_TEST(report().compare_error == "");
  BOOST_TEST(texts.back() == "");
}

BOOST_AUTO_TEST_CASE(a_trouble_without_a_failed_row_is_an_event_and_a_trouble_once) {
  begin();
  store.fault = "the index cannot be kept, PORT_TABLE: WRONGTYPE";
  turn();
  turn();
  BOOST_TEST(recorder.count(Kind::store_trouble) == 1U);
  BOOST_TEST(report().trouble == store.fault);
  store.fault.clear();
  BOOST_TEST(report().trouble == "");
  BOOST_TEST(recorder.count(Kind::store_trouble) == 2U);
}

// Late writes of a lost connection may be executed after the read-back that follows.
BOOST_AUTO_TEST_CASE(a_store_with_a_trouble_is_compared_once_more_soon_after_it_opened) {
  store.fault = "late writes of a lost connection cannot be prevented, CLIENT KILL: NOPERM";
  begin();
  turn(1s);
  BOOST_TEST(store.scopes.empty());
  BOOST_REQUIRE(engine.deadline().has_value());
  turn(*engine.deadline() - now);
  BOOST_TEST((store.scopes == std::vector<Scope>{Scope::all}));
  found({{"oper", "down"}, {"mtu", "1500"}});
  read();
  BOOST_TEST(store.puts.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(unreadable, Fixture)

// With a Redis user that may write but not read, every audit wrote every row.
BOOST_AUTO_TEST_CASE(a_row_that_cannot_be_read_is_not_written_again) {
  begin();
  audit();
  found({}, {}, false);
  read();
  BOOST_TEST(recorder.of(Kind::audit_completed).at(0).count == 0U);
  BOOST_TEST(store.puts.empty());
}

BOOST_AUTO_TEST_CASE(a_row_of_which_nothing_was_ever_known_is_written_once) {
  open();
  found({}, {}, false);
  read();
  BOOST_TEST(store.puts.size() == 1U);
  stored();
  audit();
  found({}, {}, false);
  read();
  BOOST_TEST(store.puts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_row_without_a_port_is_not_removed_while_it_cannot_be_read) {
  open();
  found(as_it_is);
  found({}, {}, false, "Ethernet99");
  read();
  BOOST_TEST(store.erases.empty());
}

// With an index of a wrong type, every audit reported repairs.
BOOST_AUTO_TEST_CASE(a_field_that_cannot_be_read_is_no_drift) {
  begin();
  audit();
  found({{"oper", "up"}}, "mtu");
  read();
  BOOST_TEST(recorder.of(Kind::audit_completed).at(0).count == 0U);
  BOOST_TEST(store.puts.empty());
  audit();
  found({{"oper", "up"}});
  read();
  BOOST_TEST(recorder.of(Kind::audit_completed).at(1).count == 1U);
  BOOST_TEST(store.puts.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(idle, Fixture)

// A server with `timeout 5` caused 15 changes of health in half a minute on a quiet switch.
BOOST_AUTO_TEST_CASE(an_idle_connection_that_was_closed_is_reopened_without_a_word_and_audited) {
  begin();
  const std::size_t reports = monitor.reports.size();
  store.open = false;
  store.observer->on_closed(Errc::try_again);
  turn();
  BOOST_TEST(engine.port("Ethernet0", now)->in_sync);
  open();
  BOOST_TEST((store.scopes == std::vector<Scope>{Scope::all}));
  BOOST_TEST(recorder.events.empty());
  BOOST_TEST(monitor.reports.size() == reports);
  found(as_it_is);
  read();
  BOOST_TEST(recorder.count(Kind::audit_completed) == 1U);
}

BOOST_AUTO_TEST_CASE(what_changes_meanwhile_is_written_once_it_is_open) {
  begin();
  store.open = false;
  store.observer->on_closed(Errc::try_again);
  source.change(make_link(100, "Ethernet0", true, 9100));
  source.drained();
  turn();
  BOOST_TEST(!engine.drained());
  BOOST_TEST(store.puts.empty());
  open();
  BOOST_TEST(store.puts.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_sink_that_cannot_be_reopened_is_reported_like_any_other) {
  begin();
  store.open = false;
  store.observer->on_closed(Errc::try_again);
  store.observer->on_closed(refused);
  turn();
  BOOST_TEST(recorder.count(Kind::sink_closed) == 1U);
  BOOST_TEST(!report().open);
  open();
  BOOST_TEST((store.scopes == std::vector<Scope>{Scope::all}));
  BOOST_TEST(recorder.count(Kind::sink_opened) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_CASE(a_trouble_that_reading_may_end_is_read_until_it_is_over, Fixture) {
  begin();
  store.fault = "the index cannot be kept";
  store.ends_by_reading = true;
  turn();
  BOOST_TEST(store.scopes.empty());  // not at once
  turn(2s);
  BOOST_REQUIRE(store.scopes.size() == 1U);
  BOOST_TEST((store.scopes[0] == Scope::all));
  found(as_it_is);
  read();
  turn(2s);
  BOOST_REQUIRE(store.scopes.size() == 2U);  // again, for as long as it lasts
  store.fault.clear();
  store.ends_by_reading = false;
  found(as_it_is);
  read();
  turn(10s);
  BOOST_TEST(store.scopes.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_trouble_that_reading_does_not_end_is_not_read_for_ever, Fixture) {
  begin();
  store.fault = "late writes";
  turn(2s);
  turn(2s);
  BOOST_TEST(store.scopes.empty());
}

BOOST_FIXTURE_TEST_CASE(a_trouble_that_begins_again_with_the_reading_that_ended_it_is_read_again, Fixture) {
  begin();
  store.fault = "the index cannot be kept";
  store.ends_by_reading = true;
  turn();
  turn(2s);
  BOOST_REQUIRE(store.scopes.size() == 1U);
  found(as_it_is);
  store.fault.clear();
  store.ends_by_reading = false;
  store.observer->on_read_back({});
  store.fault = "the index cannot be kept";  // a write that was sent during the reading was refused
  store.ends_by_reading = true;
  turn();
  turn(2s);
  BOOST_TEST(store.scopes.size() == 2U);
}
