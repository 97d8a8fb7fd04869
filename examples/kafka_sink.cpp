// SPDX-License-Identifier: Apache-2.0
// Keeps the ports of a fleet of switches in one topic of Kafka, as rows of JSON. Each switch runs this program. The
// sink is in kafka_sink.hpp.
//
//   g++ -std=c++17 kafka_sink.cpp -o kafka_sink $(pkg-config --cflags --libs portsync rdkafka)
//   kafka-topics.sh --create --topic links --config cleanup.policy=compact --bootstrap-server broker:9092
//   ./kafka_sink broker:9092 links $(hostname)
#include "kafka_sink.hpp"

#include <cstdio>
#include <cstdlib>
#include <portsync/json_lines_sink.hpp>
#include <portsync/netlink/link_source.hpp>
#include <portsync/synchronizer.hpp>

#include "run.hpp"

using namespace portsync;

void report(const SyncEvent& event) {
  if (event.kind == SyncEvent::Kind::row_refused) {
    const std::string port(event.port);
    std::fprintf(stderr, "%s is tried again: %s\n", port.c_str(), event.error.message().c_str());
  } else if (event.kind == SyncEvent::Kind::sink_closed) {
    // Only one error closes this sink: librdkafka can no longer keep its promise of idempotence. A new process can.
    std::fprintf(stderr, "%s\n", event.error.message().c_str());
    std::exit(1);
  }
}

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: kafka_sink BROKERS TOPIC SWITCH [TIMEOUT_MS]\n"), 2;
  const auto source = netlink::make_link_source();
  KafkaSink sink(argv[1], argv[2], argv[3], argc > 4 ? argv[4] : "5000");
  Synchronizer synchronizer(*source, {});
  synchronizer.add_sink(sink, json_lines_projection(), "kafka");
  synchronizer.set_listener(report);
  return run(synchronizer, synchronizer.start());
}
