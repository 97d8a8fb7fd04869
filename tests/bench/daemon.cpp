// SPDX-License-Identifier: Apache-2.0
#include "daemon.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "support/cpp/unix_listener.hpp"

namespace portsync::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

int runs = 0;

// Returns a port that is free now. Another program is unlikely to take it before the daemon does.
int free_port() {
  const os::Descriptor descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0 ||
      ::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0) {
    throw std::runtime_error("no free port of 127.0.0.1");
  }
  return ntohs(address.sin_port);
}

std::string write_config(const DaemonOptions& options, const Testbed& bed) {
  const std::string path = bed.file("portsyncd." + std::to_string(runs) + ".conf");
  std::ofstream file(path);
  const bool sonic = !options.sonic_db_config.empty();
  file << "[database]\n"
       << (sonic ? "sonic_db_config = \"" + options.sonic_db_config : "redis_socket = \"" + bed.redis_path())
       << "\"\n\n[sync]\nmode = \"" << (sonic ? "sonic" : "mirror") << "\"\n\n[logging]\nlevel = \""
       << options.log_level << "\"\ntarget = \"stderr\"\n";
  if (options.receive_buffer_bytes > 0) {
    file << "\n[netlink]\nreceive_buffer_bytes = " << options.receive_buffer_bytes << '\n';
  }
  file << "\n[dbus]\nenabled = \"" << (options.bus_address.empty() ? "false" : "true") << "\"\n";
  if (options.metrics) file << "\n[metrics]\nlisten = \"127.0.0.1:" << free_port() << "\"\n";
  return path;
}

os::Descriptor bind_datagrams(const std::string& path) {
  os::Descriptor descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = test::unix_socket_address(path);
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw std::runtime_error("cannot bind " + path);
  }
  return descriptor;
}

}  // namespace

Daemon::Daemon(const DaemonOptions& options, const Testbed& bed)
    : log_path_(bed.file("portsyncd." + std::to_string(++runs) + ".log")), process_(options.processor) {
  const std::string notify_path = bed.file("notify." + std::to_string(runs));
  notify_ = bind_datagrams(notify_path);
  std::vector<std::string> environment{"NOTIFY_SOCKET=" + notify_path, "RUNTIME_DIRECTORY=" + bed.file("")};
  if (!options.bus_address.empty()) environment.push_back("DBUS_SYSTEM_BUS_ADDRESS=" + options.bus_address);
  process_.exec({options.program, "--config", write_config(options, bed)}, environment, log_path_);
}

std::string Daemon::log() const {
  return read_file(log_path_);
}

steady_clock::duration Daemon::wait_ready() {
  for (;;) {
    pollfd waiting{notify_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 100) == 0) {
      if (process_.ended()) throw std::runtime_error("portsyncd has ended: " + log());
      if (steady_clock::now() - process_.started() > 30s) throw std::runtime_error("no READY=1: " + log());
      continue;
    }
    char text[4096];
    const ssize_t size = ::recv(notify_.get(), text, sizeof text, 0);
    const auto now = steady_clock::now();
    const std::string_view message(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    if (message.find("READY=1") != std::string_view::npos) return now - process_.started();
  }
}

std::uint64_t Daemon::statistic(const std::string& name) {
  const auto last_line = [this] {
    const std::string text = log();
    const std::size_t found = text.rfind(" statistics ");
    return found == std::string::npos || text.find('\n', found) == std::string::npos ? std::string()
                                                                                     : text.substr(found);
  };
  const std::size_t before = log().size();
  process_.signal(SIGUSR1);
  for (int i = 0; i < 500; ++i) {
    std::this_thread::sleep_for(10ms);
    const std::string line = log().size() > before ? last_line() : std::string();
    if (const std::size_t found = line.find(' ' + name + '='); found != std::string::npos) {
      return std::stoull(line.substr(found + name.size() + 2));
    }
  }
  throw std::runtime_error("portsyncd writes no statistics with " + name);
}

VersionRun run_version(const DaemonOptions& options, const Testbed& bed) {
  const std::string output = bed.file("version");
  std::ofstream(output, std::ios::trunc).close();
  Process process(options.processor);
  process.exec({options.program, "--version"}, {}, output);
  while (!process.ended()) std::this_thread::sleep_for(50us);
  const auto time = steady_clock::now() - process.started();
  const std::string text = read_file(output);
  if (text.empty()) throw std::runtime_error("cannot run " + options.program);
  return {text.substr(0, text.find('\n')), time};
}

}  // namespace portsync::bench
