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

// The other end of a connection, as its server sees it.
class Connection;

// Who listens at an address.
class Listener {
 public:
  virtual ~Listener() = default;
  // False: refused.
  virtual bool accept(const std::shared_ptr<Connection>& connection) = 0;
  virtual void on_bytes(const std::shared_ptr<Connection>& connection, std::string_view bytes) = 0;
  // The client has ended it.
  virtual void on_end(const std::shared_ptr<Connection>& connection) = 0;
};

// How the network between the process and its servers is.
struct NetworkStyle {
  Time latency = 20 * microsecond;
  Time jitter = 30 * microsecond;
  std::uint32_t split = 0;            // of a million: an answer comes in two pieces
  std::size_t send_buffer = 212'992;  // bytes that the server has not taken yet
  // A proxy in between hands on what it has of a connection that its client has reset, so much later. 0: it is lost.
  Time late = 0;
};

// One stream connection, TCP or unix: bytes on their way in both directions, in order, each at its own time.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(World& world, NetworkStyle& style) : world_(world), style_(style) {}

  // ---- the server's side
  void reply(std::string_view bytes);
  // Ends it: what is on its way to the client still comes (orderly), or is lost.
  void end(bool orderly);
  [[nodiscard]] bool alive() const noexcept { return alive_; }
  std::uint64_t id = 0;  // the server's

  // ---- the client's side
  void open(Listener& listener) { listener_ = &listener; }
  std::size_t send(std::string_view bytes);
  void close(bool reset);

  // Bytes stay where they are until then: as if the server had been stopped, or the line were cut.
  void hold(Time until) { held_until_ = until; }

  enum class State : std::uint8_t { open, ended, reset };
  State client_state = State::open;
  std::string incoming;  // for the client
  std::size_t taken = 0; // of incoming
  std::size_t in_flight = 0;

 private:
  void deliver(std::string bytes);
  [[nodiscard]] Time arrival(Time& last);
  World& world_;
  NetworkStyle& style_;
  Listener* listener_ = nullptr;
  bool alive_ = true;  // for the server
  Time last_to_server_ = 0;
  Time last_to_client_ = 0;
  Time held_until_ = 0;
};

// The servers that there are, and the names that they have.
class Network {
 public:
  explicit Network(World& world) : world_(world) {}
  NetworkStyle style;

  void listen(const std::string& address, Listener& listener) { listeners_[address] = &listener; }
  [[nodiscard]] Listener* find(const std::string& address) const;
  // What a name resolves to, from now on: "" = nothing. It takes `delay`.
  void set_name(const std::string& name, std::vector<std::string> addresses) { names_[name] = std::move(addresses); }
  [[nodiscard]] std::vector<std::string> resolve(const std::string& name) const;
  Time resolving = 2 * millisecond;
  // Connections that are open, in the order of their making.
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
  // 0, -EINPROGRESS or another -errno. `is_unix`: known at once.
  int connect(const std::string& address, bool is_unix);
  ssize_t send(std::string_view bytes);
  ssize_t receive(char* data, std::size_t size);
  // SO_ERROR.
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
