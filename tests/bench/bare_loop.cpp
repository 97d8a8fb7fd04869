// SPDX-License-Identifier: Apache-2.0
#include "bare_loop.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "route.hpp"
#include "support/cpp/unix_listener.hpp"

namespace portsync::bench {
namespace {

void ask(int fd, std::string_view command) {
  char answer[256];
  if (::send(fd, command.data(), command.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(command.size()) ||
      ::recv(fd, answer, sizeof answer, 0) <= 0 || answer[0] == '-') {
    throw std::runtime_error("the bare loop's redis");
  }
}

}  // namespace

void run_bare_loop(const std::string& redis_path, int database) {
  const os::Descriptor redis = test::connect_unix(redis_path);
  ::fcntl(redis.get(), F_SETFL, 0);  // blocking
  char command[512];
  const std::string number = std::to_string(database);
  ask(redis.get(), "*2\r\n$6\r\nSELECT\r\n$" + std::to_string(number.size()) + "\r\n" + number + "\r\n");
  LinkListener listener;
  listener.read_for_ever([&](const Link& link) {
    const std::string_view oper = (link.flags & IFF_RUNNING) != 0 ? "up" : "down";
    const std::string_view admin = (link.flags & IFF_UP) != 0 ? "up" : "down";
    char mtu[16];
    const int digits = std::snprintf(mtu, sizeof mtu, "%u", link.mtu);
    const int size = std::snprintf(command, sizeof command,
                                   "*10\r\n$4\r\nHSET\r\n$%zu\r\nPORT_TABLE|%s\r\n$5\r\nstate\r\n$2\r\nok\r\n"
                                   "$18\r\nnetdev_oper_status\r\n$%zu\r\n%s\r\n$12\r\nadmin_status\r\n$%zu\r\n%s\r\n"
                                   "$3\r\nmtu\r\n$%d\r\n%s\r\n",
                                   std::strlen(link.name) + 11, link.name, oper.size(), oper.data(), admin.size(),
                                   admin.data(), digits, mtu);
    ask(redis.get(), {command, static_cast<std::size_t>(size)});
  });
}

}  // namespace portsync::bench
