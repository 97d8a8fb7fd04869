// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_read_back
#include "redis/read_back.hpp"

#include <boost/test/unit_test.hpp>

#include "support/cpp/resp_text.hpp"

using namespace portsync;
using namespace portsync::redis;
using namespace portsync::test;
using Lines = std::vector<std::string>;
using Step = ReadBack::Step;

namespace {

const std::string wrongtype = "-WRONGTYPE Operation against a key\r\n";
const std::string noperm = "-NOPERM this user has no permissions\r\n";
const std::string loading = "-LOADING Redis is loading\r\n";
const std::string fields = "state netdev_oper_status admin_status mtu";

std::string scan(const std::string& cursor, const std::vector<std::string>& keys) {
  return array({bulk(cursor), bulks(keys)});
}
std::string row(const std::string& oper) {
  return bulks({"ok", oper, "up", "9100"});
}
const std::string no_fields = array({nil, nil, nil, nil});

struct Fixture {
  StateSinkOptions options;
  ReadBack reading{options};
  Lines rows;  // "port field=value ..."
  std::vector<StoredRow::Owner> owners;
  bool ended = false;
  std::error_code error;
  bool nonsense = false;

  void on_step(Step step) {
    if (step == Step::row) {
      const StoredRow found = reading.row();
      std::string line(found.port);
      for (const auto& [name, value] : *found.fields) line += " " + std::string(name) + "=" + std::string(value);
      if (!found.unread_field.empty()) line += " unread " + std::string(found.unread_field);
      if (!found.readable) line += " cannot be read";
      rows.push_back(line);
      owners.push_back(found.owner);
    } else if (step == Step::ended) {
      BOOST_TEST(!ended);
      ended = true;
      error = reading.error();
    } else if (step == Step::nonsense) {
      nonsense = true;
    }
  }
  // Does everything that is due, and returns the requests.
  Lines advance() {
    CommandBuffer out;
    for (;;) {
      const Step step = reading.advance(out);
      if (step == Step::none) break;
      on_step(step);
    }
    return lines(out);
  }
  Lines begin(Scope scope = Scope::all, const std::vector<std::string_view>& ports = {}) {
    rows.clear();
    ended = false;
    reading.begin(scope, ports);
    return advance();
  }
  Lines reply(const std::string& text) {
    on_step(reading.on_reply(Answer(text)));
    return advance();
  }
};

void check(const Lines& got, const Lines& expected) {
  BOOST_TEST(got == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(read_back, Fixture)

BOOST_AUTO_TEST_CASE(all_rows_with_their_index_entries) {
  check(begin(), {"HGETALL PORT_TABLE", "SCAN 0 MATCH PORT_TABLE|* COUNT 1000"});
  check(reply(bulks({"E0", "up", "E8", "down"})), {});
  check(reply(scan("17", {"PORT_TABLE|E0", "PORT_TABLE|E4"})),
        {"HMGET PORT_TABLE|E0 " + fields, "HMGET PORT_TABLE|E4 " + fields, "SCAN 17 MATCH PORT_TABLE|* COUNT 1000"});
  check(reply(row("up")), {});
  check(reply(array({nil, bulk("down"), nil, nil})), {});
  BOOST_TEST(!ended);
  check(reply(scan("0", {})), {});
  BOOST_TEST(ended);
  BOOST_TEST(!error);
  check(rows, {"E0 state=ok netdev_oper_status=up admin_status=up mtu=9100 @index=up", "E4 netdev_oper_status=down",
               "E8 @index=down"});
  BOOST_TEST(!reading.active());
}

BOOST_AUTO_TEST_CASE(the_index_says_which_rows_are_ours) {
  begin();
  reply(bulks({"E0", "up", "E8", "down"}));
  reply(scan("0", {"PORT_TABLE|E0", "PORT_TABLE|E4", "PORT_TABLE|E5"}));
  reply(array({bulk("ok"), nil, nil, nil}));
  reply(row("up"));
  reply(array({nil, bulk("down"), nil, nil}));
  using Owner = StoredRow::Owner;
  // Recognized by the index entry, by all fields, not at all, and by an index entry without a row.
  BOOST_TEST((owners == std::vector{Owner::ours, Owner::likely, Owner::unknown, Owner::ours}));
}

BOOST_AUTO_TEST_CASE(an_empty_table) {
  begin();
  reply("*0\r\n");
  reply(scan("0", {}));
  BOOST_TEST(ended);
  BOOST_TEST(rows.empty());
}

BOOST_AUTO_TEST_CASE(without_an_index_it_is_not_read) {
  options.index = false;
  check(begin(), {"SCAN 0 MATCH PORT_TABLE|* COUNT 1000"});
  check(begin(Scope::listed, {"E0"}), {"HMGET PORT_TABLE|E0 " + fields});
}

BOOST_AUTO_TEST_CASE(scan_may_return_a_key_twice_and_keys_of_others) {
  options.index = false;
  begin();
  check(reply(scan("5", {"PORT_TABLE|E0", "PORT_TABLE|E0", "PORT_TABLE", "PORT_TABLE|", "OTHER|E4"})),
        {"HMGET PORT_TABLE|E0 " + fields, "SCAN 5 MATCH PORT_TABLE|* COUNT 1000"});
  reply(row("up"));
  check(reply(scan("0", {"PORT_TABLE|E0"})), {});
  BOOST_TEST(ended);
  BOOST_TEST(rows.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_row_with_fields_of_others_only_is_not_reported) {
  begin();
  reply("*0\r\n");
  reply(scan("0", {"PORT_TABLE|E0"}));
  reply(no_fields);
  BOOST_TEST(ended);
  BOOST_TEST(rows.empty());
}

BOOST_AUTO_TEST_CASE(a_row_with_fields_of_others_only_but_an_entry_is_reported_for_its_entry) {
  begin();
  reply(bulks({"E0", "up"}));
  reply(scan("0", {"PORT_TABLE|E0"}));
  reply(no_fields);
  check(rows, {"E0 @index=up"});
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(what_is_not_a_hash_is_a_row_without_fields) {
  options.index = false;
  begin();
  reply(scan("0", {"PORT_TABLE|E0", "PORT_TABLE|E8"}));
  reply(wrongtype);
  reply(row("up"));
  check(rows, {"E0", "E8 state=ok netdev_oper_status=up admin_status=up mtu=9100"});
  BOOST_TEST(ended);
  BOOST_TEST(!error);
  BOOST_TEST(reading.unread_rows() == "");
}

// NOPERM used to count as "absent", so that every audit rewrote every row.
BOOST_AUTO_TEST_CASE(a_row_that_may_not_be_read_is_reported_as_unreadable_with_its_key) {
  options.index = false;
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {noperm, "2 rows cannot be read, PORT_TABLE|E0: NOPERM this user has no permissions"},
           {"-ERR unknown command 'HMGET'\r\n", "2 rows cannot be read, PORT_TABLE|E0: ERR unknown command 'HMGET'"}}) {
    begin();
    reply(scan("0", {"PORT_TABLE|E0", "PORT_TABLE|E4", "PORT_TABLE|E8"}));
    reply(text);
    reply(text);
    reply(row("up"));
    check(rows,
          {"E0 cannot be read", "E4 cannot be read", "E8 state=ok netdev_oper_status=up admin_status=up mtu=9100"});
    BOOST_TEST(ended);
    BOOST_TEST(!error);
    BOOST_TEST(reading.unread_rows() == said);
  }
  begin(Scope::listed, {"E0"});
  reply(row("up"));
  BOOST_TEST(reading.unread_rows() == "");
}

BOOST_AUTO_TEST_CASE(an_index_that_cannot_be_read_fails_no_row) {
  for (const auto& text : {wrongtype, noperm}) {
    begin();
    reply(text);
    reply(scan("0", {"PORT_TABLE|E0"}));
    reply(row("up"));
    BOOST_TEST(ended);
    BOOST_TEST(!error);
    check(rows, {"E0 state=ok netdev_oper_status=up admin_status=up mtu=9100 unread @index"});
    BOOST_TEST(reading.index_refusal() == "PORT_TABLE: " + text.substr(1, text.size() - 3));
  }
  BOOST_TEST(reading.index_failures() == 2U);
}

// Otherwise missing entries would count as drift, and every audit would repair them in vain.
BOOST_AUTO_TEST_CASE(an_index_that_refused_a_write_is_compared_once_it_takes_one) {
  for (const auto scope : {Scope::all, Scope::listed}) {
    rows.clear();
    ended = false;
    reading.begin(scope, {"E0"}, true);
    BOOST_TEST(advance().front() == "HDEL PORT_TABLE /");
    reply(noperm);
    reply(scope == Scope::all ? bulks({"E0", "down"}) : bulks({"down"}));
    if (scope == Scope::all) reply(scan("0", {"PORT_TABLE|E0"}));
    reply(row("up"));
    check(rows, {"E0 state=ok netdev_oper_status=up admin_status=up mtu=9100 unread @index"});
    BOOST_TEST(ended);
    BOOST_TEST(reading.index_refusal() == "PORT_TABLE: NOPERM this user has no permissions");
  }
  rows.clear();
  ended = false;
  reading.begin(Scope::listed, {"E0"}, true);
  advance();
  reply(":0\r\n");
  reply(bulks({"down"}));
  reply(row("up"));
  check(rows, {"E0 state=ok netdev_oper_status=up admin_status=up mtu=9100 @index=down"});
  BOOST_TEST(reading.index_refusal() == "");
}

BOOST_AUTO_TEST_CASE(any_other_error_ends_it_once) {
  begin();
  reply(loading);
  BOOST_TEST(ended);
  BOOST_TEST(error == make_error_code(redis::Errc::loading));
  BOOST_TEST(reading.error_text() == "PORT_TABLE: LOADING Redis is loading");
  BOOST_TEST(!reading.active());
  reply(loading);  // the reply to SCAN
  BOOST_TEST(!nonsense);
}

BOOST_AUTO_TEST_CASE(answers_to_a_failed_read_back_are_not_taken_for_the_next_ones) {
  options.index = false;
  begin();
  reply(scan("0", {"PORT_TABLE|E0", "PORT_TABLE|E4"}));
  reply(loading);
  BOOST_TEST(ended);
  begin(Scope::listed, {"E8"});
  reply(row("up"));  // the reply to E4
  BOOST_TEST(rows.empty());
  BOOST_TEST(!ended);
  reply(row("down"));
  check(rows, {"E8 state=ok netdev_oper_status=down admin_status=up mtu=9100"});
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(listed_ports_only) {
  check(begin(Scope::listed, {"E0", "E4", "E0"}),
        {"HMGET PORT_TABLE E0 E4", "HMGET PORT_TABLE|E0 " + fields, "HMGET PORT_TABLE|E4 " + fields});
  reply(array({bulk("up"), nil}));
  reply(no_fields);
  reply(no_fields);
  check(rows, {"E0 @index=up"});
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(no_port_listed) {
  check(begin(Scope::listed, {}), {});
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(many_ports_are_read_in_pieces) {
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i) names.push_back("E" + std::to_string(i));
  const std::vector<std::string_view> ports(names.begin(), names.end());
  std::size_t outstanding = begin(Scope::listed, ports).size();
  BOOST_TEST(outstanding == ReadBack::max_outstanding);
  for (std::size_t chunk = 0; chunk < 12; ++chunk) {
    std::vector<std::string> entries(chunk == 11 ? 3000 - 11 * 256 : 256, bulk("up"));
    outstanding += reply(array(entries)).size();
    --outstanding;
  }
  while (outstanding > 0 && !nonsense) {
    BOOST_TEST(outstanding <= ReadBack::max_outstanding);
    const std::size_t more = reply(row("up")).size();
    outstanding += more;
    --outstanding;
  }
  BOOST_TEST(ended);
  BOOST_TEST(rows.size() == 3000U);
  BOOST_TEST(rows.back() == "E2999 state=ok netdev_oper_status=up admin_status=up mtu=9100 @index=up");
}

BOOST_AUTO_TEST_CASE(a_name_with_wildcards_is_meant_literally) {
  BOOST_TEST(escape_glob("PORT_TABLE|") == "PORT_TABLE|");
  BOOST_TEST(escape_glob(R"(a*b?c[d]e\f)") == R"(a\*b\?c\[d\]e\\f)");
  options.table = "T*";
  options.index = false;
  check(begin(), {R"(SCAN 0 MATCH T\*|* COUNT 1000)"});
}

BOOST_AUTO_TEST_CASE(a_lost_connection_ends_it_without_a_word) {
  begin();
  reading.abort();
  BOOST_TEST(!reading.active());
  check(advance(), {});
  BOOST_TEST(!ended);
  check(begin(), {"HGETALL PORT_TABLE", "SCAN 0 MATCH PORT_TABLE|* COUNT 1000"});
}

BOOST_AUTO_TEST_CASE(answers_that_do_not_fit) {
  const std::vector<std::vector<std::string>> wrong{
      {ok},             // the reply to HGETALL
      {bulks({"E0"})},  // an odd number of elements
      {array({bulk("E0"), nil})},
      {"*0\r\n", ok},  // the reply to SCAN
      {"*0\r\n", array({bulk("0")})},
      {"*0\r\n", array({bulk("0"), bulk("x")})},
      {"*0\r\n", array({":0\r\n", "*0\r\n"})},
      {"*0\r\n", array({bulk(""), "*0\r\n"})},
      {"*0\r\n", scan("0", {"PORT_TABLE|E0"}), bulks({"ok"})},  // the reply to HMGET
      {"*0\r\n", scan("0", {"PORT_TABLE|E0"}), nil},
  };
  for (const auto& texts : wrong) {
    Fixture fresh;
    fresh.begin();
    for (const auto& text : texts) {
      BOOST_TEST(!fresh.nonsense);
      fresh.reply(text);
    }
    BOOST_TEST_INFO(texts.back());
    BOOST_TEST(fresh.nonsense);
  }
  BOOST_CHECK(reading.on_reply(Answer(ok)) == Step::nonsense);  // no request awaits a reply
  Fixture listed;
  listed.begin(Scope::listed, {"E0", "E4"});
  listed.reply(bulks({"up"}));
  BOOST_TEST(listed.nonsense);
}

BOOST_AUTO_TEST_SUITE_END()
