// SPDX-License-Identifier: Apache-2.0
// librdkafka's mock cluster of three brokers, with one topic, "links", of four partitions, and a consumer of it.
//
//   kafka_cluster
//
// Prints "brokers ADDRESSES", then each message as "KEY<TAB>VALUE" as soon as it is in the topic; the value of a
// removal is "-". Reads commands: "down N" and "up N" (1 to 3); "leaders N" makes broker N lead every partition;
// "refuse N" refuses the next N requests to store. Prints "done" on standard error after each. Exits at the end of its
// input.
//
//   kafka_cluster --bench ROWS
//
// Prints how many rows a second KafkaSink stores there, from put() to on_result().
#include "kafka_sink.hpp"

#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <portsync/json_lines_sink.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr const char* topic = "links";
constexpr int partitions = 4;

rd_kafka_t* make_client(rd_kafka_type_t type, const std::string& brokers) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[200] = "";
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), error, sizeof error);
  rd_kafka_conf_set(conf, "group.id", "test", error, sizeof error);
  rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", error, sizeof error);
  rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "100", error, sizeof error);
  rd_kafka_conf_set(conf, "log_level", "0", error, sizeof error);
  rd_kafka_t* client = rd_kafka_new(type, conf, error, sizeof error);
  if (client == nullptr) throw std::runtime_error(error);
  return client;
}

class Cluster {
 public:
  Cluster() : owner_(make_client(RD_KAFKA_PRODUCER, "")), cluster_(rd_kafka_mock_cluster_new(owner_, 3)) {
    rd_kafka_mock_topic_create(cluster_, topic, partitions, 3);
  }
  ~Cluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }
  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

  void command(const std::string& line) {
    std::istringstream in(line);
    std::string what;
    int number = 0;
    in >> what >> number;
    if (what == "down") rd_kafka_mock_broker_set_down(cluster_, number);
    if (what == "up") rd_kafka_mock_broker_set_up(cluster_, number);
    for (int i = 0; what == "refuse" && i < number; ++i) {
      rd_kafka_mock_push_request_errors(cluster_, 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    }
    for (int i = 0; what == "leaders" && i < partitions; ++i) {
      rd_kafka_mock_partition_set_leader(cluster_, topic, i, number);
    }
  }

 private:
  rd_kafka_t* owner_;
  rd_kafka_mock_cluster_t* cluster_;
};

void print(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return;  // brokers that are down, and the end of a partition
  const std::string key(static_cast<const char*>(message.key), message.key_len);
  const std::string value(static_cast<const char*>(message.payload), message.len);
  std::cout << key << '\t' << (message.payload == nullptr ? "-" : value) << std::endl;
}

int follow() {
  Cluster cluster;
  std::cout << "brokers " << cluster.brokers() << std::endl;
  rd_kafka_t* reader = make_client(RD_KAFKA_CONSUMER, cluster.brokers());
  rd_kafka_poll_set_consumer(reader);
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i)
    rd_kafka_topic_partition_list_add(all, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(reader, all);
  for (;;) {
    if (rd_kafka_message_t* message = rd_kafka_consumer_poll(reader, 10)) {
      print(*message);
      rd_kafka_message_destroy(message);
    }
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) == 0) continue;
    std::string line;
    for (char c = 0; c != '\n'; line += c) {
      if (::read(STDIN_FILENO, &c, 1) <= 0) std::_Exit(0);  // librdkafka may wait for brokers that are down
    }
    cluster.command(line);
    std::cerr << "done" << std::endl;
  }
}

class Counter final : public portsync::StateSink::Observer {
 public:
  void on_open() override { open = true; }
  void on_row(const portsync::StoredRow&) override {}
  void on_read_back(std::error_code) override {}
  void on_result(std::string_view, portsync::Revision, std::error_code error) override { ++(error ? refused : stored); }
  void on_closed(std::error_code) override { open = false; }
  bool open = false;
  std::uint64_t stored = 0, refused = 0;
};

int bench(std::uint64_t rows) {
  const Cluster cluster;
  KafkaSink sink(cluster.brokers(), topic, "switch", "30000");
  Counter counter;
  if (sink.start(counter)) return 1;
  std::vector<portsync::PortRecord> records(4096);
  portsync::LinkState link;
  for (std::size_t i = 0; i < records.size(); ++i) {
    link.name = "Ethernet" + std::to_string(4 * i);
    link.mtu = 9100;
    portsync::json_lines_projection()(link, records[i]);
  }
  const auto began = portsync::Clock::now();
  for (std::uint64_t sent = 0; counter.stored < rows;) {
    pollfd waiting{sink.fd(), POLLIN, 0};
    ::poll(&waiting, 1, -1);
    if (sink.process() || counter.refused > 0) return 1;
    for (; counter.open && sink.room() > 0 && sent < rows; ++sent) {
      if (sink.put(records[sent % records.size()], nullptr, sent + 1)) return 1;
    }
  }
  const std::chrono::duration<double> took = portsync::Clock::now() - began;
  std::printf("%.0f rows a second\n", static_cast<double>(rows) / took.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return argc == 3 ? bench(std::strtoull(argv[2], nullptr, 10)) : follow();
}
