// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sim/network.hpp"
#include "sim/world.hpp"

namespace sim {

using Hash = std::map<std::string, std::string, std::less<>>;
using Set = std::set<std::string, std::less<>>;
using RedisValue = std::variant<std::string, Hash, Set>;
using Keyspace = std::map<std::string, RedisValue, std::less<>>;

// The commands that Redis refuses, each with Redis' own error text; "*" = all commands.
struct RedisRefusals {
  std::map<std::string, std::string, std::less<>> commands;  // "hmget" -> the error, without '-'
  std::map<std::string, std::string, std::less<>> keys;      // a key -> the error
  std::string writes;                                        // OOM, READONLY, MISCONF …: for every command that writes
  // LOADING, MASTERDOWN …: for all but AUTH, SELECT, CLIENT, INFO.
  std::string everything;
  bool publish = false;  // NOPERM for the channel, as a user of Redis 7 without &* gets it

  [[nodiscard]] bool any() const noexcept {
    return publish || !commands.empty() || !keys.empty() || !writes.empty() || !everything.empty();
  }
};

// A redis-server: RESP2, the commands of this project and of its neighbours, and the server's faults. redis_oracle_test
// sends the same commands to a real one and compares the replies byte by byte.
class RedisServer final : public Listener {
 public:
  RedisServer(World& world, std::string name);

  // Called for each change of a key by any client; `client` = 0 for act(), which stands for another program.
  using Observer = std::function<void(int database, const std::string& key, std::uint64_t client)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }
  // Called for each command of a connection before it is executed; for those of a MULTI at EXEC.
  using Spy = std::function<void(std::uint64_t client, int database, const std::vector<std::string_view>& words)>;
  void set_spy(Spy spy) { spy_ = std::move(spy); }

  // Executes a command for another program. Returns the reply in RESP.
  std::string act(int database, const std::vector<std::string>& words);
  [[nodiscard]] const Keyspace& keyspace(int database) const { return data_[static_cast<std::size_t>(database)]; }
  [[nodiscard]] const Hash* hash(int database, std::string_view key) const;

  // ---- what happens to it
  void stop();                      // connections are closed, new ones refused
  void start(bool with_data);       // again, as another process; with its former data, or with none
  [[nodiscard]] bool running() const noexcept { return running_; }
  void pause(Time until) { paused_until_ = std::max(paused_until_, until); }
  [[nodiscard]] Time paused_until() const noexcept { return paused_until_; }
  void kill_clients();              // as CLIENT KILL TYPE normal does
  void flush(int database);
  using Snapshot = std::array<Keyspace, 16>;
  [[nodiscard]] Snapshot save() const { return data_; }
  void restore(Snapshot snapshot);  // under open connections; every key that differs has changed
  void set_idle_timeout(Time timeout);  // 0 = none
  RedisRefusals refusals;
  // Returns whether a command of this key was refused, and no command has read the key since, or not for a second.
  [[nodiscard]] bool is_unsure(const std::string& key) const;
  // Returns whether the latest command that should read this key was refused.
  [[nodiscard]] bool is_unread(const std::string& key) const { return unread_.count(key) != 0; }
  std::size_t max_clients = 10'000;

  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }
  [[nodiscard]] const std::string& run_id() const noexcept { return run_id_; }
  // Returns the number of commands, including those of clients that have ended.
  [[nodiscard]] std::uint64_t commands() const noexcept { return commands_; }

  // ---- Listener
  bool accept(const std::shared_ptr<Connection>& connection) override;
  void on_bytes(const std::shared_ptr<Connection>& connection, std::string_view bytes) override;
  void on_end(const std::shared_ptr<Connection>& connection) override;

 private:
  using Words = std::vector<std::string_view>;
  struct Client {
    std::uint64_t id = 0;
    std::shared_ptr<Connection> connection;
    std::string name;
    int database = 0;
    bool in_transaction = false;
    bool aborted = false;
    std::vector<std::vector<std::string>> queued;
    std::set<std::string> channels;
    std::set<std::string> patterns;
    std::string pending;  // bytes of the next command
    std::string out;
    Time last_seen = 0;
    bool ended = false;
  };

  void run(Client& client);
  bool take_command(Client& client, Words& words, std::size_t& size) const;
  void dispatch(Client& client, const Words& words);
  void execute(Client& client, const Words& words);
  [[nodiscard]] const std::string* refusal(const Client& client, const Words& words) const;
  bool execute_connection_command(Client& client, std::string_view command, const Words& words);
  void client_command(Client& client, const Words& words);
  void subscribe(Client& client, const Words& words, bool pattern);
  void exec(Client& client);
  void note_read(const std::string& key);
  void scan(Client& client, const Words& words);
  void eval(Client& client, const Words& words);
  bool stage_row(Client& client, const Words& keys, std::size_t key, const Words& arguments, std::size_t& at,
                 std::string& refusal);
  void hash_command(Client& client, std::string_view command, const Words& words);
  void set_command(Client& client, std::string_view command, const Words& words);
  std::int64_t publish(std::string_view channel, std::string_view message);
  void changed(Client& client, std::string_view key, const char* event);
  void end_client(std::uint64_t id, bool orderly);
  void send(Client& client);
  void end_idle();
  Keyspace& data(const Client& client) { return data_[static_cast<std::size_t>(client.database)]; }
  template <typename T>
  T* find(Client& client, std::string_view key, bool create, bool& wrong_type);

  World& world_;
  std::string name_;
  Observer observer_;
  Spy spy_;
  Snapshot data_;
  std::map<std::uint64_t, Client> clients_;
  Client actor_;  // act()
  std::uint64_t next_client_ = 3;
  std::uint64_t runs_ = 0;
  std::uint64_t commands_ = 0;
  std::string run_id_;
  bool running_ = true;
  Time paused_until_ = 0;
  std::set<std::string> unread_;        // see is_unread()
  static constexpr Time never = std::numeric_limits<Time>::max();
  std::map<std::string, Time> unsure_;  // until when: see is_unsure(). `never` before the key is read
  bool resuming_ = false;
  Time idle_timeout_ = 0;
  bool looks_for_idle_ = false;
  std::map<std::uint64_t, std::string> cursors_;
  std::uint64_t next_cursor_ = 1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
