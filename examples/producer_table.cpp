// SPDX-License-Identifier: Apache-2.0
// Publishes to a table of APPL_DB as SONiC's daemons do. redis::ProducerTable stages and announces a row of LINK_TABLE
// for each link, and a consumer such as orchagent takes it over.
//
//   g++ -std=c++17 producer_table.cpp -o producer_table $(pkg-config --cflags --libs portsync)
//   ./producer_table /run/redis/redis.sock
//
// For a state table, which has no consumer, a StateSink is less work (write-your-own-sink.md). This program does not
// remove rows whose links went while it did not run. To do that, compare with TableReader::names() at the start.
#include <cstdio>
#include <map>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/database.hpp>
#include <portsync/redis/tables.hpp>
#include <set>
#include <string>
#include <utility>

#include <poll.h>

using namespace portsync;

class Publisher final : public redis::Database::Observer {
 public:
  explicit Publisher(redis::Database& database) : database_(database), table_(database, "LINK_TABLE", ":", 0) {}

  void on_event(const LinkEvent& event) {
    if (event.kind == LinkEvent::Kind::changed) {
      const LinkState& link = *event.link;
      if (event.before != nullptr && event.before->name != link.name) forget(event.before->name);
      rows_[link.name] = {{"admin_status", link.admin_up() ? "up" : "down"},
                          {"oper_status", link.running() ? "up" : "down"},
                          {"mtu", std::to_string(link.mtu.value_or(0))}};
      waiting_.insert(link.name);
    } else if (event.kind == LinkEvent::Kind::removed) {
      forget(event.link->name);
    } else if (event.kind == LinkEvent::Kind::drained) {
      publish();
    }
  }

  // It is not known whether the unanswered rows were stored, or what a restarted Redis still holds.
  void on_open() override {
    for (const auto& row : rows_) waiting_.insert(row.first);
    publish();
  }
  void on_closed(std::error_code error) override { std::fprintf(stderr, "redis: %s\n", error.message().c_str()); }

 private:
  void forget(const std::string& name) {
    rows_.erase(name);
    waiting_.insert(name);
  }

  // Publishes the newest state of every waiting row. While answers are outstanding it waits for them, so that the
  // number of unanswered rows stays bounded.
  void publish() {
    if (!database_.open() || unanswered_ > 0) return;
    std::vector<redis::TableRow> set;
    std::vector<std::string> removed;
    for (const std::string& name : waiting_) {
      const auto row = rows_.find(name);
      if (row == rows_.end()) {
        removed.push_back(name);
      } else {
        set.push_back({name, row->second});
      }
    }
    const redis::ProducerTable::Handler done = [this, names = std::exchange(waiting_, {})](std::error_code error) {
      --unanswered_;
      if (error) {
        std::fprintf(stderr, "tried again with the next change: %s\n", error.message().c_str());
        waiting_.insert(names.begin(), names.end());
      } else if (!waiting_.empty()) {
        publish();
      }
    };
    if (!set.empty() && !table_.set(set, done)) ++unanswered_;
    if (!removed.empty() && !table_.del(removed, done)) ++unanswered_;
  }

  redis::Database& database_;
  redis::ProducerTable table_;
  std::map<std::string, redis::FieldValues> rows_;  // of every link
  std::set<std::string> waiting_;                   // names to be published, or to be published again
  int unanswered_ = 0;                              // calls of table_
};

int main(int argc, char** argv) {
  redis::ConnectionOptions options;
  options.client_name = "producer_table";
  if (argc > 1) options.socket_path = argv[1];
  const auto database = redis::make_database(options);
  const auto source = netlink::make_link_source();
  Publisher publisher(*database);
  std::error_code error = source->start([&](const LinkEvent& event) { publisher.on_event(event); });
  if (!error) error = database->start(publisher);
  while (!error) {
    pollfd waiting[] = {{source->fd(), POLLIN, 0}, {database->fd(), POLLIN, 0}};
    ::poll(waiting, 2, -1);
    error = source->process();
    if (!error) error = database->process();
  }
  std::fprintf(stderr, "producer_table: %s\n", error.message().c_str());
  return 1;
}
