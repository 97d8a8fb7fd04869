// SPDX-License-Identifier: Apache-2.0
// Sends the same random list of commands to a real redis-server and to the simulated one, over two connections each,
// and compares the replies byte by byte. Fields and members, which Redis returns in no order, are sorted first. Exit
// status: 0 equal, 1 different, 77 there is no redis-server.
//
// redis_oracle SEED COMMANDS TABLES_CPP: takes the script that stages ports from libportsync/src/redis/tables.cpp.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sim/network.hpp"
#include "sim/random.hpp"
#include "sim/redis_server.hpp"
#include "sim/resp.hpp"

namespace {

using Words = std::vector<std::string>;

std::string encode(const Words& words) {
  std::string bytes;
  sim::resp::array(bytes, words.size());
  for (const std::string& word : words) sim::resp::bulk(bytes, word);
  return bytes;
}

// Returns the length of the reply at the beginning of `bytes`; 0 if it is not complete.
std::size_t answer_size(std::string_view bytes, std::size_t at = 0) {
  const std::size_t end = bytes.find("\r\n", at);
  if (end == std::string_view::npos) return 0;
  long count = 0;
  std::from_chars(bytes.data() + at + 1, bytes.data() + end, count);
  std::size_t next = end + 2;
  if (bytes[at] == '$' && count >= 0) next += static_cast<std::size_t>(count) + 2;
  if (bytes[at] == '*') {
    for (long i = 0; i < count && next != 0; ++i) next = answer_size(bytes, next);
  }
  return next > bytes.size() ? 0 : next;
}

class RealRedis {
 public:
  RealRedis() {
    path_ = "/tmp/redis-oracle-" + std::to_string(::getpid()) + ".sock";
    pid_ = ::fork();
    if (pid_ == 0) {
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, STDOUT_FILENO);
      ::execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path_.c_str(), "--save", "", "--loglevel",
               "warning", "--notify-keyspace-events", "AK", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    for (auto& fd : connections_) fd = connect();
  }
  ~RealRedis() {
    for (const int fd : connections_) ::close(fd);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::unlink(path_.c_str());
  }
  RealRedis(const RealRedis&) = delete;
  RealRedis& operator=(const RealRedis&) = delete;

  std::string ask(std::size_t connection, const Words& words) {
    const std::string bytes = encode(words);
    if (::send(connections_[connection], bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) throw std::runtime_error("send");
    std::string& answer = received_[connection];
    while (answer_size(answer) == 0) read_more(connection);
    const std::size_t size = answer_size(answer);
    const std::string taken = answer.substr(0, size);
    answer.erase(0, size);
    return taken;
  }
  // Returns the messages that come within a moment without a request.
  std::string messages(std::size_t connection) {
    pollfd wait{connections_[connection], POLLIN, 0};
    while (::poll(&wait, 1, 20) > 0) read_more(connection);
    return std::exchange(received_[connection], {});
  }

 private:
  int connect() {
    for (int attempt = 0; attempt < 200; ++attempt) {
      const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path_.copy(address.sun_path, sizeof address.sun_path - 1);
      if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
      ::close(fd);
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) throw std::runtime_error("there is no redis-server");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error("redis-server does not answer");
  }
  void read_more(std::size_t connection) {
    std::array<char, 65536> data;
    const ssize_t size = ::recv(connections_[connection], data.data(), data.size(), 0);
    if (size <= 0) throw std::runtime_error("redis-server closed the connection");
    received_[connection].append(data.data(), static_cast<std::size_t>(size));
  }

  std::string path_;
  pid_t pid_ = 0;
  std::array<int, 3> connections_{};
  std::array<std::string, 3> received_;
};

class SimulatedRedis {
 public:
  SimulatedRedis() {
    for (auto& connection : connections_) {
      connection = std::make_shared<sim::Connection>(world_, style_);
      server_.accept(connection);
      connection->open(server_);
    }
  }
  std::string ask(std::size_t connection, const Words& words) {
    connections_[connection]->send(encode(words));
    settle();
    std::string& answer = connections_[connection]->incoming;
    const std::size_t size = answer_size(answer);
    const std::string taken = answer.substr(0, size);
    answer.erase(0, size);
    return taken;
  }
  std::string messages(std::size_t connection) {
    settle();
    return std::exchange(connections_[connection]->incoming, {});
  }

 private:
  void settle() {
    const sim::Time limit = world_.now() + sim::second;
    while (world_.advance(limit)) {
    }
  }
  sim::World world_{1};
  sim::NetworkStyle style_;
  sim::RedisServer server_{world_, "oracle"};
  std::array<std::shared_ptr<sim::Connection>, 3> connections_;
};

std::string script_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string source = text.str();
  const std::size_t begin = source.find("script = R\"(") + 12;
  const std::size_t end = source.find(")\";", begin);
  if (!file || end == std::string::npos) throw std::invalid_argument("no script in " + path);
  return source.substr(begin, end - begin);
}

// Returns the reply with its members, or pairs of field and value, in sorted order.
std::string sorted(const std::string& answer, std::size_t words_each) {
  if (answer.empty() || answer[0] != '*') return answer;
  std::size_t at = answer.find("\r\n") + 2;
  std::vector<std::string> parts;
  while (at < answer.size()) {
    const std::size_t begin = at;
    for (std::size_t i = 0; i < words_each; ++i) at = answer_size(answer, at);
    parts.push_back(answer.substr(begin, at - begin));
  }
  std::sort(parts.begin(), parts.end());
  std::string result = answer.substr(0, answer.find("\r\n"));
  for (const std::string& part : parts) result += " " + part;
  return result;
}

class Oracle {
 public:
  Oracle(std::uint64_t seed, std::string script) : random_(seed), script_(std::move(script)) {}

  int play(int commands) {
    ask(2, {"PSUBSCRIBE", "__keyspace@0__:*"});
    ask(2, {"SUBSCRIBE", "PORT_TABLE_CHANNEL@0"});
    for (int i = 0; i < commands && differences_ == 0; ++i) {
      const Words words = command();
      ask(random_.below(2), words);
      if (i % 20 == 0) compare({"what subscribers hear"}, real_.messages(2), simulated_.messages(2));
    }
    for (const std::string& key : keys_) {
      ask(0, {"DISCARD"});
      ask(0, {"TYPE", key});
      ask(0, {"HGETALL", key});
    }
    return differences_;
  }

 private:
  void ask(std::size_t connection, const Words& words) {
    compare(words, real_.ask(connection, words), simulated_.ask(connection, words));
  }

  void compare(const Words& words, std::string real, std::string simulated) {
    if (words[0] == "HGETALL" || words[0] == "SMEMBERS") {
      const std::size_t each = words[0] == "HGETALL" ? 2 : 1;
      real = sorted(real, each);
      simulated = sorted(simulated, each);
    }
    if (words[0] == "EXEC" && real != simulated) {  // it may contain such replies
      std::sort(real.begin(), real.end());
      std::sort(simulated.begin(), simulated.end());
    }
    if (real == simulated) return;
    ++differences_;
    for (const std::string& word : words) std::cerr << word << ' ';
    std::cerr << "\nthe real server:\n" << real << "the simulated one:\n" << simulated;
  }

  std::string pick(const std::vector<std::string>& from) { return from[random_.below(from.size())]; }
  std::string key() { return pick(keys_); }
  std::string field() { return pick({"state", "mtu", "admin_status", "oper", ""}); }

  Words command() {
    switch (random_.below(26)) {
      case 0: case 1: case 2: return {"HSET", key(), field(), field()};
      case 3: return {"HSET", key(), field(), "a", field(), "b"};
      case 4: return {"HSET", key(), field()};
      case 5: return {"HDEL", key(), field()};
      case 6: return {"HDEL", key(), "state", "mtu", "admin_status", "oper", ""};
      case 7: return {"HMGET", key(), field(), field()};
      case 8: return {"HGETALL", key()};
      case 9: return {"DEL", key()};
      case 10: return {"DEL", key(), key()};
      case 11: return {"EXISTS", key(), key()};
      case 12: return {"SADD", key(), field(), field()};
      case 13: return {"SMEMBERS", key()};
      case 14: return {"SREM", key(), field()};
      case 15: return {"GET", key()};
      case 16: return {"SET", key(), "x"};
      case 17: return {"MULTI"};
      case 18: return {"EXEC"};
      case 19: return {"DISCARD"};
      case 20: return {"HGET", key(), field()};
      case 21: return {"HLEN", key()};
      case 22: return {pick({"PING", "NOSUCH", "HMGET", "TYPE"}), key()};
      case 23: return {"SISMEMBER", key(), field()};
      case 24: return {"SCARD", key()};
      default: {
        // Two rows, the second of which is sometimes deleted.
        Words words{"EVAL", script_, "4", "PORT_TABLE_KEY_SET", "PORT_TABLE_DEL_SET", "_PORT_TABLE:" + key(), "_PORT_TABLE:b",
                    "PORT_TABLE_CHANNEL@0", "a", "2", field(), field()};
        words.insert(words.end(), {"b"});
        if (random_.below(2) == 0) {
          words.push_back("0");
        } else {
          words.insert(words.end(), {"2", "state", "ok"});
        }
        return words;
      }
    }
  }

  sim::Random random_;
  const std::string script_;
  RealRedis real_;
  SimulatedRedis simulated_;
  const std::vector<std::string> keys_{"a", "b", "PORT_TABLE|Ethernet0", "PORT_TABLE", "PORT_TABLE_KEY_SET", "_PORT_TABLE:a"};
  int differences_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: redis_oracle SEED COMMANDS TABLES_CPP\n";
    return 2;
  }
  try {
    Oracle oracle(std::strtoull(argv[1], nullptr, 10), script_of(argv[3]));
    const int differences = oracle.play(std::atoi(argv[2]));
    std::cout << (differences == 0 ? "equal" : "different") << ", seed " << argv[1] << '\n';
    return differences == 0 ? 0 : 1;
  } catch (const std::runtime_error& error) {
    std::cerr << error.what() << '\n';
    return 77;
  }
}
