// SPDX-License-Identifier: Apache-2.0
// An idempotent producer of librdkafka for an event loop. kafka_sink.hpp sends with it.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

// The error codes of librdkafka, unchanged.
class KafkaErrors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "kafka"; }
  std::string message(int code) const override { return rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code)); }
  static std::error_code code(rd_kafka_resp_err_t error) {
    static const KafkaErrors category;
    return {error, category};
  }
};

struct KafkaProducerEnd {
  void operator()(rd_kafka_t* producer) const {
    rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer, 1000);  // reports each message that is given up, so that its opaque can be freed
    rd_kafka_destroy(producer);
  }
};
using KafkaProducer = std::unique_ptr<rd_kafka_t, KafkaProducerEnd>;

// Makes a producer whose threads reconnect for ever. They make the eventfd readable when rd_kafka_poll() has reports,
// which it passes to `delivered` with `opaque`. A message that is not delivered within timeout_ms is reported as an
// error. Throws std::runtime_error.
inline KafkaProducer make_kafka_producer(const std::string& brokers, const std::string& timeout_ms, int eventfd,
                                         void (*delivered)(rd_kafka_t*, const rd_kafka_message_t*, void*),
                                         void* opaque) {
  const std::pair<const char*, const char*> settings[] = {
      {"bootstrap.servers", brokers.c_str()},
      {"enable.idempotence", "true"},     // a message that is sent again is neither doubled nor out of order
      {"partitioner", "murmur2_random"},  // chooses the same partition for a key as Kafka's own clients
      {"linger.ms", "1"},
      {"reconnect.backoff.max.ms", "1000"},
      {"message.timeout.ms", timeout_ms.c_str()},
  };
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[200];
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) == RD_KAFKA_CONF_OK) continue;
    rd_kafka_conf_destroy(conf);
    throw std::runtime_error(error);
  }
  rd_kafka_conf_set_opaque(conf, opaque);
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  KafkaProducer producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error));
  if (!producer) throw std::runtime_error(error);
  rd_kafka_queue_t* reports = rd_kafka_queue_get_main(producer.get());
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(reports, eventfd, &one, sizeof one);  // copies the bytes that it will write
  rd_kafka_queue_destroy(reports);
  return producer;
}
