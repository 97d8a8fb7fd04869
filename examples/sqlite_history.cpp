// SPDX-License-Identifier: Apache-2.0
// Stores every transition of every link in SQLite, beside SONiC's rows in Redis. A sink sees only the newest state, but
// a history needs each step. It therefore has its own LinkSource in its own thread, so that a slow disk delays no row.
//
//   g++ -std=c++17 sqlite_history.cpp -o sqlite_history $(pkg-config --cflags --libs portsync sqlite3) -pthread
//   ./sqlite_history history.db /run/redis/redis.sock
//   sqlite3 history.db "SELECT datetime(time, 'unixepoch'), oper FROM transitions WHERE link = 'Ethernet0'"
//
// The column cause says how the program learned of a transition: 'initial' by the listing at the start, 'notified' by a
// message, 'resync' by the listing after a loss of messages, which hides the steps before it.
#include <sqlite3.h>

#include <cstdlib>
#include <portsync/netlink/link_source.hpp>
#include <portsync/redis/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <stdexcept>
#include <string>
#include <thread>

#include "run.hpp"

using namespace portsync;

class History {
 public:
  explicit History(const char* path) {
    check(sqlite3_open(path, &db_));
    // With a write-ahead log, other programs can read meanwhile and a commit needs no fsync. A power cut loses the last
    // few rows.
    execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 10000;"
        "CREATE TABLE IF NOT EXISTS transitions (id INTEGER PRIMARY KEY, time REAL, link TEXT, ifindex INTEGER,"
        " event TEXT, admin TEXT, oper TEXT, mtu INTEGER, master INTEGER, was TEXT, cause TEXT);"
        "CREATE INDEX IF NOT EXISTS by_link ON transitions (link, time)");
    const char* insert = "INSERT INTO transitions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    check(sqlite3_prepare_v2(db_, insert, -1, &insert_, nullptr));
  }
  History(const History&) = delete;
  History& operator=(const History&) = delete;
  ~History() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }

  // Events that arrive together are one transaction, which ends when no more events wait.
  void on_event(const LinkEvent& event) {
    if (event.kind == LinkEvent::Kind::drained && std::exchange(begun_, false)) execute("COMMIT");
    if (event.link == nullptr) return;
    if (!std::exchange(begun_, true)) execute("BEGIN");
    const std::chrono::duration<double> time =
        std::chrono::system_clock::now().time_since_epoch() - (Clock::now() - event.received);
    const LinkState& link = *event.link;
    const bool removed = event.kind == LinkEvent::Kind::removed;
    const bool renamed = event.before != nullptr && event.before->name != link.name;
    sqlite3_bind_double(insert_, 1, time.count());
    bind(2, link.name);
    sqlite3_bind_int(insert_, 3, link.ifindex);
    bind(4, removed ? "removed" : event.before == nullptr ? "new" : "changed");
    bind(5, link.admin_up() ? "up" : "down");
    bind(6, link.running() ? "up" : "down");
    sqlite3_bind_int64(insert_, 7, link.mtu.value_or(0));
    sqlite3_bind_int(insert_, 8, link.master);
    bind(9, renamed ? event.before->name : std::string());
    bind(10, to_string(event.cause));
    check(sqlite3_step(insert_));
    check(sqlite3_reset(insert_));
  }

 private:
  void bind(int column, const std::string& text) {
    sqlite3_bind_text(insert_, column, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  void execute(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  void check(int result) const {
    if (result != SQLITE_OK && result != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db_));
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  bool begun_ = false;
};

int keep_history(const char* path) try {
  History history(path);
  const auto source = netlink::make_link_source();
  return run(*source, source->start([&](const LinkEvent& event) { history.on_event(event); }));
} catch (const std::exception& error) {
  std::fprintf(stderr, "history: %s\n", error.what());
  return 1;
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "history.db";
  std::thread([path] { std::_Exit(keep_history(path)); }).detach();

  redis::StateSinkOptions options;
  options.connection.database = 6;
  if (argc > 2) options.connection.socket_path = argv[2];
  const auto source = netlink::make_link_source();
  const auto sink = redis::make_state_sink(options);
  Synchronizer synchronizer(*source, {});
  synchronizer.add_sink(*sink, redis::make_projection(options), "redis");
  std::_Exit(run(synchronizer, synchronizer.start()));
}
