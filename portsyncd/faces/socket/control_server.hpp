// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "faces/control.hpp"
#include "faces/socket/control_json.hpp"
#include "faces/socket/control_socket.hpp"
#include "faces/socket/time_share.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

class PortListing;

// Serves the Control to the clients of a unix socket, with the messages of doc/control-protocol.md. No client can use
// much time or memory, delay rows, or end the daemon.
class ControlServer final : public Control::Observer {
 public:
  static constexpr std::size_t most_clients = 16;
  static constexpr std::size_t most_read_only_clients =
      12;  // the other places are for clients that may change something
  static constexpr std::size_t most_clients_of_one_user = 4;           // of a user that may only read
  static constexpr std::size_t max_unsent_event_bytes = 256UL * 1024;  // bytes for each client

  struct Options {
    std::chrono::milliseconds idle_limit{30'000};  // without a request, or without reading the reply
  };

  // Throws as ControlSocket() does.
  ControlServer(EventLoop& loop, Control& control, std::string path, Options options);
  ControlServer(EventLoop& loop, Control& control, std::string path)
      : ControlServer(loop, control, std::move(path), Options()) {}
  ~ControlServer() override;

  void on_port_changed(const Control::PortChange& change) override;
  void on_health_changed(const Control::Transition& transition) override;
  void on_resynchronized(portsync::Cause cause, std::size_t ports) override;
  void on_store_changed(bool open) override;

 private:
  enum class Role : std::uint8_t;
  struct Client;

  void on_connect();
  void add(int fd);
  [[nodiscard]] bool may_connect(const Client& newcomer) const;
  void on_ready(Client& client, std::uint32_t events);
  static void watch(Client& client, std::uint32_t events);
  void want_turn(Client& client);
  void plan_turn();
  void take_turn();
  [[nodiscard]] bool serve(Client& client, std::uint32_t events);
  void wait_for_more(Client& client);
  void answer_next(Client& client);
  static void refuse(Client& client, std::string_view why);
  void answer(Client& client, const std::string& line);
  void answer(Client& client, const control_json::Request& request);
  static void answer(Client& client, const Control::Outcome& outcome);
  void read_row(Client& client, const std::string& name);
  [[nodiscard]] std::shared_ptr<PortListing> make_listing(const std::string& pattern) const;
  [[nodiscard]] std::shared_ptr<PortListing> shared_listing(const std::string& pattern);
  static void list_more(Client& client);
  void remove(Client& client);
  template <typename MakeLine>
  void notify_monitors(MakeLine make_line) noexcept;

  EventLoop& loop_;
  Control& control_;
  const Options options_;
  ControlSocket socket_;
  std::list<Client> clients_;
  std::deque<Client*> turns_;  // clients with work to do, in their order
  std::vector<std::shared_ptr<PortListing>> listings_;
  TimeShare share_;
  std::size_t monitors_ = 0;
  EventLoop::Watch watch_;
  EventLoop::Timer accept_again_;
  EventLoop::Timer next_turn_;
};

}  // namespace portsyncd
