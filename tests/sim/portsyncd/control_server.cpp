// SPDX-License-Identifier: Apache-2.0
// In place of the control socket and of D-Bus: requests of the simulated clients run in turns of the loop, on the real Control.
#include "faces/socket/control_server.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>

#include "faces/dbus/dbus_service.hpp"
#include "sim/machine.hpp"

namespace portsyncd {

ControlSocket::ControlSocket(std::string path) : path_(std::move(path)) {
  bind();
}

void ControlSocket::bind() {
  sim::Machine& machine = sim::Machine::current();
  machine.world.enter("socket");
  auto socket = std::make_shared<sim::EventFile>();
  machine.host.control_socket = socket;
  machine.host.requests.clear();
  fd_ = machine.world.open(std::move(socket));
  if (fd_ < 0) throw std::system_error(-fd_, std::system_category(), path_);
}

ControlSocket::~ControlSocket() {
  sim::World::current().close(fd_);
}

struct ControlServer::Client {};

class PortListing {};

ControlServer::ControlServer(EventLoop& loop, Control& control, std::string path, Options options)
    : loop_(loop),
      control_(control),
      options_(options),
      socket_(std::move(path)),
      watch_(loop, socket_.fd(), EPOLLIN, [this](std::uint32_t) { on_connect(); }),
      accept_again_(loop, [] {}),
      next_turn_(loop, [] {}) {
  control_.add_observer(*this);
}

ControlServer::~ControlServer() {
  control_.remove_observer(*this);
}

void ControlServer::on_connect() {
  sim::Machine& machine = sim::Machine::current();
  std::uint64_t count = 0;
  (void)machine.world.file(socket_.fd())->read(&count, sizeof count);
  while (!machine.host.requests.empty()) {
    const sim::Host::Request request = std::move(machine.host.requests.front());
    machine.host.requests.pop_front();
    request(control_);
  }
}

void ControlServer::on_port_changed(const Control::PortChange& change) {
  const sim::Host& host = sim::Machine::current().host;
  if (host.on_port_changed) host.on_port_changed(change.port, change.before, change.now);
}

void ControlServer::on_health_changed(const Control::Transition&) {}

void ControlServer::on_resynchronized(portsync::Cause, std::size_t) {}

void ControlServer::on_store_changed(bool) {}

// There is always one, so that the judge may look at the health.
class DbusService::Impl {
 public:
  explicit Impl(Control& control) { sim::Machine::current().host.control = &control; }
  ~Impl() { sim::Machine::current().host.control = nullptr; }
};

DbusService::DbusService(EventLoop&, Control& control, const std::string&) : impl_(std::make_unique<Impl>(control)) {}

DbusService::~DbusService() = default;

}  // namespace portsyncd
