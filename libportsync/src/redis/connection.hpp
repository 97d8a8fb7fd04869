// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <portsync/pollable.hpp>
#include <portsync/redis/connection_options.hpp>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "os/descriptor.hpp"
#include "os/event_set.hpp"
#include "redis/answer_clock.hpp"
#include "redis/handshake.hpp"
#include "redis/resolver.hpp"
#include "redis/resp.hpp"

namespace portsync::redis {

struct ConnectionStatistics {
  std::uint64_t commands = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t opens = 0;
  std::uint64_t timeouts = 0;
  std::chrono::microseconds round_trip{0};  // of the latest PING, or as set by note_round_trip()
  std::string last_error;
};

// A pipelined connection to Redis that reconnects for ever, behind one descriptor that never changes. Never blocks.
//
// It makes no callbacks. Its owner makes a Turn whenever fd() is readable, takes events from it one by one, and calls
// its own observers between them. So no callback ever runs under hiredis or inside this class. A callback that throws
// loses nothing, because the next Turn returns the remaining events.
//
// Redis may execute a request even if no reply arrives. So a connection that is given up is reset (SO_LINGER 0), and
// the next connection kills it by its client id before that next one is open: see Handshake. If Redis refuses the kill,
// the connection opens anyway, late_writes() returns the reason, and the probe tries again.
//
// If the server closes a connection twice while nothing was on its way, the probes become more frequent.
class Connection {
 public:
  //   opened  commands() may be used
  //   reply   reply() is the reply to the oldest unanswered command
  //   message reply() is a message of a channel: see expect_messages()
  //   closed  the connection is closed, or an attempt to open it has failed: see error(). Unanswered commands get no
  //           reply. Errc::idle: there were none, and the connection opens again at once
  enum class Event : std::uint8_t { none, opened, reply, message, closed };

  // Throws std::system_error, std::invalid_argument.
  explicit Connection(ConnectionOptions options, Lookup lookup = look_up);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] int fd() const noexcept { return events_.fd(); }
  // Begins to connect, and to reconnect after each loss.
  void start() noexcept;
  // Closes the connection, and ends reconnecting. Drops the events that have not been taken. start() may be called
  // again.
  void stop() noexcept;
  // Enables Event::message, for an owner that subscribes. Messages arrive between the replies. Each (P)SUBSCRIBE to one
  // name has one reply. To be called before start().
  void expect_messages() noexcept { messages_ = true; }

  [[nodiscard]] bool open() const noexcept { return state_ == State::open; }
  // While open: add requests here. The next send(), or the end of the Turn, sends them. The owner must limit the number
  // of its unanswered requests.
  [[nodiscard]] CommandBuffer& commands() noexcept { return out_; }
  void send() noexcept;
  // While open: gives the connection up, so that Event::closed follows. `text` is for people.
  void close(std::error_code error, std::string_view text);
  // Makes fd() readable at once.
  void wake() noexcept { events_.arm(TimePoint{}); }

  // Valid until the next Turn::next(), even after close().
  [[nodiscard]] Reply reply() const noexcept { return Reply(*reply_); }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  // The same for people, in the server's own words if it gave a reason.
  [[nodiscard]] const std::string& error_text() const noexcept { return error_text_; }
  // Returns why writes of a lost connection may still be executed, for people; "" = none may.
  [[nodiscard]] const std::string& late_writes() const noexcept { return late_writes_; }
  // Returns the identity of the connection that is open, or was open last. It changes while connecting.
  [[nodiscard]] const ClientIdentity& identity() const noexcept { return handshake_.identity(); }

  [[nodiscard]] const ConnectionStatistics& statistics() const noexcept { return statistics_; }
  // Stores a text as statistics().last_error: see shown().
  void note_error(std::error_code error, std::string_view text);
  // Returns printable(text), or the message of `error` if the text contains the password.
  [[nodiscard]] std::string shown(std::error_code error, std::string_view text) const;
  void note_round_trip(std::chrono::microseconds time) noexcept { statistics_.round_trip = time; }

  // One bounded round of work.
  class Turn {
   public:
    explicit Turn(Connection& connection);
    // Sends the requests, and arranges that fd() becomes readable when there is more to do.
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // To be called before each unit of work: next(), or a call of an observer. Returns false when the turn must end.
    [[nodiscard]] bool more() noexcept;
    [[nodiscard]] Event next();

   private:
    Connection& connection_;
    std::size_t units_ = 0;
    bool drained_ = false;
  };

 private:
  // connected: connecting has ended, with success or with an error.
  enum class State : std::uint8_t { idle, waiting, resolving, next_address, connecting, connected, handshake, open };
  // Requests that were sent together and await `count` replies.
  struct Unanswered {
    bool probe = false;
    std::size_t count = 0;
    TimePoint since;
  };

  void look_at_events();
  void poll();
  void finish_turn(bool drained) noexcept;
  Event next();
  Event advance();

  void begin_attempt();
  void take_addresses(Resolution resolution);
  void connect_next();
  void finish_connecting();
  void begin_handshake();
  Event on_reply();
  Event on_handshake_reply();
  Event on_probe_reply();
  bool refuses_for_too_long(const Reply& reply);
  [[nodiscard]] std::vector<ClientIdentity>::const_iterator unkilled() const;
  // Returns when CLIENT KILL is tried again; std::nullopt: there is nothing to kill.
  [[nodiscard]] std::optional<TimePoint> kill_at() const;
  void settle_lost();

  void receive();
  Event idle();
  void probe_if_due();
  void note_idle_close();
  void count_new_commands(bool probe);
  void write();
  void watch_writable(bool on);
  void fail(std::error_code error, std::string_view text);
  void fail_timeout(const char* what);
  void drop_socket() noexcept;
  [[nodiscard]] bool nothing_on_its_way() const noexcept;
  [[nodiscard]] bool may_want_tls(std::error_code error, std::string_view text) const;
  [[nodiscard]] std::optional<TimePoint> answer_deadline() const noexcept;
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept;
  [[nodiscard]] std::chrono::milliseconds retry_pause();
  [[nodiscard]] std::string endpoint() const;

  ConnectionOptions options_;  // as given, except for the password
  os::EventSet events_;
  Resolver resolver_;
  State state_ = State::idle;
  bool messages_ = false;  // messages are expected
  TimePoint now_;

  std::vector<Address> addresses_;
  std::size_t address_ = 0;  // index after the address that is being tried
  os::Descriptor socket_;
  bool readable_ = false;  // the socket may be readable
  bool looked_ = false;    // this Turn has polled
  bool writable_watched_ = false;
  std::size_t received_ = 0;     // bytes, in this Turn
  std::error_code write_error_;  // reported after all input was read: it may contain the reason

  CommandBuffer out_;
  std::size_t sent_ = 0;     // bytes of out_
  std::size_t counted_ = 0;  // commands of out_ that are in unanswered_
  std::deque<Unanswered> unanswered_;
  ReplyReader reader_;
  ReplyPtr reply_;
  Handshake handshake_;
  // Connections that were given up while requests were on their way, and that are not known to be killed. The oldest is
  // first. Some belong to other servers.
  std::vector<ClientIdentity> lost_;
  std::string late_writes_;
  TimePoint killed_at_;  // when the latest CLIENT KILL was sent

  TimePoint attempt_deadline_;
  TimePoint retry_at_;
  TimePoint opened_at_;
  TimePoint last_traffic_;
  AnswerClock clock_;
  std::optional<TimePoint> refusing_since_;  // since when all replies are refusals: see refuses_all()
  std::chrono::milliseconds probe_interval_;
  std::optional<std::chrono::milliseconds> idle_limit_;  // quiet time before the server's latest close
  bool closed_ = false;                                  // Event::closed is due
  std::error_code error_;
  std::string error_text_;
  std::minstd_rand jitter_;
  ConnectionStatistics statistics_;
};

}  // namespace portsync::redis
