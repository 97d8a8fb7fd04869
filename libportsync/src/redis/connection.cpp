// SPDX-License-Identifier: Apache-2.0
#include "redis/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

#include "core/earliest.hpp"
#include "os/socket.hpp"
#include "redis/error_reply.hpp"

namespace portsync::redis {
namespace {

constexpr std::uint32_t socket_id = 1;
constexpr std::uint32_t resolver_id = 2;

constexpr std::size_t max_units = 1024;
constexpr std::size_t units_per_look_at_the_clock = 32;
constexpr std::chrono::milliseconds max_turn{1};
constexpr std::size_t max_received = std::size_t{256} << 10U;  // bytes in one turn
constexpr int refusals_limit = 3;  // times options.timeout: the connection then leaves a server that only refuses
constexpr std::chrono::milliseconds shortest_probe_interval{250};

std::error_code last_errno() noexcept {
  return {errno, std::system_category()};
}

void check(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

ConnectionOptions checked(ConnectionOptions options) {
  check(options.socket_path.size() < sizeof sockaddr_un::sun_path, "redis: socket_path is too long");
  check(!options.socket_path.empty() || !options.host.empty(), "redis: host is empty");
  check(!options.socket_path.empty() || options.port != 0, "redis: port is 0");
  check(options.database >= 0, "redis: database is negative");
  check(options.timeout.count() > 0, "redis: timeout is not positive");
  check(options.retry_interval.count() > 0, "redis: retry_interval is not positive");
  check(options.probe_interval.count() >= 0, "redis: probe_interval is negative");
  return options;
}

Address unix_address(const std::string& path) {
  sockaddr_un unix_socket{};
  unix_socket.sun_family = AF_UNIX;
  std::memcpy(unix_socket.sun_path, path.c_str(), path.size() + 1);
  Address address;
  std::memcpy(&address.storage, &unix_socket, sizeof unix_socket);
  address.size = sizeof unix_socket;
  return address;
}

// Returns whether this is a message, which RESP2 sends to a subscribed connection as an array. The array's first
// element decides, because the reply to a PING of such a connection is an array too.
bool is_message(const Reply& reply) noexcept {
  if (!reply.is(Reply::Type::array) || reply.size() == 0) return false;
  return reply[0].text() == "message" || reply[0].text() == "pmessage";
}

}  // namespace

Connection::Turn::Turn(Connection& connection) : connection_(connection) {
  connection_.look_at_events();
}

Connection::Turn::~Turn() {
  connection_.finish_turn(drained_);
}

bool Connection::Turn::more() noexcept {
  drained_ = false;
  if (units_ >= max_units) return false;
  ++units_;
  return units_ % units_per_look_at_the_clock != 0 || os::now() - connection_.now_ < max_turn;
}

Connection::Event Connection::Turn::next() {
  drained_ = false;  // stays false if next() throws
  const Event event = connection_.next();
  drained_ = event == Event::none;
  return event;
}

Connection::Connection(ConnectionOptions options, Lookup lookup)
    : options_(checked(std::move(options))),
      resolver_(std::move(lookup)),
      probe_interval_(options_.probe_interval),
      jitter_(static_cast<std::minstd_rand::result_type>(os::now().time_since_epoch().count())) {}

Connection::~Connection() {
  // The resolver's thread may still hold a copy of the descriptor, so that closing ours would not remove it from the
  // set.
  if (resolver_.running()) events_.remove(resolver_.fd());
  drop_socket();
}

void Connection::start() noexcept {
  assert(state_ == State::idle);
  state_ = State::waiting;
  retry_at_ = os::now();
  wake();
}

void Connection::stop() noexcept {
  drop_socket();
  state_ = State::idle;
  closed_ = false;
}

void Connection::close(std::error_code error, std::string_view text) {
  assert(open());
  fail(error, text);
  wake();
}

void Connection::note_error(std::error_code error, std::string_view text) {
  statistics_.last_error = shown(error, text);
}

std::string Connection::shown(std::error_code error, std::string_view text) const {
  const bool has_password = !options_.password.empty() && text.find(options_.password) != std::string_view::npos;
  return has_password ? error.message() : printable(text);
}

// Polls, unless replies are awaited. Then the cause is nearly always a reply, and reading costs no more than a poll.
void Connection::look_at_events() {
  now_ = os::now();
  received_ = 0;
  looked_ = state_ != State::open || unanswered_.empty() || writable_watched_;
  if (looked_) {
    poll();
  } else {
    readable_ = true;
  }
}

void Connection::poll() {
  epoll_event ready[os::EventSet::max_events];
  const int count = events_.poll(ready);
  for (int i = 0; i < count; ++i) {
    // The resolver finished after its attempt was given up. Its result is kept for the next attempt, and must not keep
    // fd() readable.
    if (ready[i].data.u32 == resolver_id && state_ != State::resolving) events_.remove(resolver_.fd());
    if (ready[i].data.u32 != socket_id) continue;
    if (state_ == State::connecting) {
      state_ = State::connected;
      continue;
    }
    if ((ready[i].events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) readable_ = true;
    if ((ready[i].events & EPOLLOUT) != 0) write();
  }
}

void Connection::finish_turn(bool drained) noexcept {
  if (state_ == State::open || state_ == State::handshake) send();
  events_.arm(drained ? deadline() : TimePoint{});
}

std::optional<TimePoint> Connection::deadline() const noexcept {
  if (closed_) return TimePoint{};
  switch (state_) {
    case State::idle:
      return std::nullopt;
    case State::waiting:
      return retry_at_;
    case State::resolving:
    case State::connecting:
    case State::handshake:
      return attempt_deadline_;
    case State::next_address:
    case State::connected:
      return TimePoint{};
    case State::open:
      break;
  }
  if (!unanswered_.empty()) return answer_deadline();
  std::optional<TimePoint> probe;
  if (probe_interval_.count() > 0) probe = last_traffic_ + probe_interval_;
  return core::earliest(probe, kill_at());
}

Connection::Event Connection::next() {
  for (;;) {
    if (closed_) {
      closed_ = false;
      return Event::closed;
    }
    const State before = state_;
    const Event event = advance();
    if (event != Event::none) return event;
    if (!closed_ && state_ == before) return Event::none;
  }
}

// Does the work that the state allows now. Event::none with an unchanged state means that nothing is left to do.
Connection::Event Connection::advance() {
  switch (state_) {
    case State::idle:
      break;
    case State::waiting:
      if (now_ >= retry_at_) begin_attempt();
      break;
    case State::resolving:
      if (resolver_.finished()) {
        events_.remove(resolver_.fd());
        take_addresses(resolver_.take());
      } else if (now_ >= attempt_deadline_) {
        fail_timeout("resolving the name took too long");
      }
      break;
    case State::next_address:
      connect_next();
      break;
    case State::connecting:
      if (now_ >= attempt_deadline_) fail_timeout("connecting took too long");
      break;
    case State::connected:
      finish_connecting();
      break;
    case State::handshake:
    case State::open:
      for (;;) {
        switch (reader_.next(reply_)) {
          case ReplyReader::Result::reply: {
            const State before = state_;
            const Event event = on_reply();
            if (event != Event::none || state_ != before) return event;
            continue;
          }
          case ReplyReader::Result::broken:
            fail(Errc::protocol, reader_.error());
            return Event::none;
          case ReplyReader::Result::incomplete:
            break;
        }
        if (!readable_) return idle();
        if (received_ >= max_received) return Event::none;  // the unread bytes keep fd() readable
        const State before = state_;
        receive();
        if (state_ != before) return Event::none;
      }
  }
  return Event::none;
}

// Handles errors and time limits, once nothing can be read.
Connection::Event Connection::idle() {
  if (write_error_) {
    fail(write_error_, write_error_.message());
  } else if (now_ >= (state_ == State::handshake ? attempt_deadline_ : answer_deadline().value_or(TimePoint::max()))) {
    fail_timeout("no answer in time");
  } else if (state_ == State::open) {
    probe_if_due();
  }
  return Event::none;
}

void Connection::begin_attempt() {
  now_ = os::now();  // an attempt has its full time, even if this turn has taken long
  attempt_deadline_ = now_ + options_.timeout;
  if (options_.current_password) options_.password = options_.current_password();
  addresses_.clear();
  address_ = 0;
  if (!options_.socket_path.empty()) {
    addresses_.push_back(unix_address(options_.socket_path));
    state_ = State::next_address;
    return;
  }
  state_ = State::resolving;
  if (resolver_.running()) return;  // it hangs since an earlier attempt, and one thread is enough
  Resolution numeric = look_up_numeric(options_.host, options_.port);
  if (!numeric.addresses.empty()) return take_addresses(std::move(numeric));
  try {
    resolver_.start(options_.host, options_.port);
    events_.add(resolver_.fd(), EPOLLIN, resolver_id);
  } catch (const std::system_error& error) {
    fail(error.code(), error.code().message());
  }
}

void Connection::take_addresses(Resolution resolution) {
  addresses_ = std::move(resolution.addresses);
  if (addresses_.empty()) return fail(Errc::resolve, resolution.error);
  state_ = State::next_address;
}

void Connection::connect_next() {
  const Address& address = addresses_[address_++];
  attempt_deadline_ = os::now() + options_.timeout;
  socket_.reset(os::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return fail(last_errno(), last_errno().message());
  if (address.storage.ss_family != AF_UNIX) {
    const int on = 1;
    os::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const auto* where = reinterpret_cast<const sockaddr*>(&address.storage);
  const bool connected = os::connect(socket_.get(), where, address.size) == 0;
  // connect() fails with EAGAIN if the backlog of a unix socket is full, and nothing notifies us when it has room.
  if (!connected && errno != EINPROGRESS) return fail(last_errno(), last_errno().message());
  try {
    events_.add(socket_.get(), connected ? EPOLLIN : EPOLLOUT, socket_id);
  } catch (const std::system_error& error) {
    return fail(error.code(), error.code().message());
  }
  state_ = connected ? State::connected : State::connecting;
  writable_watched_ = !connected;
}

void Connection::finish_connecting() {
  int error = 0;
  socklen_t size = sizeof error;
  if (os::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
  if (error != 0) {
    const std::error_code code(error, std::system_category());
    return fail(code, code.message());
  }
  begin_handshake();
}

void Connection::begin_handshake() {
  reader_.reset();
  state_ = State::handshake;
  // The next poll reports again whatever arrived with the event that ended connecting.
  readable_ = false;
  handshake_.start(options_, lost_, out_);
  watch_writable(false);
  send();
}

Connection::Event Connection::on_reply() {
  if (messages_ && open() && is_message(reply())) return Event::message;
  if (unanswered_.empty()) {
    const Reply extra = reply();
    const Errc code = extra.is_error() ? classify(extra.text()) : Errc::protocol;
    fail(code, extra.is_error() ? extra.text() : "a reply to no command");
    return Event::none;
  }
  clock_.on_reply(now_);
  auto& oldest = unanswered_.front();
  const Unanswered answered = oldest;
  if (--oldest.count == 0) unanswered_.pop_front();
  if (state_ == State::handshake) return on_handshake_reply();
  if (refuses_for_too_long(reply())) {
    fail(classify(reply().text()), reply().text());
    return Event::none;
  }
  if (!answered.probe) return Event::reply;
  statistics_.round_trip = std::chrono::duration_cast<std::chrono::microseconds>(os::now() - answered.since);
  events_.relax();  // the probe is answered: its time limit no longer needs a wakeup
  return on_probe_reply();
}

Connection::Event Connection::on_handshake_reply() {
  switch (handshake_.on_reply(reply(), out_)) {
    case Handshake::State::running:
      send();
      return Event::none;
    case Handshake::State::failed:
      fail(handshake_.error(), handshake_.error_text());
      return Event::none;
    case Handshake::State::done:
      break;
  }
  settle_lost();
  state_ = State::open;
  killed_at_ = now_;
  refusing_since_.reset();
  opened_at_ = last_traffic_ = now_;
  ++statistics_.opens;
  return Event::opened;
}

// Removes the lost connections that need no kill any more. Keeps those of other servers, because a later connection may
// reach such a server again.
void Connection::settle_lost() {
  const std::string& refusal = handshake_.kill_refusal();
  late_writes_ = refusal.empty() ? "" : "late writes of a lost connection cannot be prevented, " + shown({}, refusal);
  const ClientIdentity& own = handshake_.identity();
  std::erase_if(lost_, [&](const ClientIdentity& lost) {
    if (!lost.known() || !own.known()) return true;
    return lost.run_id == own.run_id && refusal.empty();
  });
}

// Returns the oldest lost connection of this server that is not killed yet.
std::vector<ClientIdentity>::const_iterator Connection::unkilled() const {
  return std::find_if(lost_.begin(), lost_.end(),
                      [this](const ClientIdentity& lost) { return lost.run_id == identity().run_id; });
}

// Returns whether the server has only refused for too long. A status does not end the period, because a server that
// refuses each command still replies "OK" to MULTI and "QUEUED".
bool Connection::refuses_for_too_long(const Reply& reply) {
  if (reply.is(Reply::Type::status)) return false;
  if (!reply.is_error()) {
    refusing_since_.reset();
    return false;
  }
  if (!refuses_all(classify(reply.text()))) return false;
  if (!refusing_since_) refusing_since_ = now_;
  return now_ - *refusing_since_ >= refusals_limit * options_.timeout;
}

Connection::Event Connection::on_probe_reply() {
  if (!reply().is_error()) {
    if (reply().is(Reply::Type::integer)) {  // the reply to CLIENT KILL
      if (const auto killed = unkilled(); killed != lost_.end()) lost_.erase(killed);
      if (unkilled() == lost_.end()) late_writes_.clear();
    }
    return Event::none;
  }
  // Redis may refuse PING for a reason that does not concern the connection (MISCONF, LOADING, BUSY). It is alive then.
  const Errc code = classify(reply().text());
  if (ends_connection(code)) fail(code, reply().text());
  return Event::none;
}

void Connection::receive() {
  std::array<char, 32768> data;
  const ssize_t size = os::recv(socket_.get(), data.data(), data.size(), 0);
  if (size > 0) {
    reader_.feed(data.data(), static_cast<std::size_t>(size));
    clock_.on_bytes(reader_.incomplete_bytes(), now_);
    readable_ = static_cast<std::size_t>(size) == data.size();
    received_ += static_cast<std::size_t>(size);
    last_traffic_ = now_;
  } else if (size == 0) {
    fail(Errc::end_of_file, make_error_code(Errc::end_of_file).message());
  } else if (errno == EAGAIN) {
    readable_ = false;
    if (!std::exchange(looked_, true)) poll();  // the cause was not a reply
  } else if (errno != EINTR) {
    fail(last_errno(), last_errno().message());
  }
}

std::optional<TimePoint> Connection::answer_deadline() const noexcept {
  if (unanswered_.empty()) return std::nullopt;
  return clock_.deadline(unanswered_.front().since, options_.timeout);
}

std::optional<TimePoint> Connection::kill_at() const {
  if (late_writes_.empty() || unkilled() == lost_.end()) return std::nullopt;
  return killed_at_ + options_.retry_interval;
}

// While a lost connection is still to be killed, sends CLIENT KILL again every retry_interval, because the permission
// may have been granted meanwhile. Otherwise sends PING if the connection is quiet.
void Connection::probe_if_due() {
  if (!unanswered_.empty() || out_.commands() > counted_) return;
  const std::optional<TimePoint> kill = kill_at();
  const bool kills = kill && now_ >= *kill;
  const bool is_quiet = probe_interval_.count() > 0 && now_ >= last_traffic_ + probe_interval_;
  if (!kills && !is_quiet) return;
  if (kills) {
    out_.add({"CLIENT", "KILL", "ID", unkilled()->client_id});
    killed_at_ = now_;
  } else {
    out_.add({"PING"});
  }
  count_new_commands(true);
  write();
}

void Connection::count_new_commands(bool probe) {
  const std::size_t fresh = out_.commands() - counted_;
  if (fresh == 0) return;
  unanswered_.push_back({probe, fresh, os::now()});
  counted_ = out_.commands();
  statistics_.commands += fresh;
}

void Connection::send() noexcept try {
  if (out_.commands() == counted_) return;
  const bool first = unanswered_.empty();
  count_new_commands(false);
  if (first && open()) events_.arm(deadline());
  if (!writable_watched_) write();
} catch (const std::bad_alloc&) {
  // An uncounted request must not be sent, so give the connection up.
  write_error_ = std::make_error_code(std::errc::not_enough_memory);
  readable_ = true;
  wake();
}

void Connection::write() {
  count_new_commands(false);
  while (sent_ < out_.bytes().size() && !write_error_) {
    const ssize_t size =
        os::send(socket_.get(), out_.bytes().data() + sent_, out_.bytes().size() - sent_, MSG_NOSIGNAL);
    if (size >= 0) {
      sent_ += static_cast<std::size_t>(size);
      statistics_.bytes_sent += static_cast<std::uint64_t>(size);
    } else if (errno == EAGAIN) {
      return watch_writable(true);
    } else if (errno != EINTR) {
      write_error_ = last_errno();
      readable_ = true;
      wake();
    }
  }
  watch_writable(false);
  if (write_error_) return;
  out_.clear();
  sent_ = counted_ = 0;
}

void Connection::watch_writable(bool on) {
  if (writable_watched_ == on) return;
  try {
    events_.modify(socket_.get(), on ? EPOLLIN | EPOLLOUT : EPOLLIN, socket_id);
    writable_watched_ = on;
  } catch (const std::system_error& error) {
    write_error_ = error.code();
    wake();
  }
}

void Connection::fail_timeout(const char* what) {
  ++statistics_.timeouts;
  fail(Errc::timeout, what);
}

void Connection::fail(std::error_code error, std::string_view text) {
  const bool was_open = open();
  const TimePoint now = os::now();
  const bool given_up = error.category() == error_category() && (ends_connection(static_cast<Errc>(error.value())) ||
                                                                 refuses_all(static_cast<Errc>(error.value())));
  // Reopen a connection at once if it was open for a while. After repeated failures, wait.
  const bool useful = was_open && now - opened_at_ >= options_.retry_interval && !given_up;
  const bool cut =
      error == Errc::end_of_file || error == std::errc::connection_reset || error == std::errc::broken_pipe;
  if (useful && cut && nothing_on_its_way()) {
    error = Errc::idle;
    note_idle_close();
  } else {
    idle_limit_.reset();
    probe_interval_ = options_.probe_interval;
  }
  std::string said = error == Errc::idle ? error.message() : std::string(text);
  if (may_want_tls(error, text)) said += " before any answer: the server may want TLS, which is not supported";
  error_text_ = shown(error, said);
  statistics_.last_error = printable(endpoint() + ": " + error_text_);
  if (was_open && !nothing_on_its_way()) {
    if (lost_.size() == Handshake::max_lost) lost_.erase(lost_.begin());
    lost_.push_back(handshake_.identity());
  }
  drop_socket();
  if (!was_open && address_ < addresses_.size()) {
    state_ = State::next_address;
    return;
  }
  retry_at_ = useful ? now : now + retry_pause();
  state_ = State::waiting;
  closed_ = true;
  error_ = error;
}

// Returns whether no request awaits a reply. Probes do not count, because a probe without a reply loses nothing.
bool Connection::nothing_on_its_way() const noexcept {
  return out_.commands() == counted_ &&
         std::all_of(unanswered_.begin(), unanswered_.end(), [](const Unanswered& sent) { return sent.probe; });
}

// Shortens the probe interval after the second idle close. The first may have been an operator's CLIENT KILL.
void Connection::note_idle_close() {
  const auto quiet = std::chrono::duration_cast<std::chrono::milliseconds>(os::now() - last_traffic_);
  const auto before = std::exchange(idle_limit_, quiet);
  if (!before || probe_interval_.count() == 0) return;
  probe_interval_ =
      std::clamp(std::min(quiet, *before) / 2, std::min(shortest_probe_interval, probe_interval_), probe_interval_);
}

// Returns whether the server may require TLS. Such a server closes the connection, with or without an alert (0x15).
bool Connection::may_want_tls(std::error_code error, std::string_view text) const {
  if (state_ != State::handshake || !handshake_.unanswered() || !options_.socket_path.empty()) return false;
  if (error == Errc::protocol) return text.find("\\x15") != std::string_view::npos;
  return error == Errc::end_of_file || error == std::errc::connection_reset || error == std::errc::broken_pipe;
}

void Connection::drop_socket() noexcept {
  if (socket_) {
    events_.remove(socket_.get());
    if (!unanswered_.empty()) {
      const linger reset{1, 0};
      os::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    socket_.reset();
  }
  readable_ = writable_watched_ = false;
  write_error_.clear();
  out_.clear();
  sent_ = counted_ = 0;
  unanswered_.clear();
}

std::chrono::milliseconds Connection::retry_pause() {
  std::uniform_int_distribution<std::int64_t> percent(90, 110);
  return options_.retry_interval * percent(jitter_) / 100;
}

std::string Connection::endpoint() const {
  if (!options_.socket_path.empty()) return options_.socket_path;
  const bool colons = options_.host.find(':') != std::string::npos;
  return (colons ? '[' + options_.host + ']' : options_.host) + ':' + std::to_string(options_.port);
}

}  // namespace portsync::redis
