// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "os/descriptor.hpp"
#include "redis/resp.hpp"
#include "support/cpp/resp_text.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/unix_listener.hpp"

namespace portsync::test {

// A fake server for replies that no real server sends. Without a script it replies to the sink's commands as Redis
// does, and stores nothing.
class FakeRedis final : public Part {
 public:
  struct Client {
    explicit Client(os::Descriptor accepted) : descriptor(std::move(accepted)) {}
    os::Descriptor descriptor;
    redis::ReplyReader reader;
    bool in_multi = false;
    std::size_t queued = 0;
    bool dead = false;
  };

  explicit FakeRedis(std::string path) : path_(std::move(path)), listener_(listen_unix(path_)) {}

  // Returns the reply as RESP text; std::nullopt = the usual reply, "" = none. `command` is one line.
  std::function<std::optional<std::string>(const std::string& command)> script;
  bool deaf = false;  // does not read
  bool accepting = true;
  bool hanging_up = false;            // closes each connection as soon as it has accepted it
  std::vector<std::string> received;  // every command, as one line
  int accepted = 0;

  void watch(std::vector<pollfd>& watched) const override {
    if (accepting) watched.push_back({listener_.get(), POLLIN, 0});
    if (deaf) return;
    for (const auto& client : clients_) {
      if (!client.dead) watched.push_back({client.descriptor.get(), POLLIN, 0});
    }
  }

  void step() override {
    while (accepting) {
      os::Descriptor descriptor = accept_unix(listener_);
      if (!descriptor) break;
      clients_.emplace_back(std::move(descriptor));
      ++accepted;
      if (!greeting.empty()) say(clients_.back(), greeting);
    }
    if (hanging_up) clients_.clear();
    if (deaf) return;
    for (auto& client : clients_) {
      if (!client.dead) read(client);
    }
    clients_.remove_if([](const Client& client) { return client.dead; });
  }

  // Sends the text to all connected clients.
  void say(const std::string& text) {
    for (auto& client : clients_) say(client, text);
  }
  void half_close() {
    for (auto& client : clients_) ::shutdown(client.descriptor.get(), SHUT_WR);
  }
  void close() { clients_.clear(); }
  [[nodiscard]] std::size_t count(const std::string& beginning) const {
    std::size_t found = 0;
    for (const auto& command : received) found += command.starts_with(beginning) ? 1U : 0U;
    return found;
  }

  std::string greeting;  // sent at once to each new client

 private:
  static void say(Client& client, const std::string& text) {
    // Blocks if the other side does not read. So such tests send only short texts.
    std::size_t sent = 0;
    while (sent < text.size()) {
      const auto size = ::send(client.descriptor.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (size > 0) {
        sent += static_cast<std::size_t>(size);
      } else if (errno != EAGAIN) {
        return;
      } else {
        pollfd writable{client.descriptor.get(), POLLOUT, 0};
        if (::poll(&writable, 1, 0) == 0) return;
      }
    }
  }

  void read(Client& client) {
    std::array<char, 65536> data;
    for (;;) {
      const auto size = ::recv(client.descriptor.get(), data.data(), data.size(), 0);
      if (size < 0 && errno == EAGAIN) break;
      if (size <= 0) {
        client.dead = true;
        return;
      }
      client.reader.feed(data.data(), static_cast<std::size_t>(size));
    }
    redis::ReplyPtr owner;
    std::string answers;
    while (client.reader.next(owner) == redis::ReplyReader::Result::reply) {
      const redis::Reply words(*owner);
      std::string line;
      for (std::size_t i = 0; i < words.size(); ++i) line += (i == 0 ? "" : " ") + std::string(words[i].text());
      received.push_back(line);
      const auto scripted = script ? script(line) : std::nullopt;
      answers += scripted ? *scripted : usual(client, line);
    }
    say(client, answers);
  }

  std::string usual(Client& client, const std::string& line) {
    if (line == "MULTI") {
      client.in_multi = true;
      client.queued = 0;
      return ok;
    }
    if (line == "EXEC") {
      client.in_multi = false;
      return array(std::vector<std::string>(client.queued, ":1\r\n"));
    }
    if (client.in_multi) {
      ++client.queued;
      return queued;
    }
    if (line == "CLIENT ID") return ":" + std::to_string(accepted) + "\r\n";
    if (line.starts_with("CLIENT KILL")) return ":1\r\n";
    if (line.starts_with("INFO")) return bulk("# Server\r\nrun_id:fake\r\n");
    if (line == "PING") return "+PONG\r\n";
    if (line.starts_with("H") || line.starts_with("DEL")) return line.starts_with("HGETALL") ? "*0\r\n" : ":1\r\n";
    if (line.starts_with("SCAN")) return array({bulk("0"), "*0\r\n"});
    return ok;
  }

  std::string path_;
  os::Descriptor listener_;
  std::list<Client> clients_;
};

}  // namespace portsync::test
