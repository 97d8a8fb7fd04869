// SPDX-License-Identifier: Apache-2.0
#include "faces/socket/control_server.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/peer.hpp"
#include "faces/socket/control_connection.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t ports_at_once = 64;  // of a listing, before the loop turns
constexpr auto accept_pause = 1s;          // when there are no descriptors left

Control::Requester requester_of(const Peer& peer) {
  return {"uid=" + std::to_string(peer.uid) + " pid=" + std::to_string(peer.pid) + " over the control socket"};
}

}  // namespace

struct ControlServer::Client {
  Client(int fd, bool may_change_something, Control::Requester who)
      : connection(fd), may_change(may_change_something), requester(std::move(who)) {}

  [[nodiscard]] bool lists() const noexcept { return next_port < ports.size(); }
  [[nodiscard]] bool is_busy() const noexcept { return connection.waiting() > 0 || lists(); }

  ControlConnection connection;
  const bool may_change;
  const Control::Requester requester;
  bool is_monitor = false;
  bool is_refused = false;         // what it says does not count any more; it goes when it has been told why
  bool has_ended = false;          // it will not ask again
  std::uint64_t dropped = 0;       // events, since it was told of some
  std::vector<std::string> ports;  // of a listing under way
  std::size_t next_port = 0;
  bool listed_any = false;
  std::uint32_t events = EPOLLIN;  // waited for
  std::optional<EventLoop::Timer> idle;
  std::optional<EventLoop::Watch> watch;
};

ControlServer::ControlServer(EventLoop& loop, Control& control, std::string path, Options options)
    : loop_(loop),
      control_(control),
      options_(options),
      socket_(std::move(path)),
      watch_(loop, socket_.fd(), EPOLLIN, [this](std::uint32_t) { on_connect(); }),
      accept_again_(loop, [this] { watch_.set_events(EPOLLIN); }) {
  control_.add_observer(*this);
}

ControlServer::~ControlServer() {
  control_.remove_observer(*this);
}

void ControlServer::on_connect() {
  try {
    if (const int fd = socket_.accept(); fd >= 0) return add(fd);
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    watch_.set_events(0);  // no descriptor is left: the loop would spin
    accept_again_.start(accept_pause);
  } catch (const std::exception&) {  // no memory or descriptor for it
  }
}

bool ControlServer::may_connect(bool may_change) const {
  const std::size_t readers = static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(), [](const Client& client) { return !client.may_change; }));
  return clients_.size() < most_clients && (may_change || readers < most_clients_who_may_only_read);
}

void ControlServer::add(int fd) {
  const Peer peer = peer_of(fd);
  const bool may_change = portsyncd::may_change(peer, ::geteuid(), ::getegid());
  const bool welcome = may_connect(may_change);
  Client& client = clients_.emplace_back(fd, may_change, requester_of(peer));
  try {
    if (!welcome) {
      client.connection.queue(control_json::error_line("not_possible", "too many clients are connected"));
      (void)client.connection.write();
      return remove(client);
    }
    client.idle.emplace(loop_, [this, &client] { remove(client); });
    client.watch.emplace(loop_, fd, EPOLLIN, [this, &client](std::uint32_t events) { on_ready(client, events); });
    client.idle->start(options_.idle_limit);
  } catch (...) {
    remove(client);
    throw;
  }
}

void ControlServer::remove(Client& client) {
  if (client.is_monitor) --monitors_;
  clients_.remove_if([&client](const Client& other) { return &other == &client; });
}

void ControlServer::on_ready(Client& client, std::uint32_t events) {
  bool stays = false;
  try {
    stays = serve(client, events);
    if (stays) wait_for_more(client);
  } catch (const std::exception&) {  // no memory for it
    stays = false;
  }
  if (!stays) remove(client);
}

// One step: the loop turns between two requests, and between the parts of a long answer. False: it goes.
bool ControlServer::serve(Client& client, std::uint32_t events) {
  ControlConnection& connection = client.connection;
  if ((events & EPOLLIN) == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0) return false;
  if ((events & EPOLLIN) != 0 && !connection.read()) client.has_ended = true;
  if (client.is_monitor) {
    connection.discard_input();  // it has asked its last
    if (client.has_ended) return false;
    if (!client.is_busy() && client.dropped > 0) {
      connection.queue(control_json::dropped_line(std::exchange(client.dropped, 0)));
    }
  } else if (!client.is_busy() && !client.is_refused) {
    answer_next(client);
  }
  if (client.lists() && connection.waiting() == 0) list_more(client);
  const std::size_t before = connection.waiting();
  if (!connection.write()) return false;
  if (!client.is_monitor && connection.waiting() < before) client.idle->start(options_.idle_limit);
  return client.is_busy() || (!client.is_refused && (!client.has_ended || connection.has_line()));
}

void ControlServer::wait_for_more(Client& client) {
  const bool goes_on = client.is_busy() || client.dropped > 0 || (!client.is_monitor && client.connection.has_line());
  std::uint32_t events = goes_on ? std::uint32_t{EPOLLOUT} : 0U;
  if (client.is_monitor || !goes_on) events |= EPOLLIN;  // who does not read is not read from
  if (std::exchange(client.events, events) != events) client.watch->set_events(events);
}

void ControlServer::answer_next(Client& client) {
  std::string line;
  if (client.connection.take_line(line)) return answer(client, line);
  if (client.connection.is_too_long()) refuse(client, "a request has at most 4096 bytes");
}

void ControlServer::refuse(Client& client, std::string_view why) {
  client.connection.queue(control_json::error_line("invalid_argument", why));
  client.is_refused = true;
}

void ControlServer::answer(Client& client, const std::string& line) {
  const auto parsed = control_json::parse(line);
  if (const auto* garbage = std::get_if<control_json::Garbage>(&parsed)) {
    refuse(client, garbage->what);
  } else if (const auto* error = std::get_if<ControlError>(&parsed)) {
    client.connection.queue(control_json::error_line(*error));
  } else if (const auto& request = std::get<control_json::Request>(parsed);
             control_json::changes_something(request.method) && !client.may_change) {
    client.connection.queue(
        control_json::error_line("access_denied", "only root, portsyncd's own user and its group may do this"));
  } else {
    answer(client, request);
  }
}

void ControlServer::answer(Client& client, const control_json::Request& request) {
  using control_json::Method;
  using control_json::result_line;
  using control_json::text_of;
  ControlConnection& connection = client.connection;
  switch (request.method) {
    case Method::status:
      return connection.queue(result_line(text_of(control_.status())));
    case Method::ports:
      client.ports.clear();
      client.next_port = 0;
      for (const portsync::PortStatus& port : control_.ports(request.argument)) client.ports.emplace_back(port.name);
      if (client.ports.empty()) connection.queue(result_line("[]"));
      return;
    case Method::port:
      if (const auto port = control_.port(request.argument)) return connection.queue(result_line(text_of(*port)));
      return connection.queue(
          control_json::error_line("no_such_port", "no port has the name \"" + request.argument + "\""));
    case Method::statistics:
      return connection.queue(result_line(text_of(control_.statistics())));
    case Method::health:
      return connection.queue(result_line(text_of(control_.health(), control_.health_history())));
    case Method::monitor:
      client.is_monitor = true;
      ++monitors_;
      client.idle->stop();
      return connection.queue(result_line("{}"));
    case Method::resync:
      return answer(client, control_.resync(request.force, client.requester));
    case Method::audit:
      return answer(client, control_.audit(client.requester));
    case Method::reload:
      return answer(client, control_.reload(client.requester));
    case Method::log_level:
      return answer(client, control_.set_log_level(request.argument, client.requester));
  }
}

void ControlServer::answer(Client& client, const Control::Outcome& outcome) {
  client.connection.queue(outcome ? control_json::error_line(*outcome) : control_json::result_line("{}"));
}

// A listing is as long as there are ports: it is made as it is read.
void ControlServer::list_more(Client& client) {
  std::string text;
  if (client.next_port == 0) text = R"({"ok":true,"result":[)";
  const std::size_t end = std::min(client.next_port + ports_at_once, client.ports.size());
  for (; client.next_port < end; ++client.next_port) {
    const auto port = control_.port(client.ports[client.next_port]);
    if (!port) continue;  // gone since
    if (std::exchange(client.listed_any, true)) text += ',';
    text += control_json::text_of(*port);
  }
  if (!client.lists()) {
    text += "]}\n";
    client.ports = {};
    client.next_port = 0;
    client.listed_any = false;
  }
  client.connection.queue(text);
}

// A monitor that does not read enough loses events, and is told how many when it has read the ones before.
template <typename MakeLine>
void ControlServer::tell_monitors(MakeLine make_line) noexcept {
  if (monitors_ == 0) return;
  try {
    std::string line;
    for (Client& client : clients_) {
      if (!client.is_monitor) continue;
      if (client.dropped > 0 || client.connection.waiting() >= most_waiting_events) {
        ++client.dropped;
        continue;
      }
      if (line.empty()) line = make_line();
      client.connection.queue(line);
      wait_for_more(client);
    }
  } catch (const std::exception&) {  // no memory for it: rows matter more
  }
}

void ControlServer::on_port_changed(const Control::PortChange& change) {
  tell_monitors([&change] { return control_json::event_line(change); });
}

void ControlServer::on_health_changed(const Control::Transition& transition) {
  tell_monitors([&transition] { return control_json::event_line(transition); });
}

void ControlServer::on_resynchronized(portsync::Cause cause, std::size_t ports) {
  tell_monitors([cause, ports] { return control_json::resynchronized_line(cause, ports); });
}

void ControlServer::on_store_changed(bool open) {
  tell_monitors([open] { return control_json::store_line(open); });
}

}  // namespace portsyncd
