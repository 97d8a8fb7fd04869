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

#include "faces/socket/control_connection.hpp"
#include "faces/socket/peer.hpp"
#include "faces/socket/port_listing.hpp"

namespace portsyncd {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_bytes_at_once = 65'536;  // of a listing in one turn of the loop
constexpr auto listing_lifetime = 100ms;
constexpr auto accept_pause = 1s;  // after descriptors ran out

Control::Requester requester_of(const Peer& peer) {
  return {"uid=" + std::to_string(peer.uid) + " pid=" + std::to_string(peer.pid) + " over the control socket"};
}

}  // namespace

// The state of a client. It determines what the server does in the client's next turn.
enum class ControlServer::Role : std::uint8_t {
  asks,     // sends requests
  waits,    // waits for the store's reply about a row
  lists,    // receives a listing
  follows,  // receives events
  refused,  // receives the reason, and is removed when it has read that
};

struct ControlServer::Client {
  Client(int fd, uid_t uid, bool may_change_something, Control::Requester who)
      : connection(fd), user(uid), may_change(may_change_something), requester(std::move(who)) {}

  ControlConnection connection;
  const uid_t user;
  const bool may_change;
  const Control::Requester requester;
  Role role = Role::asks;
  bool has_ended = false;                // it will send no more requests
  bool has_turn = false;                 // it is in turns_
  std::uint64_t check = 0;               // Role::waits: the number of Control::check()
  std::uint64_t dropped = 0;             // events, since the last count was sent
  std::shared_ptr<PortListing> listing;  // Role::lists
  std::size_t listed = 0;                // bytes of the listing that were queued
  std::uint32_t events = EPOLLIN;        // that `watch` waits for
  std::uint32_t ready = 0;               // events that have occurred
  std::optional<EventLoop::Timer> idle;
  std::optional<EventLoop::Watch> watch;  // std::nullopt: the other end has hung up
};

ControlServer::ControlServer(EventLoop& loop, Control& control, std::string path, Options options)
    : loop_(loop),
      control_(control),
      options_(options),
      socket_(std::move(path)),
      watch_(loop, socket_.fd(), EPOLLIN, [this](std::uint32_t) { on_connect(); }),
      accept_again_(loop, [this] { watch_.set_events(EPOLLIN); }),
      next_turn_(loop, [this] { take_turn(); }) {
  control_.add_observer(*this);
}

ControlServer::~ControlServer() {
  for (const Client& client : clients_) control_.forget(client.check);
  control_.remove_observer(*this);
}

void ControlServer::on_connect() {
  try {
    if (const int fd = socket_.accept(); fd >= 0) return add(fd);
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    watch_.set_events(0);  // no descriptor is available: the loop would spin
    accept_again_.start(accept_pause);
  } catch (const std::exception&) {  // no memory or descriptor for the client
  }
}

// Limits the clients of each user, so that no user can lock out another. Reserves places for users that may change
// something.
bool ControlServer::may_connect(const Client& newcomer) const {
  const auto count = [this](auto is_one) {
    return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), is_one)) - 1;  // not the newcomer
  };
  if (newcomer.may_change) return clients_.size() <= most_clients;
  return clients_.size() <= most_clients &&
         count([](const Client& client) { return !client.may_change; }) < most_read_only_clients &&
         count([&newcomer](const Client& client) { return client.user == newcomer.user; }) < most_clients_of_one_user;
}

void ControlServer::add(int fd) {
  const Peer peer = peer_of(fd);
  const bool may_change = portsyncd::may_change(peer, ::geteuid(), ::getegid());
  Client& client = clients_.emplace_back(fd, peer.uid, may_change, requester_of(peer));
  try {
    if (!may_connect(client)) {
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
  if (client.role == Role::follows) --monitors_;
  if (client.role == Role::waits) control_.forget(client.check);
  std::erase(turns_, &client);
  clients_.remove_if([&client](const Client& other) { return &other == &client; });
}

// Queues the client for its turn. Stops watching it until then, because the loop would spin otherwise.
void ControlServer::on_ready(Client& client, std::uint32_t events) {
  client.ready |= events;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    client.watch.reset();  // epoll always reports these two
  } else {
    watch(client, 0);
  }
  want_turn(client);
}

void ControlServer::watch(Client& client, std::uint32_t events) {
  if (client.watch && std::exchange(client.events, events) != events) client.watch->set_events(events);
}

void ControlServer::want_turn(Client& client) {
  if (std::exchange(client.has_turn, true)) return;
  turns_.push_back(&client);
  plan_turn();
}

// Starts the timer for the next turn: at once, unless all waiting users have used more than their shares.
void ControlServer::plan_turn() {
  if (turns_.empty()) return next_turn_.stop();
  const portsync::TimePoint now = portsync::Clock::now();
  auto wait = portsync::Clock::duration::max();
  for (const Client* client : turns_) {
    wait = std::min(wait, client->may_change ? wait.zero() : share_.next(client->user) - now);
  }
  next_turn_.start(std::chrono::ceil<std::chrono::milliseconds>(std::max(wait, wait.zero())));
}

// Serves one step of one client. Between two steps the loop serves rows.
void ControlServer::take_turn() {
  const portsync::TimePoint begin = portsync::Clock::now();
  const auto client = std::find_if(turns_.begin(), turns_.end(), [this, begin](const Client* each) {
    return each->may_change || share_.next(each->user) <= begin;
  });
  if (client == turns_.end()) return plan_turn();
  Client& taken = **client;
  turns_.erase(client);
  taken.has_turn = false;
  const uid_t user = taken.user;
  const bool is_charged = !taken.may_change;
  bool stays = false;
  try {
    stays = serve(taken, std::exchange(taken.ready, 0));
    if (stays) wait_for_more(taken);
  } catch (const std::exception&) {  // no memory for the client
    stays = false;
  }
  if (!stays) remove(taken);
  const portsync::TimePoint end = portsync::Clock::now();
  if (is_charged) share_.charge(user, end - begin, end);
  plan_turn();
}

// Returns false if the client must be removed.
bool ControlServer::serve(Client& client, std::uint32_t events) {
  ControlConnection& connection = client.connection;
  if ((events & EPOLLIN) == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0) return false;
  if ((events & EPOLLIN) != 0 && !connection.read()) client.has_ended = true;
  if (client.role == Role::follows) {
    connection.discard_input();  // further requests are ignored
    if (client.has_ended) return false;
    if (connection.unsent_bytes() == 0 && client.dropped > 0) {
      connection.queue(control_json::dropped_line(std::exchange(client.dropped, 0)));
    }
  } else if (client.role == Role::asks && connection.unsent_bytes() == 0) {
    answer_next(client);
  }
  if (client.role == Role::lists && connection.unsent_bytes() == 0) list_more(client);
  const std::size_t before = connection.unsent_bytes();
  if (!connection.write()) return false;
  if (client.role != Role::follows && connection.unsent_bytes() < before) client.idle->start(options_.idle_limit);
  if (connection.unsent_bytes() > 0 || client.role == Role::lists || client.role == Role::waits) return true;
  return client.role != Role::refused && (!client.has_ended || connection.has_line());
}

void ControlServer::wait_for_more(Client& client) {
  const bool goes_on = client.connection.unsent_bytes() > 0 || client.role == Role::lists || client.dropped > 0 ||
                       (client.role == Role::asks && client.connection.has_line());
  if (!client.watch) {  // read to the end now, because no event will come for the descriptor
    client.ready = EPOLLIN;
    return client.role == Role::waits ? void() : want_turn(client);
  }
  std::uint32_t events = goes_on ? std::uint32_t{EPOLLOUT} : 0U;
  const bool is_read_from = client.role == Role::follows || (client.role == Role::asks && !goes_on);
  if (is_read_from) events |= EPOLLIN;  // do not read from a client that does not read
  watch(client, events);
}

void ControlServer::answer_next(Client& client) {
  std::string line;
  if (client.connection.take_line(line)) return answer(client, line);
  if (client.connection.is_too_long()) refuse(client, "a request has at most 4096 bytes");
}

void ControlServer::refuse(Client& client, std::string_view why) {
  client.connection.queue(control_json::error_line("invalid_argument", why));
  client.role = Role::refused;
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
      client.listing = client.may_change ? make_listing(request.argument) : shared_listing(request.argument);
      client.listed = 0;
      client.role = Role::lists;
      return;
    case Method::port:
      return read_row(client, request.argument);
    case Method::statistics:
      return connection.queue(result_line(text_of(control_.statistics())));
    case Method::health:
      return connection.queue(result_line(text_of(control_.health(), control_.health_history())));
    case Method::monitor:
      client.role = Role::follows;
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

// Replies when the store has replied: at once if the store is closed, else later.
void ControlServer::read_row(Client& client, const std::string& name) {
  const auto no_such_port = [name] {
    return control_json::error_line("no_such_port", "no port has the name \"" + name + "\"");
  };
  if (!control_.port(name)) return client.connection.queue(no_such_port());
  client.role = Role::waits;
  client.check = control_.check(name, [this, &client, name, no_such_port](const Control::RowCheck& check) noexcept {
    client.role = Role::asks;
    try {
      const auto port = control_.port(name);
      client.connection.queue(
          port ? control_json::result_line(control_json::text_of(*port, control_.compared(), &check)) : no_such_port());
      want_turn(client);
    } catch (const std::exception&) {  // no memory for the reply: the idle limit removes the client
    }
  });
}

std::shared_ptr<PortListing> ControlServer::make_listing(const std::string& pattern) const {
  return std::make_shared<PortListing>(control_, pattern, portsync::Clock::now());
}

// Returns the listing that all clients of limited users share if they ask for the same ports within 100 ms.
std::shared_ptr<PortListing> ControlServer::shared_listing(const std::string& pattern) {
  const portsync::TimePoint now = portsync::Clock::now();
  std::erase_if(listings_, [now](const auto& listing) { return now - listing->begun() > listing_lifetime; });
  const auto found = std::find_if(listings_.begin(), listings_.end(),
                                  [&pattern](const auto& listing) { return listing->pattern() == pattern; });
  if (found != listings_.end()) return *found;
  return listings_.emplace_back(make_listing(pattern));
}

void ControlServer::list_more(Client& client) {
  if (client.listed == client.listing->text().size()) client.listing->make_more();
  const std::string_view more = std::string_view(client.listing->text()).substr(client.listed, most_bytes_at_once);
  client.connection.queue(more);
  client.listed += more.size();
  if (!client.listing->complete() || client.listed < client.listing->text().size()) return;
  client.listing.reset();
  client.role = Role::asks;
}

// Sends a line to each monitor. A monitor that does not read fast enough loses events. It receives their number when it
// has read the lines before.
template <typename MakeLine>
void ControlServer::notify_monitors(MakeLine make_line) noexcept {
  if (monitors_ == 0) return;
  try {
    std::string line;
    for (Client& client : clients_) {
      if (client.role != Role::follows) continue;
      if (client.dropped > 0 || client.connection.unsent_bytes() >= max_unsent_event_bytes) {
        ++client.dropped;
        continue;
      }
      if (line.empty()) line = make_line();
      client.connection.queue(line);
      if (!client.has_turn) wait_for_more(client);
    }
  } catch (const std::exception&) {  // no memory for the line: rows matter more
  }
}

void ControlServer::on_port_changed(const Control::PortChange& change) {
  notify_monitors([&change] { return control_json::event_line(change); });
}

void ControlServer::on_health_changed(const Control::Transition& transition) {
  notify_monitors([&transition] { return control_json::event_line(transition); });
}

void ControlServer::on_resynchronized(portsync::Cause cause, std::size_t ports) {
  notify_monitors([cause, ports] { return control_json::resynchronized_line(cause, ports); });
}

void ControlServer::on_store_changed(bool open) {
  notify_monitors([open] { return control_json::store_line(open); });
}

}  // namespace portsyncd
