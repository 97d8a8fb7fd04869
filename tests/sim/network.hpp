// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/world.hpp"

namespace sim {

// A connection between the process and a server.
class Connection;

// A server that listens at an address.
class Listener {
 public:
  virtual ~Listener() = default;
  // Returns false to refuse the connection.
  virtual bool accept(const std::shared_ptr<Connection>& connection) = 0;
  virtual void on_bytes(const std::shared_ptr<Connection>& connection, std::string_view bytes) = 0;
  // The client has closed the connection.
  virtual void on_end(const std::shared_ptr<Connection>& connection) = 0;
};

// The properties of the network between the process and its servers.
struct NetworkStyle {
  Time latency = 20 * microsecond;
  Time jitter = 30 * microsecond;
  std::uint32_t split = 0;            // in a million: a reply comes in two pieces
  std::size_t send_buffer = 212'992;  // bytes that the server has not read yet
  // How much later a proxy in between delivers what it holds of a connection that its client has reset. 0: it is lost.
  Time late = 0;
};

// One stream connection, TCP or unix. Bytes travel in both directions, in order, each piece with its own delay.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(World& world, NetworkStyle& style) : world_(world), style_(style) {}

  // ---- the server's side
  void reply(std::string_view bytes);
  // Closes it. Bytes on their way to the client still arrive (orderly), or are lost.
  void end(bool orderly);
  [[nodiscard]] bool alive() const noexcept { return alive_; }
  std::uint64_t id = 0;  // the server's number for it

  // ---- the client's side
  void open(Listener& listener) { listener_ = &listener; }
  std::size_t send(std::string_view bytes);
  void close(bool reset);

  // Until then no bytes move, as if the server were stopped or the line cut.
  void hold(Time until) { held_until_ = until; }

  enum class State : std::uint8_t { open, ended, reset };
  State client_state = State::open;
  std::string incoming;  // for the client
  std::size_t taken = 0; // how much of incoming was read
  std::size_t in_flight = 0;

 private:
  void deliver(std::string bytes);
  [[nodiscard]] Time arrival(Time& last);
  World& world_;
  NetworkStyle& style_;
  Listener* listener_ = nullptr;
  bool alive_ = true;  // as the server sees it
  Time last_to_server_ = 0;
  Time last_to_client_ = 0;
  Time held_until_ = 0;
};

// The servers, and the names they have.
class Network {
 public:
  explicit Network(World& world) : world_(world) {}
  NetworkStyle style;

  void listen(const std::string& address, Listener& listener) { listeners_[address] = &listener; }
  [[nodiscard]] Listener* find(const std::string& address) const;
  // Sets the addresses of a name from now on; none = it does not resolve. Resolving takes `resolving`.
  void set_name(const std::string& name, std::vector<std::string> addresses) { names_[name] = std::move(addresses); }
  [[nodiscard]] std::vector<std::string> resolve(const std::string& name) const;
  Time resolving = 2 * millisecond;
  // Returns the open connections, in the order in which they were made.
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> connections();

  std::shared_ptr<Connection> make_connection();
  [[nodiscard]] World& world() noexcept { return world_; }

 private:
  World& world_;
  std::map<std::string, Listener*> listeners_;
  std::map<std::string, std::vector<std::string>> names_;
  std::vector<std::weak_ptr<Connection>> connections_;
};

// A stream socket of the process.
class StreamSocket final : public File {
 public:
  explicit StreamSocket(Network& network) : network_(network) {}
  ~StreamSocket() override;

  [[nodiscard]] std::uint32_t ready() const override;
  // Returns 0, -EINPROGRESS or another -errno. With `is_unix`, the result is known at once.
  int connect(const std::string& address, bool is_unix);
  ssize_t send(std::string_view bytes);
  ssize_t receive(char* data, std::size_t size);
  // Returns and clears SO_ERROR.
  int take_error();
  void reset_on_close() noexcept { reset_ = true; }

 private:
  struct Attempt {
    bool done = false;
    int error = 0;
  };
  Network& network_;
  std::shared_ptr<Attempt> attempt_;
  std::shared_ptr<Connection> connection_;
  bool reset_ = false;
};

}  // namespace sim
