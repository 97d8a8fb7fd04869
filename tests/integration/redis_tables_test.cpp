// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_tables
#include <boost/test/unit_test.hpp>
#include <optional>
#include <portsync/error.hpp>
#include <portsync/redis/tables.hpp>
#include <string>
#include <vector>

#include "support/cpp/drive.hpp"
#include "support/cpp/fake_redis.hpp"
#include "support/cpp/redis_channel.hpp"
#include "support/cpp/redis_database.hpp"
#include "support/cpp/redis_server.hpp"
#include "support/cpp/wait.hpp"

using namespace portsync;
using namespace portsync::test;
using namespace std::chrono_literals;
using redis::FieldValues;
using redis::TableRow;
using Names = std::set<std::string, std::less<>>;
using Strings = std::vector<std::string>;

namespace {

const std::string binary("\0\r\n\xff*[?", 7);

// From then on, Redis refuses commands that add data. Data can still be read and removed.
const Strings no_memory{"CONFIG", "SET", "maxmemory", "1"};

struct Fixture : DatabaseFixture {
  int answers = 0;
  std::error_code error;
  FieldValues fields;
  std::vector<TableRow> rows;
  Names names;

  // Handlers that store what they receive.
  auto keep() {
    return [this](std::error_code given) { on_answer(given); };
  }
  auto keep_fields() {
    return [this](std::error_code given, const FieldValues& read) {
      fields = read;
      on_answer(given);
    };
  }
  auto keep_rows() {
    return [this](std::error_code given, const std::vector<TableRow>& read) {
      rows = read;
      on_answer(given);
    };
  }
  auto keep_names() {
    return [this](std::error_code given, const Names& read) {
      names = read;
      on_answer(given);
    };
  }
  void on_answer(std::error_code given) {
    error = given;
    ++answers;
  }
  // Waits for the call's reply, and returns its error.
  std::error_code done(std::error_code call) {
    BOOST_REQUIRE(!call);
    const int before = answers;
    until([&] { return answers > before; });
    BOOST_TEST(answers == before + 1);
    return error;
  }

  redis::TableReader reader(const std::string& table = "PORT", const std::string& separator = "|") {
    return {*database, table, separator};
  }
  redis::TableWriter writer() { return {*database, "PORT_TABLE", "|"}; }
  redis::ProducerTable producer() { return {*database, "PORT_TABLE", ":", 0}; }
};

std::vector<TableRow> ports(int count, int field_count) {
  std::vector<TableRow> rows;
  for (int i = 0; i < count; ++i) {
    TableRow row{"Ethernet" + std::to_string(i * 4), {}};
    for (int field = 0; field < field_count; ++field) {
      row.fields.emplace_back("field" + std::to_string(field), std::to_string(i + field));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Pops as orchagent's consumer does (sonic-swss-common's consumer_state_table_pops.lua).
const char* const pops = R"(local names = redis.call('SPOP', KEYS[1], ARGV[1])
for _, name in ipairs(names) do
  if redis.call('SREM', KEYS[3], name) > 0 then redis.call('DEL', KEYS[2] .. name) end
  local fields = redis.call('HGETALL', '_' .. KEYS[2] .. name)
  for i = 1, #fields, 2 do redis.call('HSET', KEYS[2] .. name, fields[i], fields[i + 1]) end
  redis.call('DEL', '_' .. KEYS[2] .. name)
end
return #names)";

struct ProducerFixture : Fixture {
  ProducerFixture() { open(); }
  int pop() {
    return std::stoi(
        server({"EVAL", pops, "3", "PORT_TABLE_KEY_SET", "PORT_TABLE:", "PORT_TABLE_DEL_SET", "8192", "_"}));
  }
  std::string sorted(const Strings& command) {
    return server({"EVAL", "local r = redis.call(unpack(ARGV)) table.sort(r) return r", "0", command[0], command[1]});
  }

  RedisChannel channel{server.socket_path(), "PORT_TABLE_CHANNEL@0"};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_row_is_read, Fixture) {
  open();
  server({"HSET", "PORT|Ether[net*", binary, binary, "", ""});
  server({"HSET", "PORT|Ethernet", "mtu", "1"});
  BOOST_TEST(!done(reader().read("Ether[net*", keep_fields())));
  BOOST_TEST((fields == FieldValues{{binary, binary}, {"", ""}}));
  BOOST_TEST(!done(reader().read("Ethernet99", keep_fields())));
  BOOST_TEST(fields.empty());
}

BOOST_FIXTURE_TEST_CASE(what_is_not_a_row_is_an_error_to_read, Fixture) {
  open();
  server({"SET", "PORT|Ethernet0", "x"});
  BOOST_TEST(done(reader().read("Ethernet0", keep_fields())) == make_error_code(redis::Errc::wrongtype));
  BOOST_TEST(fields.empty());
}

BOOST_FIXTURE_TEST_CASE(all_rows_are_read_in_the_order_of_their_names, Fixture) {
  open();
  server({"HSET", "PORT|Ethernet8", "lanes", "8"});
  server({"HSET", "PORT|Ethernet0", "lanes", "0", "mtu", "9100"});
  server({"HSET", "PORT|Ether[net*", binary, binary});
  for (const char* other : {"PORT", "PORT|", "PORTX|E", "xPORT|E", "PORT_TABLE|E"}) server({"HSET", other, "f", "v"});
  server({"SET", "PORT|Ethernet4", "not a row"});
  BOOST_TEST(!done(reader().read_all(keep_rows())));
  BOOST_REQUIRE(rows.size() == 3U);
  BOOST_TEST(rows[0].name == "Ether[net*");
  BOOST_TEST((rows[0].fields == FieldValues{{binary, binary}}));
  BOOST_TEST(rows[1].name == "Ethernet0");
  BOOST_TEST((rows[1].fields == FieldValues{{"lanes", "0"}, {"mtu", "9100"}}));
  BOOST_TEST(rows[2].name == "Ethernet8");
}

BOOST_FIXTURE_TEST_CASE(an_empty_table_is_an_answer_too, Fixture) {
  open();
  BOOST_TEST(!done(reader().read_all(keep_rows())));
  BOOST_TEST(rows.empty());
  BOOST_TEST(!done(reader().names(keep_names())));
  BOOST_TEST(names.empty());
}

BOOST_FIXTURE_TEST_CASE(a_table_of_thousands_among_others_is_read_whole, Fixture) {
  open();
  server({"EVAL", "for i = 1, 5000 do redis.call('HSET', 'PORT|E' .. i, 'n', i) redis.call('SET', 'other' .. i, 1) end",
          "0"});
  BOOST_TEST(!done(reader().read_all(keep_rows())));
  BOOST_TEST(rows.size() == 5000U);
  for (const TableRow& row : rows) {
    if ('E' + row.fields.at(0).second != row.name) BOOST_FAIL(row.name);
  }
  BOOST_TEST(!done(reader().names(keep_names())));
  BOOST_TEST(names.size() == 5000U);
}

BOOST_FIXTURE_TEST_CASE(a_table_without_an_end_is_refused, Fixture) {
  open();
  server({"EVAL", "for i = 1, 65537 do redis.call('HSET', 'PORT|E' .. i, 'n', i) end", "0"});
  BOOST_TEST(done(reader().names(keep_names())) == make_error_code(redis::Errc::protocol));
  BOOST_TEST(names.empty());
  server({"DEL", "PORT|E1"});
  BOOST_TEST(!done(reader().names(keep_names())));
  BOOST_TEST(names.size() == 65536U);
}

BOOST_FIXTURE_TEST_CASE(what_a_glob_would_mean_is_taken_literally, Fixture) {
  open();
  server({"HSET", "P*[a]?|Ethernet0", "f", "v"});
  server({"HSET", "PQaR|Ethernet4", "f", "v"});
  BOOST_TEST(!done(reader("P*[a]?").names(keep_names())));
  BOOST_TEST((names == Names{"Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(of_some_names_those_that_are_there, Fixture) {
  open();
  for (const char* name : {"a", "b", "c", "*"}) server({"HSET", std::string("PORT|") + name, "f", "v"});
  BOOST_TEST(!done(reader().existing({"b", "x", "*", "b", "?"}, keep_names())));
  BOOST_TEST((names == Names{"*", "b"}));
  BOOST_TEST(!done(reader().existing({}, keep_names())));
  BOOST_TEST(names.empty());
}

BOOST_FIXTURE_TEST_CASE(a_reading_that_is_refused_says_so_once, Fixture) {
  open();
  for (int i = 0; i < 10; ++i) server({"HSET", "PORT|E" + std::to_string(i), "f", "v"});
  server({"ACL", "SETUSER", "default", "-hgetall"});
  BOOST_TEST(done(reader().read_all(keep_rows())) == make_error_code(redis::Errc::noperm));
  BOOST_TEST(rows.empty());
  server({"ACL", "SETUSER", "default", "+hgetall", "-scan", "-exists"});
  BOOST_TEST(done(reader().read_all(keep_rows())) == make_error_code(redis::Errc::noperm));
  BOOST_TEST(done(reader().names(keep_names())) == make_error_code(redis::Errc::noperm));
  BOOST_TEST(done(reader().existing({"E0", "E1"}, keep_names())) == make_error_code(redis::Errc::noperm));
  BOOST_TEST(names.empty());
  BOOST_TEST(database->open());
}

BOOST_FIXTURE_TEST_CASE(calls_whose_connection_is_lost_are_answered_once, Fixture) {
  open();
  server({"EVAL", "for i = 1, 3000 do redis.call('HSET', 'PORT|E' .. i, 'n', i) end", "0"});
  // The connection is lost while rows are outstanding.
  BOOST_REQUIRE(!reader().read_all(keep_rows()));
  for (int i = 0; i < 5; ++i) BOOST_REQUIRE(!database->process());
  server.pause();
  BOOST_REQUIRE(!reader().names(keep_names()));
  BOOST_REQUIRE(!reader().existing({"a", "b", "c"}, keep_names()));
  BOOST_REQUIRE(!producer().set(ports(300, 2), keep()));
  BOOST_REQUIRE(!producer().del({"Ethernet0"}, keep()));
  BOOST_REQUIRE(!producer().set({}, keep()));
  BOOST_REQUIRE(!database->process());
  server.kill();
  until([this] { return !closed.empty(); });
  BOOST_TEST(answers == 6);
  BOOST_TEST(error == closed.front());
  const auto not_open = make_error_code(portsync::Errc::not_open);
  BOOST_TEST(reader().read("Ethernet0", keep_fields()) == not_open);
  BOOST_TEST(reader().read_all(keep_rows()) == not_open);
  BOOST_TEST(reader().names(keep_names()) == not_open);
  BOOST_TEST(reader().existing({"a", "b"}, keep_names()) == not_open);
  BOOST_TEST(reader().existing({}, keep_names()) == not_open);
  BOOST_TEST(writer().set("Ethernet0", {{"f", "v"}}, keep()) == not_open);
  BOOST_TEST(writer().del("Ethernet0", keep()) == not_open);
  BOOST_TEST(producer().set(ports(300, 2), keep()) == not_open);
  BOOST_TEST(producer().set({}, keep()) == not_open);
  BOOST_TEST(producer().del({"a"}, keep()) == not_open);
  BOOST_TEST(answers == 6);
}

BOOST_FIXTURE_TEST_CASE(fields_are_set_by_one_event_and_others_left_alone, Fixture) {
  open();
  server({"CONFIG", "SET", "notify-keyspace-events", "AKE"});
  server({"HSET", "PORT_TABLE|Ethernet0", "host_tx_ready", "true"});
  RedisChannel events(server.socket_path(), "__keyspace@0__:PORT_TABLE|Ethernet0");
  BOOST_TEST(!done(writer().set("Ethernet0", {{"state", "ok"}, {"mtu", binary}}, keep())));
  BOOST_TEST(server({"HGET", "PORT_TABLE|Ethernet0", "host_tx_ready"}) == "true");
  BOOST_TEST(server({"HGET", "PORT_TABLE|Ethernet0", "mtu"}) == binary);
  BOOST_TEST(!done(writer().del("Ethernet0", keep())));
  BOOST_TEST(server({"EXISTS", "PORT_TABLE|Ethernet0"}) == "0");
  BOOST_TEST(!done(writer().del("Ethernet0", keep())));
  BOOST_TEST(events.messages() == (Strings{"hset", "del"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(writes_that_are_refused_say_so, Fixture) {
  open();
  server({"SET", "PORT_TABLE|Ethernet0", "x"});
  BOOST_TEST(done(writer().set("Ethernet0", {{"f", "v"}}, keep())) == make_error_code(redis::Errc::wrongtype));
  server(no_memory);
  BOOST_TEST(done(writer().set("Ethernet4", {{"f", "v"}}, keep())) == make_error_code(redis::Errc::oom));
  BOOST_TEST((writer().set("Ethernet4", {}, keep()) == std::errc::invalid_argument));
  BOOST_REQUIRE(!writer().del("Ethernet0", {}));
  BOOST_TEST(!done(database->command({"PING"}, [this](std::error_code e, const redis::Answer&) { on_answer(e); })));
  BOOST_TEST(server({"EXISTS", "PORT_TABLE|Ethernet0"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(a_row_is_staged_and_announced_as_sonics_producer_does, ProducerFixture) {
  BOOST_TEST(!done(producer().set({{"Ethernet0", {{"lanes", "0,1,2,3"}, {"alias", "etp1"}}}}, keep())));
  BOOST_TEST(server({"SMEMBERS", "PORT_TABLE_KEY_SET"}) == "Ethernet0");
  BOOST_TEST(server({"HGETALL", "_PORT_TABLE:Ethernet0"}) == "lanes 0,1,2,3 alias etp1");
  BOOST_TEST(sorted({"KEYS", "*"}) == "PORT_TABLE_KEY_SET _PORT_TABLE:Ethernet0");
  BOOST_TEST(channel.messages() == (Strings{"G"}), boost::test_tools::per_element());
  // A row that already waits is not published again, and keeps the fields it has.
  BOOST_TEST(!done(producer().set({{"Ethernet0", {{"alias", "other"}}}}, keep())));
  BOOST_TEST(server({"HGETALL", "_PORT_TABLE:Ethernet0"}) == "lanes 0,1,2,3 alias other");
  BOOST_TEST(channel.messages().empty());
  BOOST_TEST(pop() == 1);
  BOOST_TEST(server({"KEYS", "*"}) == "PORT_TABLE:Ethernet0");
  BOOST_TEST(!done(producer().set({{"Ethernet0", {{"alias", "third"}}}}, keep())));
  BOOST_TEST(channel.messages() == (Strings{"G"}), boost::test_tools::per_element());
  BOOST_TEST(pop() == 1);
  BOOST_TEST(server({"HGETALL", "PORT_TABLE:Ethernet0"}) == "lanes 0,1,2,3 alias third");
}

BOOST_FIXTURE_TEST_CASE(a_row_is_deleted_as_sonics_producer_does, ProducerFixture) {
  server({"HSET", "PORT_TABLE:Ethernet0", "alias", "etp1"});
  BOOST_TEST(!done(producer().set({{"Ethernet0", {{"mtu", "9100"}}}, {"Ethernet4", {}}}, keep())));
  BOOST_TEST(channel.messages().size() == 2U);
  BOOST_TEST(!done(producer().del({"Ethernet0", "Ethernet8"}, keep())));
  BOOST_TEST(channel.messages() == (Strings{"G"}), boost::test_tools::per_element());
  BOOST_TEST(sorted({"SMEMBERS", "PORT_TABLE_KEY_SET"}) == "Ethernet0 Ethernet4 Ethernet8");
  BOOST_TEST(sorted({"SMEMBERS", "PORT_TABLE_DEL_SET"}) == "Ethernet0 Ethernet8");
  BOOST_TEST(server({"EXISTS", "_PORT_TABLE:Ethernet0"}) == "0");
  // Set again before the consumer took it: the consumer deletes the old row first.
  BOOST_TEST(!done(producer().set({{"Ethernet0", {{"speed", "100000"}}}}, keep())));
  BOOST_TEST(channel.messages().empty());
  BOOST_TEST(sorted({"SMEMBERS", "PORT_TABLE_DEL_SET"}) == "Ethernet0 Ethernet8");
  BOOST_TEST(pop() == 3);
  BOOST_TEST(sorted({"KEYS", "*"}) == "PORT_TABLE:Ethernet0 PORT_TABLE:Ethernet4");
  BOOST_TEST(server({"HGETALL", "PORT_TABLE:Ethernet0"}) == "speed 100000");
}

BOOST_FIXTURE_TEST_CASE(each_row_that_did_not_wait_has_a_message, ProducerFixture) {
  server({"SADD", "PORT_TABLE_KEY_SET", "Ethernet4"});
  BOOST_TEST(!done(producer().set(ports(5, 1), keep())));
  BOOST_TEST(channel.messages() == (Strings(4, "G")), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(names_and_values_are_any_bytes_and_a_row_without_fields_is_null, ProducerFixture) {
  BOOST_TEST(!done(
      producer().set({{"Ether[net*", {{binary, binary}, {"", ""}}}, {"PortX", {}}, {binary, {{"a", "b"}}}}, keep())));
  BOOST_TEST(server({"HGET", "_PORT_TABLE:Ether[net*", binary}) == binary);
  BOOST_TEST(server({"HEXISTS", "_PORT_TABLE:Ether[net*", ""}) == "1");
  BOOST_TEST(server({"HGETALL", "_PORT_TABLE:PortX"}) == "NULL NULL");
  BOOST_TEST(server({"HGETALL", "_PORT_TABLE:" + binary}) == "a b");
  BOOST_TEST(server({"SCARD", "PORT_TABLE_KEY_SET"}) == "3");
}

BOOST_FIXTURE_TEST_CASE(another_table_and_database_have_other_names, Fixture) {
  options.database = 3;
  open();
  redis::ProducerTable table(*database, "T", "/", 3);
  RedisChannel channel(server.socket_path(), "T_CHANNEL@3");
  BOOST_TEST(!done(table.set({{"a", {{"f", "v"}}}}, keep())));
  BOOST_TEST(!done(table.del({"b"}, keep())));
  BOOST_TEST(channel.messages().size() == 2U);
  auto client = server.client();
  client({"SELECT", "3"});
  BOOST_TEST(client({"EXISTS", "_T/a", "T_KEY_SET", "T_DEL_SET"}) == "3");
  BOOST_TEST(client({"DBSIZE"}) == "3");
}

BOOST_FIXTURE_TEST_CASE(a_call_for_nothing_is_answered_in_its_turn, ProducerFixture) {
  BOOST_REQUIRE(!producer().set({}, keep()));
  BOOST_TEST(answers == 0);
  BOOST_TEST(!done({}));
  BOOST_TEST(!done(producer().del({}, keep())));
  BOOST_TEST(server({"DBSIZE"}) == "0");
  BOOST_REQUIRE(!producer().set({{"a", {}}}, {}));
  BOOST_TEST(!done(producer().del({}, keep())));
}

BOOST_FIXTURE_TEST_CASE(a_row_of_many_fields_and_a_table_of_many_rows, ProducerFixture) {
  std::vector<TableRow> many = ports(1028, 8);
  for (int i = 0; i < 20'001; ++i) many[500].fields.emplace_back("more" + std::to_string(i), std::to_string(i));
  server({"CONFIG", "RESETSTAT"});
  BOOST_TEST(!done(producer().set(many, keep())));
  BOOST_TEST(channel.messages().size() == 1028U);
  BOOST_TEST(server({"HLEN", "_PORT_TABLE:Ethernet2000"}) == "20009");
  BOOST_TEST(server({"HGET", "_PORT_TABLE:Ethernet2000", "more20000"}) == "20000");
  BOOST_TEST(server({"HGET", "_PORT_TABLE:Ethernet4108", "field7"}) == "1034");
  // Each script sets at most 128 rows, because Redis does nothing else meanwhile.
  BOOST_TEST(server({"INFO", "commandstats"}).find("cmdstat_eval:calls=9,") != std::string::npos);
  BOOST_TEST(pop() == 1028);
  BOOST_TEST(server({"DBSIZE"}) == "1028");
  std::vector<std::string> all;
  for (const TableRow& row : many) all.push_back(row.name);
  BOOST_TEST(!done(producer().del(all, keep())));
  BOOST_TEST(channel.messages().size() == 1028U);
  BOOST_TEST(pop() == 1028);
  BOOST_TEST(server({"DBSIZE"}) == "0");
}

BOOST_FIXTURE_TEST_CASE(a_switch_of_1028_ports_is_staged_in_milliseconds, ProducerFixture) {
  const auto many = ports(1028, 8);
  const TimePoint begin = Clock::now();
  BOOST_TEST(!done(producer().set(many, keep())));
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  BOOST_TEST_MESSAGE("1028 rows of 8 fields: " << time.count() << " us");
  BOOST_TEST(time.count() < 1'000'000);  // the limit is for a busy machine and sanitizers; tests/bench has the figure
}

BOOST_FIXTURE_TEST_CASE(a_row_that_is_refused_is_not_announced_and_the_others_are, ProducerFixture) {
  server({"SET", "_PORT_TABLE:Ethernet4", "not a hash"});
  BOOST_TEST(done(producer().set(ports(3, 1), keep())) == make_error_code(redis::Errc::wrongtype));
  BOOST_TEST(database->last_error().find("WRONGTYPE") != std::string::npos);
  BOOST_TEST(sorted({"SMEMBERS", "PORT_TABLE_KEY_SET"}) == "Ethernet0 Ethernet8");
  BOOST_TEST(channel.messages().size() == 2U);
  // Once it can be stored, it is published.
  server({"DEL", "_PORT_TABLE:Ethernet4"});
  BOOST_TEST(!done(producer().set(ports(3, 1), keep())));
  BOOST_TEST(channel.messages().size() == 1U);
  // A refusal in the first of several scripts is not lost because the others succeed.
  server({"DEL", "PORT_TABLE_DEL_SET"});
  server({"SET", "_PORT_TABLE:Ethernet0", "not a hash"});
  BOOST_TEST(done(producer().set(ports(300, 1), keep())) == make_error_code(redis::Errc::wrongtype));
  BOOST_TEST(server({"SCARD", "PORT_TABLE_KEY_SET"}) == "300");
}

BOOST_FIXTURE_TEST_CASE(a_server_without_memory_takes_none_and_says_so, ProducerFixture) {
  server(no_memory);
  BOOST_TEST(done(producer().set(ports(3, 2), keep())) == make_error_code(redis::Errc::oom));
  BOOST_TEST(done(producer().del({"Ethernet0"}, keep())) == make_error_code(redis::Errc::oom));
  BOOST_TEST(channel.messages().empty());
  BOOST_TEST(server({"DBSIZE"}) == "0");
  server({"CONFIG", "SET", "maxmemory", "0"});
  BOOST_TEST(!done(producer().set(ports(3, 2), keep())));
  BOOST_TEST(channel.messages().size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_user_with_these_keys_and_this_channel_may, ProducerFixture) {
  server({"ACL", "SETUSER", "default", "resetkeys", "~PORT_TABLE_KEY_SET", "~PORT_TABLE_DEL_SET", "~_PORT_TABLE:*",
          "resetchannels", "&PORT_TABLE_CHANNEL@0"});
  BOOST_TEST(!done(producer().set(ports(2, 2), keep())));
  BOOST_TEST(!done(producer().del({"Ethernet0"}, keep())));
  redis::ProducerTable other(*database, "OTHER", ":", 0);
  BOOST_TEST(done(other.set(ports(1, 1), keep())) == make_error_code(redis::Errc::noperm));
  BOOST_TEST(channel.messages().size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_row_whose_message_is_refused_notifies_no_consumer_until_it_is_sent, ProducerFixture) {
  server({"ACL", "SETUSER", "default", "-srem", "-publish"});  // "resetchannels" would close the test's own channel, too
  for (int attempt = 0; attempt < 2; ++attempt) {
    BOOST_TEST(static_cast<bool>(done(producer().set(ports(2, 1), keep()))));
    BOOST_TEST(database->last_error().find("(PUBLISH PORT_TABLE_CHANNEL@0)") != std::string::npos);
    BOOST_TEST(static_cast<bool>(done(producer().del({"Ethernet8"}, keep()))));
    BOOST_TEST(server({"EXISTS", "PORT_TABLE_KEY_SET"}) == "0");
  }
  server({"ACL", "SETUSER", "default", "+publish"});
  BOOST_TEST(!done(producer().set(ports(2, 1), keep())));
  BOOST_TEST(channel.messages().size() == 2U);
  BOOST_TEST(sorted({"SMEMBERS", "PORT_TABLE_KEY_SET"}) == "Ethernet0 Ethernet4");
}

BOOST_FIXTURE_TEST_CASE(views_may_go_before_their_answers_come, Fixture) {
  open();
  server({"HSET", "PORT|Ethernet0", "lanes", "0"});
  {
    auto view = std::make_optional(reader());
    BOOST_REQUIRE(!view->read_all(keep_rows()));
    BOOST_REQUIRE(!view->existing({"Ethernet0"}, keep_names()));
    view.reset();
  }
  BOOST_REQUIRE(!producer().set(ports(2, 2), keep()));
  until([this] { return answers == 3; });
  BOOST_TEST(rows.size() == 1U);
  BOOST_TEST((names == Names{"Ethernet0"}));
}

BOOST_FIXTURE_TEST_CASE(a_database_destroyed_with_calls_on_their_way_is_no_trouble, Fixture) {
  open();
  BOOST_REQUIRE(!reader().read_all(keep_rows()));
  BOOST_REQUIRE(!producer().set(ports(300, 2), keep()));
  database.reset();
  BOOST_TEST(answers == 0);
}

// A server that replies what no real one does, or none on demand.
struct FakeFixture : redis::Database::Observer {
  FakeFixture() {
    redis::ConnectionOptions options;
    options.socket_path = directory.file("fake.sock");
    database = redis::make_database(options);
    BOOST_REQUIRE(!database->start(*this));
    BOOST_REQUIRE(drive_until(*database, {&server}, [this] { return open; }));
  }
  void on_open() override { open = true; }
  void on_closed(std::error_code) override { open = false; }

  // The results of all calls when this command gets this reply.
  std::error_code heard(const std::string& command, const std::string& answer) {
    server.script = [&](const std::string& line) -> std::optional<std::string> {
      if (line.starts_with(command)) return answer;
      if (line.starts_with("SCAN")) return array({bulk("0"), bulks({"PORT|a", "PORT|b"})});
      return std::nullopt;
    };
    int answered = 0;
    std::error_code error;
    const auto handler = [&](std::error_code given, const auto& result) {
      BOOST_TEST(result.empty());
      error = given;
      ++answered;
    };
    redis::TableReader reader(*database, "PORT", "|");
    if (command == "HGETALL PORT|x") BOOST_REQUIRE(!reader.read("x", handler));
    if (command == "HGETALL PORT|b" || command == "SCAN") BOOST_REQUIRE(!reader.read_all(handler));
    if (command == "EXISTS") BOOST_REQUIRE(!reader.existing({"a", "b"}, handler));
    BOOST_REQUIRE(drive_until(*database, {&server}, [&] { return answered == 1; }));
    return error;
  }

  TemporaryDirectory directory;
  FakeRedis server{directory.file("fake.sock")};
  std::unique_ptr<redis::Database> database;
  bool open = false;
};

BOOST_FIXTURE_TEST_CASE(answers_that_do_not_fit_are_reported_and_the_next_call_works, FakeFixture) {
  const auto protocol = make_error_code(redis::Errc::protocol);
  for (const char* reading : {"HGETALL PORT|x", "HGETALL PORT|b"}) {
    for (const std::string& answer : {std::string(":1\r\n"), nil, ok, bulks({"f", "v", "g"})}) {
      BOOST_TEST(heard(reading, answer) == protocol);
    }
  }
  for (const std::string& answer : {std::string(":1\r\n"), nil, ok, bulks({"0", "a"}), bulks({"0"}),
                                    array({":0\r\n", bulks({})}), array({bulk("0"), bulks({}), bulks({})})}) {
    BOOST_TEST(heard("SCAN", answer) == protocol);
  }
  for (const std::string& answer : {nil, ok, bulks({})}) BOOST_TEST(heard("EXISTS", answer) == protocol);
  BOOST_TEST(!heard("EXISTS", ":0\r\n"));
  BOOST_TEST(open);
}

BOOST_FIXTURE_TEST_CASE(a_passing_error_is_reported_by_its_name_and_the_connection_stays, FakeFixture) {
  BOOST_TEST(heard("SCAN", "-LOADING Redis is loading the dataset in memory\r\n") ==
             make_error_code(redis::Errc::loading));
  BOOST_TEST(heard("HGETALL PORT|b", "-BUSY Redis is busy running a script.\r\n") ==
             make_error_code(redis::Errc::busy));
  BOOST_TEST(heard("EXISTS", "-MISCONF no disk\r\n") == make_error_code(redis::Errc::misconf));
  BOOST_TEST(open);
}
