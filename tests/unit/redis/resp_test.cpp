// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE redis_resp
#include "redis/resp.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/cpp/resp_text.hpp"

using namespace portsync::redis;
using namespace portsync::test;
using Result = ReplyReader::Result;

namespace {

Result feed(ReplyReader& reader, const std::string& text, ReplyPtr& reply) {
  reader.feed(text.data(), text.size());
  return reader.next(reply);
}

Result one(const std::string& text) {
  ReplyReader reader;
  ReplyPtr reply;
  return feed(reader, text, reply);
}

}  // namespace

BOOST_AUTO_TEST_CASE(commands_are_arrays_of_bulk_strings) {
  CommandBuffer out;
  out.add({"HSET", "PORT_TABLE|Ethernet0", "mtu", ""});
  BOOST_TEST(out.bytes() == "*4\r\n$4\r\nHSET\r\n$20\r\nPORT_TABLE|Ethernet0\r\n$3\r\nmtu\r\n$0\r\n\r\n");
  BOOST_TEST(out.commands() == 1U);
}

BOOST_AUTO_TEST_CASE(commands_take_any_bytes_and_any_number_of_words) {
  CommandBuffer out;
  out.add({"SET", std::string_view("a\0\r\n", 4), std::string_view()});
  BOOST_TEST(out.bytes().find(std::string_view("$4\r\na\0\r\n\r\n", 10)) != std::string::npos);
  std::vector<std::string_view> words(5000, "x");
  CommandBuffer many;
  many.add(words);
  BOOST_TEST(many.bytes().starts_with("*5000\r\n"));
  many.append(out);
  BOOST_TEST(many.commands() == 2U);
  many.clear();
  BOOST_TEST(many.bytes().empty());
  BOOST_TEST(many.commands() == 0U);
}

BOOST_AUTO_TEST_CASE(every_type_of_answer) {
  BOOST_TEST(Answer("+OK\r\n").get().text() == "OK");
  BOOST_TEST(Answer("-ERR no\r\n").get().text() == "ERR no");
  BOOST_TEST(Answer("-ERR no\r\n").get().is_error());
  BOOST_TEST(Answer(":-7\r\n").get().integer() == -7);
  BOOST_TEST(Answer("$3\r\na\r\n\r\n").get().text() == "a\r\n");
  BOOST_TEST(Answer("$0\r\n\r\n").get().is(Reply::Type::string));
  BOOST_TEST(Answer(nil).get().is(Reply::Type::nil));
  BOOST_TEST(Answer("*-1\r\n").get().is(Reply::Type::nil));
  BOOST_TEST(Answer("*0\r\n").get().is(Reply::Type::array));
  const Answer nested(array({bulk("0"), bulks({"a", "b"})}));
  BOOST_TEST(nested.get().size() == 2U);
  BOOST_TEST(nested.get()[1][1].text() == "b");
  // A value that the type does not have is empty, whatever the server sent.
  BOOST_TEST(nested.get().text() == "");
  BOOST_TEST(nested.get().integer() == 0);
  BOOST_TEST(Answer("+OK\r\n").get().size() == 0U);
}

BOOST_AUTO_TEST_CASE(an_answer_may_come_byte_by_byte) {
  const std::string text = array({bulk("key"), ":5\r\n", nil}) + "+next\r\n";
  ReplyReader reader;
  ReplyPtr reply;
  std::size_t replies = 0;
  for (const char c : text) {
    reader.feed(&c, 1);
    while (reader.next(reply) == Result::reply) ++replies;
  }
  BOOST_TEST(replies == 2U);
  BOOST_TEST(Reply(*reply).text() == "next");
}

BOOST_AUTO_TEST_CASE(garbage_breaks_the_reader_for_good) {
  ReplyReader reader;
  ReplyPtr reply;
  BOOST_CHECK(feed(reader, "HTTP/1.1 200 OK\r\n", reply) == Result::broken);
  BOOST_TEST(std::string(reader.error()) != "");
  BOOST_CHECK(feed(reader, "+OK\r\n", reply) == Result::broken);
  reader.reset();
  BOOST_CHECK(feed(reader, "+OK\r\n", reply) == Result::reply);
}

BOOST_AUTO_TEST_CASE(an_array_may_not_have_more_elements_than_the_bound) {
  BOOST_CHECK(one("*131072\r\n") == Result::incomplete);
  BOOST_CHECK(one("*131073\r\n") == Result::broken);
  BOOST_CHECK(one("*2147483647\r\n") == Result::broken);
  BOOST_CHECK(one("*-5\r\n") == Result::broken);
}

// Otherwise arrays would add up: each takes eleven bytes of input and 1 MiB of memory.
BOOST_AUTO_TEST_CASE(the_bound_on_elements_counts_all_arrays_of_an_answer) {
  BOOST_CHECK(one("*1000\r\n*130000\r\n") == Result::incomplete);
  BOOST_CHECK(one("*10000\r\n*130000\r\n") == Result::broken);
  // The count starts again with the next reply.
  ReplyReader reader;
  ReplyPtr reply;
  std::string text = "*100000\r\n";
  for (int i = 0; i < 100'000; ++i) text += ":1\r\n";
  BOOST_CHECK(feed(reader, text, reply) == Result::reply);
  BOOST_CHECK(feed(reader, text, reply) == Result::reply);
}

// hiredis 1.x does not limit the depth, and frees by recursion.
BOOST_AUTO_TEST_CASE(arrays_may_not_be_nested_deeply) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "*1\r\n";
    return text + ":1\r\n";
  };
  BOOST_CHECK(one(nested(7)) == Result::reply);
  BOOST_CHECK(one(nested(8)) == Result::broken);
  BOOST_CHECK(one(nested(1'000'000)) == Result::broken);
}

// hiredis 1.x parses RESP3, and asserts inside an attribute.
BOOST_AUTO_TEST_CASE(aggregates_of_resp3_are_refused) {
  for (const char* text :
       {"%1\r\n+a\r\n+b\r\n", "~1\r\n+a\r\n", "|1\r\n+a\r\n+b\r\n", ">1\r\n+a\r\n", "=7\r\ntxt:abc\r\n", "(123\r\n"}) {
    BOOST_TEST_INFO(text);
    BOOST_CHECK(one(text) == Result::broken);
  }
}

// The reader refuses such a reply at its first bytes, not after 8 MiB.
BOOST_AUTO_TEST_CASE(an_answer_may_not_be_longer_than_the_bound) {
  BOOST_CHECK(one("$8388608\r\n") == Result::incomplete);
  for (const char* text : {"$8388609\r\n", "$1000000000\r\n", "$9223372036854775807\r\n", "$99999999999999999999\r\n",
                           "$99999999999999999999999999", "*1\r\n$8388609\r\n"}) {
    BOOST_TEST_INFO(text);
    BOOST_CHECK(one(text) == Result::broken);
  }
  ReplyReader reader;
  ReplyPtr reply;
  BOOST_CHECK(feed(reader, "$8388609\r\n", reply) == Result::broken);
  BOOST_TEST(std::string(reader.error()) == "the answer is too large");
}

// Whenever data arrives, hiredis searches for the end of a line from its beginning. A line of 64 MiB used a whole CPU.
BOOST_AUTO_TEST_CASE(a_line_without_an_end_is_bounded) {
  for (const char type : {'+', '-', ':', '*'}) {
    ReplyReader reader;
    ReplyPtr reply;
    std::size_t fed = 1;
    auto result = feed(reader, std::string(1, type), reply);
    for (; result == Result::incomplete; fed += 1024) result = feed(reader, std::string(1024, 'a'), reply);
    BOOST_TEST_INFO(type);
    BOOST_CHECK(result == Result::broken);
    BOOST_TEST(fed <= ReplyReader::max_line + 2048);
  }
  const std::string longest(ReplyReader::max_line, 'a');
  BOOST_CHECK(one("+" + longest + "\r\n") == Result::reply);
  BOOST_CHECK(one("-" + longest + "a\r\n") == Result::broken);  // even if it arrives at once
}

BOOST_AUTO_TEST_CASE(a_text_with_a_length_may_be_longer_than_a_line) {
  const std::string text = bulk(std::string(ReplyReader::max_line * 4, 'x'));
  ReplyReader reader;
  ReplyPtr reply;
  BOOST_CHECK(feed(reader, text.substr(0, text.size() / 2), reply) == Result::incomplete);
  BOOST_CHECK(feed(reader, text.substr(text.size() / 2), reply) == Result::reply);
}

// The complete elements of an array are stored outside of the reader's buffer. They count too.
BOOST_AUTO_TEST_CASE(the_bound_on_length_counts_all_elements_of_an_answer) {
  ReplyReader reader;
  ReplyPtr reply;
  const std::string element = bulk(std::string(std::size_t{1} << 20U, 'x'));
  BOOST_CHECK(feed(reader, "*1000\r\n", reply) == Result::incomplete);
  auto result = Result::incomplete;
  int fed = 0;
  while (result == Result::incomplete && fed < 1000) {
    result = feed(reader, element, reply);
    ++fed;
  }
  BOOST_CHECK(result == Result::broken);
  BOOST_TEST(fed == 8);
}

BOOST_AUTO_TEST_CASE(many_complete_answers_are_not_one_long_answer) {
  ReplyReader reader;
  ReplyPtr reply;
  const std::string element = bulk(std::string(std::size_t{1} << 20U, 'x'));
  for (int i = 0; i < 100; ++i) BOOST_REQUIRE(feed(reader, element, reply) == Result::reply);
}
