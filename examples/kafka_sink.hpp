// SPDX-License-Identifier: Apache-2.0
// A StateSink for a topic of Kafka. The key of a row is switch|port, and a removal is a message without a value. A
// topic with cleanup.policy=compact keeps the newest message of each key, so that a consumer that reads the topic from
// its start knows every port of the fleet.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <portsync/error.hpp>
#include <portsync/state_sink.hpp>

#include "kafka_producer.hpp"

// librdkafka's threads put delivery reports into a queue and make an eventfd readable. process() reads the queue, so
// that only the thread that calls process() calls the observer.
class KafkaSink final : public portsync::StateSink {
 public:
  // A row that is not delivered within timeout_ms counts as refused, and the Synchronizer tries its newest state again.
  // Throws std::runtime_error.
  KafkaSink(const std::string& brokers, std::string topic, std::string device, const std::string& timeout_ms)
      : topic_(std::move(topic)),
        device_(std::move(device)),
        producer_(make_kafka_producer(brokers, timeout_ms, wake_, on_delivery, this)) {}

  ~KafkaSink() override {
    producer_.reset();  // its threads use the descriptor
    ::close(wake_);
  }

  int fd() const noexcept override { return wake_; }

  std::error_code start(Observer& observer) override {
    if (observer_ != nullptr) return portsync::Errc::already_started;
    observer_ = &observer;
    return flush();
  }

  std::error_code process() override {
    if (observer_ == nullptr) return portsync::Errc::not_started;
    eventfd_t ignored = 0;
    ::eventfd_read(wake_, &ignored);
    if (!std::exchange(statistics_.open, true)) observer_->on_open();  // librdkafka keeps rows for absent brokers
    rd_kafka_poll(producer_.get(), 0);
    while (!answers_.empty()) {
      const Row row = std::move(answers_.front());
      answers_.pop_front();
      --unanswered_;
      observer_->on_result(row.port, row.revision, row.error);
    }
    char text[1];
    return KafkaErrors::code(rd_kafka_fatal_error(producer_.get(), text, sizeof text));  // final, if there is one
  }

  std::error_code put(const portsync::PortRecord& record, const portsync::PortRecord*, portsync::Revision at) override {
    std::string value = "{";
    for (const portsync::Field& field : record.fields) {
      if (value.size() > 1) value += ',';
      value.append(1, '"').append(field.name).append("\":").append(field.value);
    }
    return send(record.port, at, value + '}');
  }
  std::error_code erase(std::string_view port, portsync::Revision at) override { return send(port, at, ""); }
  std::error_code flush() override {
    ::eventfd_write(wake_, 1);
    return {};
  }
  std::size_t room() const noexcept override { return 1000 - unanswered_; }

  // The topic is not read back, so every row comes again after on_open().
  std::error_code read_back(portsync::Scope, const std::vector<std::string_view>&) override {
    return portsync::Errc::not_supported;
  }
  portsync::SinkStatistics statistics() const override { return statistics_; }

 private:
  struct Row {
    std::string port;
    portsync::Revision revision;
    std::error_code error;
  };

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* sink) {
    const std::unique_ptr<Row> row(static_cast<Row*>(message->_private));
    row->error = KafkaErrors::code(message->err);
    static_cast<KafkaSink*>(sink)->answers_.push_back(std::move(*row));
  }

  std::error_code send(std::string_view port, portsync::Revision revision, const std::string& value) {
    if (!statistics_.open) return portsync::Errc::not_open;
    if (room() == 0) return portsync::Errc::no_room;
    auto row = std::make_unique<Row>(Row{std::string(port), revision, {}});
    const std::string key = device_ + '|' + row->port;
    const rd_kafka_resp_err_t error =
        rd_kafka_producev(producer_.get(), RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_KEY(key.data(), key.size()),
                          RD_KAFKA_V_VALUE(value.empty() ? nullptr : const_cast<char*>(value.data()), value.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(row.get()), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaErrors::code(error);
    (void)row.release();  // on_delivery()'s
    ++unanswered_;
    return {};
  }

  const std::string topic_, device_;
  const int wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Observer* observer_ = nullptr;
  std::deque<Row> answers_;     // delivery reports that the observer has not received yet
  std::size_t unanswered_ = 0;  // rows in librdkafka and in answers_
  portsync::SinkStatistics statistics_;
  KafkaProducer producer_;
};
