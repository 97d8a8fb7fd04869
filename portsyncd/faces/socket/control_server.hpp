// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>

#include "faces/control.hpp"
#include "faces/socket/control_json.hpp"
#include "faces/socket/control_socket.hpp"
#include "loop/event_loop.hpp"

namespace portsyncd {

// Serves the Control to whoever connects to a unix socket, in the words of doc/control-protocol.md. Nothing that a
// client does costs much time or memory, delays rows, or ends the daemon.
class ControlServer final : public Control::Observer {
 public:
  static constexpr std::size_t most_clients = 16;
  static constexpr std::size_t most_clients_who_may_only_read = 12;  // the others are for who has to act
  static constexpr std::size_t most_waiting_events = 256UL * 1024;   // bytes, for each client

  struct Options {
    std::chrono::milliseconds idle_limit{30'000};  // without a request, or without reading the answer
  };

  // Throws what ControlSocket does.
  ControlServer(EventLoop& loop, Control& control, std::string path, Options options);
  ControlServer(EventLoop& loop, Control& control, std::string path)
      : ControlServer(loop, control, std::move(path), Options()) {}
  ~ControlServer() override;

  void on_port_changed(const Control::PortChange& change) override;
  void on_health_changed(const Control::Transition& transition) override;
  void on_resynchronized(portsync::Cause cause, std::size_t ports) override;
  void on_store_changed(bool open) override;

 private:
  struct Client;

  void on_connect();
  void add(int fd);
  [[nodiscard]] bool may_connect(bool may_change) const;
  void on_ready(Client& client, std::uint32_t events);
  [[nodiscard]] bool serve(Client& client, std::uint32_t events);
  void answer_next(Client& client);
  static void refuse(Client& client, std::string_view why);
  void answer(Client& client, const std::string& line);
  void answer(Client& client, const control_json::Request& request);
  static void answer(Client& client, const Control::Outcome& outcome);
  void list_more(Client& client);
  static void wait_for_more(Client& client);
  void remove(Client& client);
  template <typename MakeLine>
  void tell_monitors(MakeLine make_line) noexcept;

  EventLoop& loop_;
  Control& control_;
  const Options options_;
  ControlSocket socket_;
  std::list<Client> clients_;
  std::size_t monitors_ = 0;
  EventLoop::Watch watch_;
  EventLoop::Timer accept_again_;
};

}  // namespace portsyncd
