// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace portsync::test {

// A temporary directory. The destructor removes it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = "/tmp/portsync-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Returns a port that is free now.
inline std::uint16_t free_tcp_port() {
  const int descriptor = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_any;
  socklen_t size = sizeof address;
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), size) < 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) < 0) {
    throw std::runtime_error("no free port");
  }
  ::close(descriptor);
  return ntohs(address.sin6_port);
}

// A blocking client that is independent of the library, like an operator's redis-cli. Replies are text: (nil) for none,
// and the elements of an array with spaces between them.
class RedisClient {
 public:
  explicit RedisClient(const std::string& socket_path)
      : context_(::redisConnectUnixWithTimeout(socket_path.c_str(), {5, 0}), &::redisFree) {
    if (!context_ || context_->err != 0) throw std::runtime_error("cannot connect to " + socket_path);
    ::redisSetTimeout(context_.get(), {10, 0});
  }

  std::string operator()(const std::vector<std::string>& words) {
    append(words);
    void* reply = nullptr;
    if (::redisGetReply(context_.get(), &reply) != REDIS_OK) {
      throw std::runtime_error(words.front() + ": " + context_->errstr);
    }
    const std::unique_ptr<redisReply, decltype(&::freeReplyObject)> owner(static_cast<redisReply*>(reply),
                                                                          &::freeReplyObject);
    return text(*owner);
  }
  // Sends a command and does not wait for the reply.
  void send(const std::vector<std::string>& words) {
    append(words);
    int done = 0;
    while (done == 0 && ::redisBufferWrite(context_.get(), &done) == REDIS_OK) {
    }
  }

 private:
  void append(const std::vector<std::string>& words) {
    std::vector<const char*> pointers;
    std::vector<std::size_t> sizes;
    for (const auto& word : words) {
      pointers.push_back(word.data());
      sizes.push_back(word.size());
    }
    ::redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), pointers.data(), sizes.data());
  }
  static std::string text(const redisReply& reply) {
    switch (reply.type) {
      case REDIS_REPLY_INTEGER:
        return std::to_string(reply.integer);
      case REDIS_REPLY_NIL:
        return "(nil)";
      case REDIS_REPLY_ARRAY: {
        std::string result;
        for (std::size_t i = 0; i < reply.elements; ++i) result += (i == 0 ? "" : " ") + text(*reply.element[i]);
        return result;
      }
      default:
        return {reply.str, static_cast<std::size_t>(reply.len)};
    }
  }

  std::unique_ptr<redisContext, decltype(&::redisFree)> context_;
};

// A redis-server that belongs to the test.
class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> arguments = {}) : arguments_(std::move(arguments)) { start(); }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Starts the server. `until_ready`: waits until it replies to PING, even with an error.
  void start(bool until_ready = true, const std::vector<std::string>& more_arguments = {}) {
    std::vector<std::string> words{
        "redis-server",    "--port",     "0",       "--unixsocket",           socket_path(), "--dir",
        directory_.path(), "--save",     "",        "--appendonly",           "no",          "--logfile",
        file("redis.log"), "--loglevel", "warning", "--enable-debug-command", "yes"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    words.insert(words.end(), more_arguments.begin(), more_arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      ::dup2(null, 0);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    if (until_ready) wait_ready();
  }
  void wait_ready() {
    for (int i = 0; i < 1000; ++i) {
      try {
        RedisClient client(socket_path());
        if (client({"PING"}) != "") return;
      } catch (const std::exception&) {
        // the server is not ready yet
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("redis-server does not start");
  }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void pause() const { ::kill(pid_, SIGSTOP); }
  void resume() const { ::kill(pid_, SIGCONT); }

  [[nodiscard]] std::string socket_path() const { return directory_.file("redis.sock"); }
  [[nodiscard]] std::string file(const std::string& name) const { return directory_.file(name); }
  [[nodiscard]] RedisClient client() const { return RedisClient(socket_path()); }
  // Sends one command on a separate connection and returns the reply.
  std::string operator()(const std::vector<std::string>& words) const { return client()(words); }

 private:
  TemporaryDirectory directory_;
  std::vector<std::string> arguments_;
  pid_t pid_ = -1;
};

}  // namespace portsync::test
