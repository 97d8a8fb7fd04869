// SPDX-License-Identifier: Apache-2.0
// Redis and JSON lines at once. A Synchronizer takes any number of sinks and keeps the desired and the acknowledged
// rows of each one apart. A sink that is slow, refuses rows or is dead delays only itself.
//
//   g++ -std=c++17 composite_sink.cpp -o composite_sink $(pkg-config --cflags --libs portsync)
//   ./composite_sink /run/redis/redis.sock
//
// The rows go to STATE_DB (database 6) of the Redis at that socket, or at 127.0.0.1:6379, and to standard output. The
// program logs the state of its sinks to standard error. The second argument "alone" leaves out standard output.
#include <csignal>
#include <cstdio>
#include <portsync/json_lines_sink.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>

#include "run.hpp"

using namespace portsync;

void report(const SyncEvent& event) {
  const std::string sink(event.sink);
  if (event.kind == SyncEvent::Kind::sink_opened) {
    std::fprintf(stderr, "%s opened\n", sink.c_str());
  } else if (event.kind == SyncEvent::Kind::sink_closed) {
    std::fprintf(stderr, "%s closed: %s\n", sink.c_str(), event.error.message().c_str());
  } else if (event.kind == SyncEvent::Kind::row_refused) {
    const std::string port(event.port);
    std::fprintf(stderr, "%s refused %s: %s\n", sink.c_str(), port.c_str(), event.error.message().c_str());
  }
}

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // the reader of a pipe may end: then that sink is closed
  redis::StateSinkOptions options;
  options.connection.database = 6;
  options.connection.client_name = "composite_sink";
  if (argc > 1) options.connection.socket_path = argv[1];

  const auto source = netlink::make_link_source();
  const auto rows = redis::make_state_sink(options);
  const auto lines = make_json_lines_sink({});
  Synchronizer synchronizer(*source, {});
  synchronizer.add_sink(*rows, redis::make_projection(options), "redis");
  if (argc <= 2) synchronizer.add_sink(*lines, json_lines_projection(), "lines");
  synchronizer.set_listener(report);
  return run(synchronizer, synchronizer.start());
}
