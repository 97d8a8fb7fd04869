// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE client_list
#include <boost/test/unit_test.hpp>
#include <portsync/redis/client_list.hpp>

namespace {

std::string named(std::string_view list) {
  std::string text;
  for (const auto& client : portsync::redis::named_clients(list)) {
    text += std::to_string(client.id) + " " + client.name + "\n";
  }
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(clients_are_listed_in_order_but_for_those_without_a_name) {
  BOOST_TEST(named("id=3 addr=/run/redis.sock:0 laddr=/run/redis.sock:0 fd=8 name=portsyncd-sonic-1-a age=5\n"
                   "id=41 addr=/run/redis.sock:0 name=orchagent age=5 idle=0 lib-name= lib-ver=\n"
                   "id=5 addr=/run/redis.sock:0 name= age=5\n"
                   "id=7 addr=/run/redis.sock:0 name=portsyncd-mirror-3-c") ==
             "3 portsyncd-sonic-1-a\n41 orchagent\n7 portsyncd-mirror-3-c\n");
}

BOOST_AUTO_TEST_CASE(a_malformed_reply_lists_no_client) {
  for (const char* text : {"", "\n\n", "name", " name=", "name=\n", "lib-name=hiredis", "="}) {
    BOOST_TEST(named(text) == "", text);
  }
  BOOST_TEST(named("id=x name=a") == "0 a\n");
}
