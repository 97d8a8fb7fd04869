// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE client_list
#include <boost/test/unit_test.hpp>
#include <portsync/redis/client_list.hpp>

using portsync::redis::client_names;
using Names = std::vector<std::string>;

BOOST_AUTO_TEST_CASE(names_are_taken_in_order_and_clients_without_one_left_out) {
  const std::string list =
      "id=3 addr=/run/redis.sock:0 laddr=/run/redis.sock:0 fd=8 name=portsyncd-sonic-1-a age=5\n"
      "id=4 addr=/run/redis.sock:0 name=orchagent age=5 idle=0 lib-name= lib-ver=\n"
      "id=5 addr=/run/redis.sock:0 name= age=5\n"
      "id=7 addr=/run/redis.sock:0 name=portsyncd-mirror-3-c";
  BOOST_TEST((client_names(list) == Names{"portsyncd-sonic-1-a", "orchagent", "portsyncd-mirror-3-c"}));
}

BOOST_AUTO_TEST_CASE(nonsense_has_no_names) {
  for (const char* text : {"", "\n\n", "name", " name=", "name=\n", "lib-name=hiredis"}) {
    BOOST_TEST(client_names(text).empty(), text);
  }
}
