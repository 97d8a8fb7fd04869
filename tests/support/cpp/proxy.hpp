// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "os/descriptor.hpp"
#include "support/cpp/sink_harness.hpp"
#include "support/cpp/unix_listener.hpp"

namespace portsync::test {

// A proxy between a sink and a server. It can hold back the data of a connection, even after the client has gone, as a
// network does when it delivers packets late.
class DelayingProxy final : public Part {
 public:
  struct Link {
    os::Descriptor client;
    os::Descriptor server;
    std::string to_server;  // held back
    bool holding = false;   // holds back data from the client to the server
    bool server_gone = false;
    std::size_t answered = 0;  // number of bytes from the server
  };

  DelayingProxy(const std::string& path, std::string server_path)
      : server_path_(std::move(server_path)), listener_(listen_unix(path)) {}

  [[nodiscard]] std::size_t links() const { return links_.size(); }
  [[nodiscard]] Link& link(std::size_t index) { return *links_[index]; }

  void watch(std::vector<pollfd>& watched) const override {
    watched.push_back({listener_.get(), POLLIN, 0});
    for (const auto& link : links_) {
      if (link->client) watched.push_back({link->client.get(), POLLIN, 0});
      if (link->server) watched.push_back({link->server.get(), POLLIN, 0});
    }
  }

  void step() override {
    for (;;) {
      os::Descriptor client = accept_unix(listener_);
      if (!client) break;
      auto link = std::make_unique<Link>();
      link->client = std::move(client);
      link->server = connect_unix(server_path_);
      links_.push_back(std::move(link));
    }
    for (const auto& link : links_) {
      from_client(*link);
      from_server(*link);
    }
  }

 private:
  static void from_client(Link& link) {
    std::array<char, 65536> data;
    while (link.client) {
      const auto size = ::recv(link.client.get(), data.data(), data.size(), 0);
      if (size < 0 && errno == EAGAIN) break;
      if (size <= 0) {
        link.client.reset();
        if (!link.holding) link.server.reset();
        break;
      }
      link.to_server.append(data.data(), static_cast<std::size_t>(size));
    }
    if (link.holding || !link.server || link.to_server.empty()) return;
    const auto size = ::send(link.server.get(), link.to_server.data(), link.to_server.size(), MSG_NOSIGNAL);
    if (size > 0) link.to_server.erase(0, static_cast<std::size_t>(size));
  }

  static void from_server(Link& link) {
    std::array<char, 65536> data;
    while (link.server) {
      const auto size = ::recv(link.server.get(), data.data(), data.size(), 0);
      if (size < 0 && errno == EAGAIN) break;
      if (size <= 0) {
        link.server.reset();
        link.client.reset();
        link.server_gone = true;
        break;
      }
      link.answered += static_cast<std::size_t>(size);
      if (link.client) ::send(link.client.get(), data.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
    }
  }

  std::string server_path_;
  os::Descriptor listener_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace portsync::test
