// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE databases
#include "config/databases.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>

using namespace portsyncd;

BOOST_AUTO_TEST_CASE(a_server_is_named_by_its_socket_or_else_its_host_and_port) {
  BOOST_TEST(server_name({"/run/redis.sock", "127.0.0.1", 6379, 6, "|", ""}) == "Redis at /run/redis.sock");
  BOOST_TEST(server_name({"", "127.0.0.1", 6379, 6, "|", ""}) == "Redis at 127.0.0.1:6379");
  BOOST_TEST(server_name({"", "::1", 6380, 6, "|", ""}) == "Redis at [::1]:6380");
  BOOST_TEST(server_name({"", "redis.example", 1, 6, "|", ""}) == "Redis at redis.example:1");
}

BOOST_AUTO_TEST_CASE(a_connection_has_the_address_and_what_is_configured_for_all) {
  Config::Database config;
  config.redis_host = "another";  // the address determines the host
  config.redis_username = "portsyncd";
  config.connection_timeout_secs = 3;
  config.retry_interval_secs = 4;
  const auto options = connection_options(
      {"/run/r", "::1", 65535, 6, "|", "file"}, config, [] { return std::string("secret"); }, "name");
  BOOST_TEST(options.socket_path == "/run/r");
  BOOST_TEST(options.host == "::1");
  BOOST_TEST(options.port == 65535);
  BOOST_TEST(options.database == 6);
  BOOST_TEST(options.username == "portsyncd");
  BOOST_TEST(options.current_password() == "secret");
  BOOST_TEST(options.client_name == "name");
  BOOST_TEST((options.timeout == std::chrono::seconds(3)));
  BOOST_TEST((options.retry_interval == std::chrono::seconds(4)));
}
