// SPDX-License-Identifier: Apache-2.0
#include "sim/network.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sim {

// ---- Connection

Time Connection::arrival(Time& last) {
  const Time soonest = world_.now() + style_.latency + world_.noise().between(0, style_.jitter);
  last = std::max({soonest, last, held_until_});
  return last;
}

void Connection::reply(std::string_view bytes) {
  if (!alive_ || bytes.empty()) return;
  const std::size_t first =
      bytes.size() > 1 && world_.fails(style_.split) ? 1 + world_.noise().below(bytes.size() - 1) : bytes.size();
  const auto send = [this](std::string_view part) {
    world_.at(arrival(last_to_client_), [self = shared_from_this(), text = std::string(part)] {
      if (self->client_state == State::open) self->incoming += text;
    });
  };
  send(bytes.substr(0, first));
  if (first < bytes.size()) send(bytes.substr(first));
}

void Connection::end(bool orderly) {
  if (!std::exchange(alive_, false)) return;
  const Time when = orderly ? arrival(last_to_client_) : world_.now();
  world_.at(when, [self = shared_from_this(), orderly] {
    if (self->client_state == State::open) self->client_state = orderly ? State::ended : State::reset;
  });
}

std::size_t Connection::send(std::string_view bytes) {
  const std::size_t room = style_.send_buffer > in_flight ? style_.send_buffer - in_flight : 0;
  const std::string_view taken_now = bytes.substr(0, room);
  if (taken_now.empty()) return 0;
  in_flight += taken_now.size();
  world_.at(arrival(last_to_server_),
            [self = shared_from_this(), text = std::string(taken_now)]() mutable { self->deliver(std::move(text)); });
  return taken_now.size();
}

void Connection::deliver(std::string bytes) {
  // The connection was put on hold after this was sent. The order stays, because later bytes are held as long.
  if (held_until_ > world_.now()) {
    last_to_server_ = std::max(last_to_server_, held_until_);
    world_.at(held_until_, [self = shared_from_this(), text = std::move(bytes)]() mutable {
      self->deliver(std::move(text));
    });
    return;
  }
  in_flight -= std::min(in_flight, bytes.size());
  const bool lost = client_state == State::reset && style_.late == 0;
  if (alive_ && !lost && listener_ != nullptr) listener_->on_bytes(shared_from_this(), bytes);
}

void Connection::close(bool reset) {
  client_state = reset ? State::reset : State::ended;
  if (reset && style_.late > 0) held_until_ = std::max(held_until_, world_.now() + style_.late);
  const Time when = std::max(arrival(last_to_server_), held_until_);
  world_.at(when, [self = shared_from_this()] {
    if (!self->alive_) return;
    self->alive_ = false;
    if (self->listener_ != nullptr) self->listener_->on_end(self);
  });
}

// ---- Network

Listener* Network::find(const std::string& address) const {
  const auto found = listeners_.find(address);
  return found == listeners_.end() ? nullptr : found->second;
}

std::vector<std::string> Network::resolve(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? std::vector<std::string>() : found->second;
}

std::shared_ptr<Connection> Network::make_connection() {
  auto connection = std::make_shared<Connection>(world_, style);
  connections_.erase(std::remove_if(connections_.begin(), connections_.end(), [](const auto& c) { return c.expired(); }),
                     connections_.end());
  connections_.push_back(connection);
  return connection;
}

std::vector<std::shared_ptr<Connection>> Network::connections() {
  std::vector<std::shared_ptr<Connection>> open;
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (connection && connection->alive() && connection->client_state == Connection::State::open) {
      open.push_back(std::move(connection));
    }
  }
  return open;
}

// ---- StreamSocket

StreamSocket::~StreamSocket() {
  if (connection_ && connection_->client_state == Connection::State::open) {
    connection_->close(reset_);
  } else if (connection_) {
    connection_->client_state = Connection::State::reset;
  }
}

std::uint32_t StreamSocket::ready() const {
  if (attempt_ && attempt_->done && attempt_->error != 0) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP;
  if (!connection_) return attempt_ ? 0U : EPOLLHUP;
  if (attempt_ && !attempt_->done) return 0;
  std::uint32_t events = connection_->in_flight < network_.style.send_buffer ? EPOLLOUT : 0U;
  if (connection_->taken < connection_->incoming.size()) events |= EPOLLIN;
  if (connection_->client_state == Connection::State::ended) events |= EPOLLIN | EPOLLRDHUP;
  if (connection_->client_state == Connection::State::reset) events |= EPOLLIN | EPOLLERR | EPOLLHUP;
  return events;
}

int StreamSocket::connect(const std::string& address, bool is_unix) {
  World& world = network_.world();
  attempt_ = std::make_shared<Attempt>();
  Listener* const listener = network_.find(address);
  const auto finish = [this, listener, is_unix](Attempt& attempt) {
    attempt.done = true;
    auto connection = network_.make_connection();
    if (listener == nullptr || !listener->accept(connection)) {
      attempt.error = is_unix && listener == nullptr ? ENOENT : ECONNREFUSED;
      return;
    }
    connection->open(*listener);
    connection_ = std::move(connection);
  };
  if (is_unix) {
    finish(*attempt_);
    return -attempt_->error;
  }
  // The socket may be closed before the result comes; then the result is dropped.
  std::weak_ptr<Attempt> attempt = attempt_;
  world.after(network_.style.latency * 2, [finish, attempt] {
    if (const auto waiting = attempt.lock()) finish(*waiting);
  });
  return -EINPROGRESS;
}

int StreamSocket::take_error() {
  if (!attempt_) return ENOTCONN;
  return std::exchange(attempt_->error, 0);
}

ssize_t StreamSocket::send(std::string_view bytes) {
  if (!connection_) return -ENOTCONN;
  if (connection_->client_state == Connection::State::reset) return -ECONNRESET;
  // After the other end has closed, the first bytes are accepted, and a reset follows.
  if (connection_->client_state == Connection::State::ended) return -EPIPE;
  const std::size_t sent = connection_->send(bytes);
  if (sent == 0) return -EAGAIN;
  return static_cast<ssize_t>(sent);
}

ssize_t StreamSocket::receive(char* data, std::size_t size) {
  if (!connection_) return attempt_ ? -EAGAIN : -ENOTCONN;
  Connection& connection = *connection_;
  const std::size_t waiting = connection.incoming.size() - connection.taken;
  if (waiting == 0) {
    if (connection.client_state == Connection::State::ended) return 0;
    if (connection.client_state == Connection::State::reset) return -ECONNRESET;
    return -EAGAIN;
  }
  const std::size_t taken = std::min(size, waiting);
  std::memcpy(data, connection.incoming.data() + connection.taken, taken);
  connection.taken += taken;
  if (connection.taken == connection.incoming.size()) {
    connection.incoming.clear();
    connection.taken = 0;
  }
  return static_cast<ssize_t>(taken);
}

}  // namespace sim
