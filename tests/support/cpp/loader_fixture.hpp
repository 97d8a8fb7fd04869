// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <portsync/sonic/port_loader.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/cpp/fakes.hpp"
#include "support/cpp/redis_server.hpp"

namespace portsync::test {

using namespace std::chrono_literals;
using sonic::LoaderEvent;
using Lines = std::vector<std::string>;

inline std::string sorted(const std::string& words) {
  Lines all;
  std::size_t at = 0;
  while (at <= words.size()) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    all.push_back(words.substr(at, end - at));
    at = end + 1;
  }
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& word : all) text += (text.empty() ? "" : " ") + word;
  return text;
}

// A loader, a real Redis, and links that the test changes by hand.
struct LoaderFixture {
  LoaderFixture() : descriptor(::eventfd(0, EFD_CLOEXEC)) {
    links.descriptor = descriptor;
    links.lasting = true;
    for (auto [database, number] : {std::pair{&options.config_db, 4}, {&options.appl_db, 0}, {&options.state_db, 6}}) {
      database->connection.socket_path = server.socket_path();
      database->connection.database = number;
      database->connection.retry_interval = 20ms;
      database->connection.timeout = 2s;
      database->connection.client_name = "portsyncd-sonic-test";
      database->separator = number == 0 ? ":" : "|";
    }
    options.poll_interval = 20ms;
    options.set_link_down = [this](std::int32_t ifindex) {
      set_down.push_back(ifindex);
      return set_down_error;
    };
  }
  ~LoaderFixture() { ::close(descriptor); }

  std::string redis(int number, const std::vector<std::string>& words) {
    RedisClient client(server.socket_path());
    client({"SELECT", std::to_string(number)});
    return client(words);
  }
  std::string appl(const std::vector<std::string>& words) { return redis(0, words); }
  void configure(const std::vector<std::string>& ports) {
    for (const std::string& port : ports) redis(4, {"HSET", "PORT|" + port, "lanes", "1", "alias", port});
    redis(4, {"SET", "CONFIG_DB_INITIALIZED", "1"});
  }
  // Publishes everything that is staged, as orchagent does.
  void pop() {
    appl({"EVAL",
          "for _, key in ipairs(redis.call('SMEMBERS', 'PORT_TABLE_KEY_SET')) do "
          "  local fields = redis.call('HGETALL', '_PORT_TABLE:' .. key) "
          "  for i = 1, #fields, 2 do redis.call('HSET', 'PORT_TABLE:' .. key, fields[i], fields[i + 1]) end "
          "  redis.call('DEL', '_PORT_TABLE:' .. key) "
          "end redis.call('DEL', 'PORT_TABLE_KEY_SET')",
          "0"});
  }

  void start() {
    loader = sonic::make_port_loader(links, options);
    BOOST_REQUIRE(!loader->links().start([this](const LinkEvent& event) {
      if (event.kind == LinkEvent::Kind::changed && event.before == nullptr) reported.push_back(event.link->name);
      if (event.kind == LinkEvent::Kind::removed) reported.push_back("-" + event.link->name);
    }));
    BOOST_REQUIRE(!loader->start([this](const LoaderEvent& event) { on_event(event); }));
  }
  void on_event(const LoaderEvent& event) {
    switch (event.kind) {
      case LoaderEvent::Kind::waiting:
        return events.push_back("waiting for " + std::string(event.text));
      case LoaderEvent::Kind::started:
        return events.push_back("started " + std::string(to_string(event.mode)) + " " + std::to_string(event.count));
      case LoaderEvent::Kind::link_set_down:
        return events.push_back("down " + std::string(event.port));
      case LoaderEvent::Kind::links_kept:
        return events.push_back("kept " + std::to_string(event.count));
      case LoaderEvent::Kind::resumed:
        return events.push_back("resumed");
      case LoaderEvent::Kind::running:
        return events.push_back("running");
      case LoaderEvent::Kind::port_init_done:
        return events.push_back("init done");
      case LoaderEvent::Kind::ports_missing:
      case LoaderEvent::Kind::names_added: {
        std::string text = event.kind == LoaderEvent::Kind::ports_missing ? "missing" : "added";
        for (const std::string& port : *event.ports) text += " " + port;
        return events.push_back(text);
      }
      case LoaderEvent::Kind::refused:
        refusal = event.text;
        return events.push_back("refused");
      case LoaderEvent::Kind::subscription_refused:
        return events.push_back("subscription refused");
      case LoaderEvent::Kind::data_lost:
        return events.push_back("data lost");
      case LoaderEvent::Kind::config_done_gone:
        return events.push_back("config done gone");
      case LoaderEvent::Kind::leftovers_ignored:
      case LoaderEvent::Kind::consumers_deaf:
      case LoaderEvent::Kind::consumers_heard:
        return;
      case LoaderEvent::Kind::another_loader:
        return events.push_back("another " + std::string(event.text));
    }
  }
  void snapshot(const std::vector<LinkState>& all = {}) {
    links.snapshot_begin(Cause::initial);
    for (const LinkState& link : all) links.change(link, Cause::initial);
    links.snapshot_end(Cause::initial);
  }

  template <typename Condition>
  [[nodiscard]] bool drive(Condition condition, std::chrono::milliseconds limit = 10s) {
    const TimePoint deadline = Clock::now() + limit;
    while (!condition()) {
      if (Clock::now() >= deadline) return false;
      pollfd watched[]{{loader->fd(), POLLIN, 0}, {loader->links().fd(), POLLIN, 0}};
      ::poll(watched, 2, 20);
      if (watched[0].revents != 0) {
        const TimePoint begin = Clock::now();
        BOOST_REQUIRE(!loader->process());
        longest_turn = std::max(longest_turn, Clock::now() - begin);
      }
      if (watched[1].revents != 0) BOOST_REQUIRE(!loader->links().process());
    }
    return true;
  }
  [[nodiscard]] bool happens(const std::string& event) {
    return drive([&] { return std::find(events.begin(), events.end(), event) != events.end(); });
  }
  [[nodiscard]] bool is_reported(const std::string& link) {
    return drive([&] { return std::find(reported.begin(), reported.end(), link) != reported.end(); });
  }
  int turns_in_200_ms() {
    settle();
    int turns = 0;
    (void)drive([&turns] { return ++turns < 0; }, 200ms);
    return turns;
  }
  // Runs long enough for replies to all commands that were sent.
  void settle() {
    (void)drive([] { return false; }, 100ms);
  }
  void run_cold(const std::vector<std::string>& ports) {
    configure(ports);
    start();
    snapshot();
    BOOST_REQUIRE(happens("running"));
  }

  void have_init_done_refused() {
    run_cold({"Ethernet0"});
    pop();
    redis(0, {"CONFIG", "SET", "maxmemory", "1"});
    links.change(make_link(10, "Ethernet0"));
    BOOST_REQUIRE(happens("refused"));
  }

  RedisServer server{{"--notify-keyspace-events", "AKE"}};
  int descriptor;
  FakeSource links;
  sonic::PortLoaderOptions options;
  std::unique_ptr<sonic::PortLoader> loader;
  Lines events;
  Lines reported;
  std::string refusal;
  Clock::duration longest_turn{0};
  std::vector<std::int32_t> set_down;
  std::error_code set_down_error;
};

}  // namespace portsync::test
